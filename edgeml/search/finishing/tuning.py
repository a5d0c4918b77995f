"""A trained network -> what fine-tuning for compression makes of it: weights and their int8 artifact."""

from __future__ import annotations

from typing import Any

from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe
from edgeml.search.finishing.compression import Plan, plan, points
from edgeml.search.finishing.trained import Int8, Trained
from edgeml.train.compress import Tuned, Tuning
from edgeml.train.fidelity import Fidelity

TUNING_SHARE = {"qat": 0.2, "prune": 0.4, "cluster": 0.3}
"""Epochs of fine-tuning, of full training's; at least one."""
TUNING_RATES = {"qat": 3e-3, "prune": 1e-2, "cluster": 1e-2}
LOST = 2.0
"""Points of accuracy from which int8 has lost so much that gentle training does not bring it back."""


def fine_tuned(trained: Trained, how: Plan, full: Fidelity) -> tuple[Tuned, Int8, dict[str, Any]]:
    """A trained network -> what a method makes of it, the best artifact of that, and figures about both."""
    share = max(1.0, TUNING_SHARE[how.method] * full.epochs)
    lost = points(trained.float_accuracy, trained.accuracy)
    rate = TUNING_RATES["prune" if lost > LOST else how.method]
    tuning = Tuning(share, rate, min(64, full.batch_size), trained.seed,
                    how.sparsity, how.clusters)  # fmt: skip
    recipe, train = trained.recipe, trained.data.train
    tuned, int8 = _TUNERS[how.method](trained, how, recipe, train, tuning)
    found = {
        "epochs": round(tuning.epochs, 3),
        "seconds": round(tuned.seconds, 3),
        "steps": tuned.steps,
        **(
            {"sparsity": how.sparsity, "pattern": "2:4" if how.pattern else None}
            if how.method == "prune"
            else {}
        ),
        **({"clusters": how.clusters} if how.method == "cluster" else {}),
    }
    return tuned, int8, found


def compressed(trained: Trained, epochs: float) -> tuple[Tuned, Int8, dict[str, Any]]:
    """The same by the network's own recipe (`compression`), after so many epochs of full training.

    Returns:
        Weights, the artifact, and what the candidate says of them.
    """
    how = plan(trained.recipe.compression)
    tuned, int8, found = fine_tuned(trained, how, Fidelity(epochs))
    record = {"method": how.suffix, "calibration": int8.kept, "calibrations": int8.rows, **found}
    record["accuracy_before"] = trained.accuracy
    return tuned, int8, record


def _qat(trained: Trained, how: Plan, recipe: Recipe, train: Any, tuning: Tuning) -> tuple[Tuned, Int8]:
    from edgeml.deploy import calibrate, runtime
    from edgeml.deploy.equalise import equalised
    from edgeml.deploy.fold import fold
    from edgeml.train.compress_qat import quantisation_aware

    graph = trained.graph
    folded = fold(graph, equalised(graph, trained.weights))
    ranges = calibrate.Observed(graph, folded, trained.images).ranges(calibrate.WIDE)
    tuned = quantisation_aware(graph, trained.weights, unscaled(graph, folded), ranges, train, recipe, tuning)
    quantiser = calibrate.Quantiser(graph, fold(graph, tuned.weights), trained.images[:50])
    artifact = quantiser.artifact(tuned.ranges)
    accuracy = runtime.accuracy(artifact, trained.data.val)
    row = {"images": None, "rule": "trained", "percentile": None, "accuracy": accuracy, "kept": True}
    return tuned, Int8(artifact, accuracy, [row])


def _prune(trained: Trained, how: Plan, recipe: Recipe, train: Any, tuning: Tuning) -> tuple[Tuned, Int8]:
    from edgeml.train.compress_weights import pruned

    tuned = pruned(trained.graph, trained.weights, train, recipe, tuning, how.pattern)
    return tuned, trained.calibrated(tuned.weights)


def _cluster(trained: Trained, how: Plan, recipe: Recipe, train: Any, tuning: Tuning) -> tuple[Tuned, Int8]:
    from edgeml.deploy.fold import fold
    from edgeml.deploy.widen import widened
    from edgeml.train.compress_weights import clustered

    tuned = clustered(trained.graph, trained.weights, train, recipe, tuning)
    folded = fold(trained.graph, tuned.weights)

    def finish(artifact: bytes) -> bytes:
        return widened(artifact, trained.graph, tuned.weights, folded)

    return tuned, trained.calibrated(tuned.weights, finish=finish)


_TUNERS = {"qat": _qat, "prune": _prune, "cluster": _cluster}


def unscaled(graph: Graph, folded: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Kernels and biases with BatchNorm folded in, but not the scale of the input."""
    found = {}
    for node in graph.nodes:
        if node.name in folded:
            scale = graph.input_scale(node)
            found[node.name] = (folded[node.name].kernel / scale, folded[node.name].bias)
    return found
