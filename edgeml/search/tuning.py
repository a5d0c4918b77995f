"""A finalist -> what fine-tuning for compression makes of it: weights, and the int8 artifact of them."""

from __future__ import annotations

from typing import Any

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Input
from edgeml.arch.recipe import Recipe
from edgeml.search.compression import Plan, points
from edgeml.search.finalist import Finalist, Int8
from edgeml.train.compress import Tuned, Tuning
from edgeml.train.fidelity import Fidelity

TUNING_SHARE = {"qat": 0.2, "prune": 0.4, "cluster": 0.3}
"""Epochs of fine-tuning, of full training's; at least one."""
TUNING_RATES = {"qat": 3e-3, "prune": 1e-2, "cluster": 1e-2}
LOST = 2.0
"""Points of accuracy from which int8 has lost so much that gentle training does not bring it back."""


def fine_tuned(finalist: Finalist, plan: Plan, full: Fidelity) -> tuple[Tuned, Int8, dict[str, Any]]:
    """A finalist -> what a method that trains makes of it, its best artifact, and figures about both."""
    share = max(1.0, TUNING_SHARE[plan.method] * full.epochs)
    lost = points(finalist.float_accuracy, finalist.candidate.accuracy or 0.0)
    rate = TUNING_RATES["prune" if lost > LOST else plan.method]
    tuning = Tuning(share, rate, min(64, full.batch_size), finalist.candidate.seed,
                    plan.sparsity, plan.clusters)  # fmt: skip
    recipe, train = Recipe(**finalist.candidate.recipe), finalist.data.train
    tuned, int8 = _TUNERS[plan.method](finalist, plan, recipe, train, tuning)
    found = {
        "epochs": round(tuning.epochs, 3),
        "seconds": round(tuned.seconds, 3),
        "steps": tuned.steps,
        **(
            {"sparsity": plan.sparsity, "pattern": "2:4" if plan.pattern else None}
            if plan.method == "prune"
            else {}
        ),
        **({"clusters": plan.clusters} if plan.method == "cluster" else {}),
    }
    return tuned, int8, found


def _qat(finalist: Finalist, plan: Plan, recipe: Recipe, train: Any, tuning: Tuning) -> tuple[Tuned, Int8]:
    from edgeml.deploy import calibrate, runtime
    from edgeml.deploy.fold import fold
    from edgeml.train.compress_qat import quantisation_aware

    graph = finalist.graph
    ranges = calibrate.Observed(graph, finalist.folded, finalist.images).ranges(calibrate.WIDE)
    tuned = quantisation_aware(
        graph, finalist.weights, unscaled(graph, finalist.folded), ranges, train, recipe, tuning
    )
    quantiser = calibrate.Quantiser(graph, fold(graph, tuned.weights), finalist.images[:50])
    artifact = quantiser.artifact(tuned.ranges)
    accuracy = runtime.accuracy(artifact, finalist.data.val)
    row = {"images": None, "rule": "trained", "percentile": None, "accuracy": accuracy, "kept": True}
    return tuned, Int8(artifact, accuracy, [row])


def _prune(finalist: Finalist, plan: Plan, recipe: Recipe, train: Any, tuning: Tuning) -> tuple[Tuned, Int8]:
    from edgeml.train.compress_weights import pruned

    tuned = pruned(finalist.graph, finalist.weights, train, recipe, tuning, plan.pattern)
    return tuned, finalist.calibrated(tuned.weights)


def _cluster(
    finalist: Finalist, plan: Plan, recipe: Recipe, train: Any, tuning: Tuning
) -> tuple[Tuned, Int8]:
    from edgeml.deploy.fold import fold
    from edgeml.deploy.widen import widened
    from edgeml.train.compress_weights import clustered

    tuned = clustered(finalist.graph, finalist.weights, train, recipe, tuning)
    folded = fold(finalist.graph, tuned.weights)

    def finish(artifact: bytes) -> bytes:
        return widened(artifact, finalist.graph, tuned.weights, folded)

    return tuned, finalist.calibrated(tuned.weights, finish=finish)


_TUNERS = {"qat": _qat, "prune": _prune, "cluster": _cluster}


def unscaled(graph: Graph, folded: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Kernels and biases with BatchNorm folded in, but not the scale of the input."""
    scales = {node.name: node.layer.scale for node in graph.nodes if isinstance(node.layer, Input)}
    found = {}
    for node in graph.nodes:
        if node.name in folded:
            scale = scales.get(graph.nodes[node.inputs[0]].name, 1.0)
            found[node.name] = (folded[node.name].kernel / scale, folded[node.name].bias)
    return found
