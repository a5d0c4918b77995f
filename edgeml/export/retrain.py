"""Spec + data -> the network trained again from fresh weights, compressed as the original was, scored."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Dataset
from edgeml.errors import ModelError
from edgeml.export.given import as_read
from edgeml.export.scores import Scores, score
from edgeml.export.search_spec import Compression
from edgeml.export.spec import Calibration, Spec
from edgeml.search.finishing.compression import TRAINED, Plan
from edgeml.train.fidelity import Fidelity

if TYPE_CHECKING:
    from edgeml.search.finishing.trained import Trained


@dataclass(frozen=True)
class Retrained:
    """A network trained again.

    Attributes:
        seed: of the training.
        artifact, weights: the int8 TFLite file and the bytes of weights.safetensors.
        accuracy, accuracy_float: scores on validation: of the artifact, and of the float network before
            compression.
        scores: of the artifact on the test split.
        epochs, seconds: of the training.
    """

    seed: int
    artifact: bytes
    weights: bytes
    accuracy: float
    accuracy_float: float
    scores: Scores
    epochs: float
    seconds: float


def retrain(spec: Spec, dataset: Dataset, seed: int) -> Retrained:
    """Train, compress, convert and score.

    Raises:
        ModelError: training or conversion failed.
    """
    from safetensors.numpy import save

    from edgeml.deploy import runtime
    from edgeml.deploy.convert import to_tflite
    from edgeml.search.evaluate import CALIBRATION_IMAGES
    from edgeml.search.finishing.trained import Trained
    from edgeml.train.build import build, get_weights
    from edgeml.train.fit import accuracy_float, choose_threads, fit

    began = time.monotonic()
    graph, recipe = spec.architecture.graph, Recipe(**spec.recipe)
    height, width, _ = graph.input_shape
    choose_threads(height * width)
    data = as_read(dataset, spec.architecture.front, graph.input_shape)
    model = build(graph, seed, recipe.initialiser)
    result = fit(model, data.train, Fidelity(**spec.fidelity), recipe, seed)
    if result.failure:
        raise ModelError(f"training failed: {result.failure}.")
    found = accuracy_float(model, data.val)
    network = Trained(graph, get_weights(model, graph), data, seed, recipe, found, 0.0)
    artifact = to_tflite(graph, network.folded, data.calibration(CALIBRATION_IMAGES, seed))
    network.accuracy = runtime.accuracy(artifact, data.val)
    how = spec.search.lineage.compression
    if how and method_of(how) in TRAINED:
        artifact = _compress(network, how, spec)
    elif spec.calibration.rule != "converter":
        artifact = _clipped(network, spec.calibration)
    return Retrained(
        seed,
        artifact,
        save(network.weights),
        runtime.accuracy(artifact, data.val),
        found,
        score(artifact, data),
        round(result.epochs, 3),
        round(time.monotonic() - began, 3),
    )


def method_of(compression: Compression) -> str:
    """The method that a variant's ending names: "prune70" is pruning."""
    return next((name for name in TRAINED if compression.method.startswith(name)), compression.method)


def _compress(network: Trained, how: Compression, spec: Spec) -> bytes:
    """Fine-tune as the search did; the network's weights are replaced."""
    from edgeml.search.finishing.tuning import TUNING_SHARE, fine_tuned

    method = method_of(how)
    plan = Plan(
        how.method,
        method,
        sparsity=how.sparsity or Plan.sparsity,
        pattern=how.pattern is not None,
        clusters=how.clusters or Plan.clusters,
    )
    epochs = (how.epochs or 1.0) / TUNING_SHARE[method]  # what it was a share of
    # A finalist was fine-tuned in batches of full training, a network whose recipe says so in the usual ones.
    full = Fidelity(epochs, int(spec.fidelity["batch_size"])) if how.of else Fidelity(epochs)
    tuned, int8, _ = fine_tuned(network, plan, full)
    network.weights = tuned.weights
    return int8.artifact


def _clipped(network: Trained, calibration: Calibration) -> bytes:
    """The artifact, with ranges taken as the original's were."""
    from edgeml.deploy.calibrate import DEFAULT, Clipping, Observed, Quantiser

    ranges = Observed(network.graph, network.folded, network.images).ranges(
        Clipping(**calibration.model_dump())
    )
    return Quantiser(network.graph, network.folded, network.images[: DEFAULT.images]).artifact(ranges)
