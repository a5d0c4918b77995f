"""Several networks trained together, with shared weights, into the weight bank.

Every step trains one of them, drawn at random (single-path sampling, Guo et al. 2020; the mix of large and
small ones is the sandwich of Yu & Huang 2019). Where two networks hold weights of one slot of the bank, these
are the same numbers: all parameters lie in one vector, and each network's are a selection of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train.augment import Augment
from edgeml.train.bank import Bank, box, slots, union
from edgeml.train.build import STATISTICS, Network, get_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import STEPS_PER_CHECK, _Order, _rates
from edgeml.train.grappler import unoptimised
from edgeml.train.initialise import initial
from edgeml.train.loop import LARGEST_NORM
from edgeml.train.optimiser import optimiser


def train_supernet(
    bank: Bank,
    graphs: Sequence[Graph],
    data: Split,
    fidelity: Fidelity,
    recipe: Recipe,
    seed: int,
) -> float:
    """Train networks with shared weights and deposit them.

    Args:
        bank: where they start and where their weights go.
        graphs: the networks.
        data: training split, uint8 images.
        fidelity: epochs of all together; a cosine schedule over them.
        recipe: optimiser, batch size and augmentation.
        seed: of weights, order and augmentation.

    Returns:
        Mean loss of the last steps.
    """
    import tensorflow as tf

    tf.random.set_seed(seed)
    starts = [bank.slice(graph, initial(graph, seed, recipe.initialiser))[0] for graph in graphs]
    vector, selections = layout(graphs, starts)
    networks = [Network(graph, start) for graph, start in zip(graphs, starts, strict=True)]
    shared = tf.Variable(vector)
    batch = fidelity.batch(len(data), recipe.batch_size)
    rng = np.random.default_rng(seed)
    order, total = _Order(len(data), batch, rng), max(1, round(fidelity.epochs * (len(data) // batch)))
    with unoptimised():
        augment = Augment(recipe, seed)
        steps, kept = _trace(tf, shared, networks, selections, data, augment, batch)
        losses: list[Any] = []
        for first in range(0, total, STEPS_PER_CHECK):
            count = min(STEPS_PER_CHECK, total - first)
            rates = _rates(np.arange(first, first + count), total, recipe.learning_rate)
            chosen = rng.integers(len(networks), size=count)
            losses = [
                steps[which](augment(data.inputs[indices]), data.labels[indices], rate)
                for which, indices, rate in zip(chosen, order.take(count), rates, strict=True)
            ]
    trained = shared.numpy()
    for graph, network, selection in zip(graphs, networks, selections, strict=True):
        network.parameters.assign(trained[selection])
        bank.deposit(graph, get_weights(network, graph), total * batch // len(graphs), mix=1.0)
    del kept
    return float(np.mean([float(loss) for loss in losses]))


def cover(pool: Sequence[Graph], count: int) -> list[Graph]:
    """The networks of `pool` that together hold most weights of a bank, found greedily; then small ones.

    Half of `count` is for coverage; the other half are the smallest quarter's, the half's and so on, so that
    leading channels learn to do without the others (the sandwich rule).
    """
    held: dict[str, tuple[int, ...]] = {}
    chosen: list[Graph] = []
    for _ in range(min(len(pool), count - count // 2)):
        best = max(pool, key=lambda graph: _adds(held, graph))
        chosen.append(best)
        for slot, _, shape in _parameters(best):
            held[slot] = union(held.get(slot, shape), shape)
    ordered = sorted(pool, key=lambda graph: sum(node.macs for node in graph.nodes))
    for index in range(count // 2):
        chosen.append(ordered[(2 * index + 1) * len(ordered) // (2 * max(1, count // 2))])
    return chosen


def _adds(held: dict[str, tuple[int, ...]], graph: Graph) -> int:
    """Parameters of a network that shapes held so far do not cover."""
    total = 0
    for slot, _, shape in _parameters(graph):
        before = held.get(slot)
        total += prod(shape) if before is None else prod(union(before, shape)) - prod(before)
    return total


def layout(
    graphs: Sequence[Graph], starts: Sequence[dict[str, NDArray[np.float32]]]
) -> tuple[NDArray[np.float32], list[NDArray[np.int32]]]:
    """Networks and their weights -> one vector of parameters, and each network's places in it.

    Where networks share, the first one's weights stand.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for graph in graphs:
        for slot, _, shape in _parameters(graph):
            shapes[slot] = union(shapes.get(slot, shape), shape)
    ends = np.cumsum([0, *(prod(shape) for shape in shapes.values())])
    places = {
        slot: np.arange(first, first + prod(shape), dtype=np.int32).reshape(shape)
        for (slot, shape), first in zip(shapes.items(), ends[:-1], strict=True)
    }
    selections = [
        np.concatenate(
            [places[slot][box(shapes[slot], shape)].ravel() for slot, _, shape in _parameters(graph)]
        )
        for graph in graphs
    ]
    vector = np.zeros(ends[-1], np.float32)
    for graph, start, selection in reversed(list(zip(graphs, starts, selections, strict=True))):
        vector[selection] = np.concatenate([start[key].ravel() for _, key, _ in _parameters(graph)])
    return vector, selections


def _parameters(graph: Graph) -> list[tuple[str, str, tuple[int, ...]]]:
    """("slot:name", "place:name", shape) of what is trained, in the order of `Network.parameters`."""
    return [
        (f"{slot}:{name}", f"{node.name}:{name}", tuple(shape))
        for node, slot in slots(graph)
        for name, shape in node.weight_shapes.items()
        if name not in STATISTICS
    ]


def _trace(
    tf: Any,
    shared: Any,
    networks: Sequence[Network],
    selections: Sequence[NDArray[np.int32]],
    data: Split,
    augment: Augment,
    batch: int,
) -> tuple[list[Callable[[Any, Any], Any]], list[Any]]:
    """A traced step (inputs, labels, learning rate) -> loss for each network, on one vector."""
    apply, kept = optimiser(augment.recipe.optimiser, tf, shared)

    def step(network: Network, selection: NDArray[np.int32], inputs: Any, truth: Any, rate: Any) -> Any:
        shown = tf.cast(inputs, tf.float32)
        own = tf.gather(shared.read_value(), selection)
        with tf.GradientTape() as tape:
            tape.watch(own)
            logits, _ = network.forward(own, shown, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
        gradient = tape.gradient(loss, own)
        gradient *= LARGEST_NORM / tf.maximum(tf.norm(gradient), LARGEST_NORM)
        apply(tf.scatter_nd(selection[:, None], gradient, shared.shape), rate)
        return loss

    signature = (
        tf.TensorSpec((batch, *data.inputs.shape[1:]), augment.gives(data.inputs.dtype)),
        tf.TensorSpec((batch,), data.labels.dtype),
        tf.TensorSpec((), tf.float32),
    )
    traced = []
    for network, selection in zip(networks, selections, strict=True):
        own_step = tf.function(partial(step, network, selection), autograph=False)
        traced.append(own_step.get_concrete_function(*signature))
    return traced, kept
