"""Magnitude pruning and weight clustering: fine-tuning with fewer different weights, by the toolkit.

Both work on the network with its BatchNorm, on kernels of convolutions and dense layers. Depthwise kernels
are left as they are: the toolkit refuses them (few weights, much loss). Kernels of fewer than four inputs
are not pruned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import Conv2D, Dense, DepthwiseConv2D
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train import awake
from edgeml.train.build import Network, Weights
from edgeml.train.compress import Tuned, Tuning, settled, toolkit, tune
from edgeml.train.keras_model import keras_model, keras_weights, layer_name

SCHEDULE_END = 0.6
"""Share of the steps after which the sparsity wanted is reached."""
PRUNE_TIMES = 20
"""Times that masks are made anew until then."""


def pruned(
    graph: Graph, weights: Weights, data: Split, recipe: Recipe, tuning: Tuning, pattern: bool = False
) -> Tuned:
    """Trained network -> one whose smallest weights are zero.

    Sparsity rises from 0 to `tuning.sparsity` as a cubic over SCHEDULE_END of the steps (Zhu & Gupta 2017).

    Args:
        graph: the network.
        weights: trained.
        data: training split.
        recipe: of the candidate.
        tuning: how much.
        pattern: zero two of every four weights in the order of TFLite's kernels (input channels) instead.

    Raises:
        MissingToolError: the toolkit cannot be imported.
        ModelError: the loss became infinite.
    """
    began, tfmot = awake.now(), toolkit()
    sparsity = tfmot.sparsity.keras
    end = max(1, round(SCHEDULE_END * tuning.steps(len(data))))
    every = max(1, end // PRUNE_TIMES)
    schedule = sparsity.PolynomialDecay(0.0, tuning.sparsity, 0, end, frequency=every)
    how: dict[str, Any] = {"pruning_schedule": schedule}
    if pattern:
        how = {
            "pruning_schedule": sparsity.ConstantSparsity(0.5, 0, end_step=end, frequency=every),
            "sparsity_m_by_n": (2, 4),
        }
    model = _wrapped(graph, weights, lambda layer: sparsity.prune_low_magnitude(layer, **how), is_pruned)
    update = sparsity.UpdatePruningStep()
    update.set_model(model)
    update.on_train_begin()
    steps, loss = tune(
        model, Network(graph, weights), data, recipe, tuning, lambda: update.on_train_batch_begin(-1)
    )
    update.on_epoch_end(-1)
    found = keras_weights(sparsity.strip_pruning(model), graph)
    return _done(graph, found, data, tuning, steps, loss, began)


def clustered(graph: Graph, weights: Weights, data: Split, recipe: Recipe, tuning: Tuning) -> Tuned:
    """Trained network -> one whose kernels have at most `tuning.clusters` different weights each.

    Centroids start by k-means++ and are trained (Han et al. 2016). A channel's sign is first moved into its
    BatchNorm, so that clusters stay clusters when that is folded in (edgeml.deploy.widen).

    Raises:
        MissingToolError: the toolkit cannot be imported.
        ModelError: the loss became infinite.
    """
    began, tfmot = awake.now(), toolkit()
    clustering = tfmot.clustering.keras
    how = {
        "number_of_clusters": tuning.clusters,
        "cluster_centroids_init": clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
    }
    upright = positive(graph, weights)
    model = _wrapped(
        graph,
        upright,
        lambda layer: clustering.cluster_weights(layer, **how),
        lambda node: is_clustered(node, tuning.clusters),
    )
    steps, loss = tune(model, Network(graph, weights), data, recipe, tuning)
    found = keras_weights(clustering.strip_clustering(model), graph)
    for name, value in found.items():
        if name.endswith(":gamma"):  # one that has crossed zero would mirror its channel's clusters
            found[name] = np.maximum(value, 0)
    return _done(graph, found, data, tuning, steps, loss, began)


def is_pruned(node: Node) -> bool:
    """Whether a node's kernel is pruned."""
    return isinstance(node.layer, Conv2D | Dense) and node.weight_shapes["kernel"][-2] >= 4


def is_clustered(node: Node, clusters: int) -> bool:
    """Whether a node's kernel is clustered: it has more weights than there are clusters."""
    return isinstance(node.layer, Conv2D | Dense) and int(np.prod(node.weight_shapes["kernel"])) > clusters


def positive(graph: Graph, weights: Weights) -> Weights:
    """The same function with no negative BatchNorm scale: kernel, mean and scale of such channels negated."""
    found = dict(weights)
    for node in graph.nodes:
        if "gamma" not in node.weight_shapes:
            continue
        sign = np.where(weights[f"{node.name}:gamma"] < 0, -1.0, 1.0).astype(np.float32)
        over = sign[:, None] if isinstance(node.layer, DepthwiseConv2D) else sign
        for name, factor in (("gamma", sign), ("mean", sign), ("kernel", over)):
            found[f"{node.name}:{name}"] = weights[f"{node.name}:{name}"] * factor
    return found


def _wrapped(
    graph: Graph, weights: Weights, wrap: Callable[[Any], Any], chosen: Callable[[Node], bool]
) -> Any:
    """Keras model with the chosen layers wrapped; their weights stay."""
    import tf_keras as keras

    model = keras_model(graph, weights)
    names = {layer_name(node) for node in graph.nodes if node.weight_shapes and chosen(node)}
    return keras.models.clone_model(
        model, clone_function=lambda layer: wrap(layer) if layer.name in names else layer
    )


def _done(
    graph: Graph, weights: Weights, data: Split, tuning: Tuning, steps: int, loss: float, began: float
) -> Tuned:
    own = settled(graph, weights, data, tuning)
    return Tuned(own, seconds=awake.now() - began, steps=steps, loss=loss)
