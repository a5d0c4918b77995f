"""A network with its first weights -> trained, converted and scored: what every training of a search does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Dataset
from edgeml.errors import ModelError
from edgeml.search.stopwatch import Stopwatch
from edgeml.train.fidelity import Fidelity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeml.train.build import Network, Weights
    from edgeml.train.fit import FitResult
    from edgeml.train.watch import Watch


@dataclass(frozen=True)
class Fitted:
    """What a training gave: what `fit` says, the weights, and accuracies on validation, float and int8."""

    result: FitResult
    weights: Weights
    float_accuracy: float
    artifact: bytes
    accuracy: float


def fitted(
    model: Network,
    graph: Graph,
    data: Dataset,
    fidelity: Fidelity,
    recipe: Recipe,
    seed: int,
    calibration: NDArray[Any],
    clock: Stopwatch,
    watch: Watch | None = None,
) -> Fitted:
    """Train a network in place, convert it and score both.

    Args:
        model: of `graph`, with its first weights.
        graph: the network.
        data: to train on, and to score on its validation split.
        fidelity: how much training.
        recipe: how.
        seed: of the order of samples and augmentation.
        calibration: images for the int8 ranges.
        clock: told the seconds of training, scoring and conversion.
        watch: of the learning curve.

    Raises:
        ModelError: the training failed, or its network cannot be converted.
    """
    from edgeml.deploy import runtime
    from edgeml.deploy.convert import to_tflite
    from edgeml.deploy.fold import fold
    from edgeml.train.build import get_weights
    from edgeml.train.fit import accuracy_float, fit

    with clock("train"):
        result = fit(model, data.train, fidelity, recipe, seed, watch=watch)
        if result.failure:
            raise ModelError(f"training failed: {result.failure}")
    with clock("accuracy"):
        float_accuracy = accuracy_float(model, data.val)
    weights = get_weights(model, graph)
    with clock("convert"):
        artifact = to_tflite(graph, fold(graph, weights), calibration)
    with clock("accuracy"):
        accuracy = runtime.accuracy(artifact, data.val)
    return Fitted(result, weights, float_accuracy, artifact, accuracy)
