"""The traced training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train.augment import Augment
from edgeml.train.build import Network
from edgeml.train.objective import objective
from edgeml.train.optimiser import optimiser
from edgeml.train.watch import Distil

LARGEST_NORM = 5.0
"""Gradients longer than this are shortened to it (Pascanu et al. 2013)."""
MOST_BYTES = 1 << 21
"""Of inputs that are made ready at a time."""

Floats = NDArray[np.float32]
Steps = Callable[[NDArray[np.int64], Floats], tuple[Floats, Floats, Floats]]
"""Indices (n, batch), learning rates (n,) -> losses (n,), hits (n,), mean of the batches' statistics (s,)."""


@dataclass(frozen=True, eq=False)
class Loop:
    """Training steps one after the other.

    Attributes:
        steps: takes them.
        kept: variables that the traced function uses but does not keep alive.
    """

    steps: Steps
    kept: list[Any]


def trace(
    network: Network, data: Split, recipe: Recipe, teacher: Distil | None, batch: int, seed: int
) -> Loop:
    """Network, uint8 data, recipe -> the loop; a rate of 0 changes the statistics only.

    The loop is TensorFlow's: calling a traced step from Python takes 1.2 ms, where a small network's step
    takes 2.7. Batches are made outside of it, so that data mapped from a file (data/scratch.py) stay there.

    Args:
        network: trained in place.
        data: training split.
        recipe: optimiser and augmentation.
        teacher: a trained network to learn from as well.
        batch: samples a step.
        seed: of the augmentation.
    """
    import tensorflow as tf

    augment = Augment(recipe, seed)
    traced, kept = _traced(tf, network, data, augment, teacher, batch)
    pieces = max(1, MOST_BYTES // max(1, batch * data.inputs[0].nbytes))

    def piece(indices: NDArray[np.int64], rates: Floats) -> list[Floats]:
        chosen = indices.ravel()
        given = [augment(data.inputs[chosen]), data.labels[chosen]]
        if teacher is not None:
            given.append(teacher.teacher[chosen])
        return [one.numpy() for one in traced(rates, *(_batches(one, batch) for one in given))]

    def steps(indices: NDArray[np.int64], rates: Floats) -> tuple[Floats, Floats, Floats]:
        cuts = range(pieces, len(indices), pieces)
        found = [piece(*both) for both in zip(np.split(indices, cuts), np.split(rates, cuts), strict=True)]
        losses, hits, statistics = zip(*found, strict=True)
        mean = np.average(statistics, 0, [len(one) for one in losses])
        return np.concatenate(losses), np.concatenate(hits), mean.astype(np.float32)

    return Loop(steps, kept)


def _batches(values: NDArray[Any], batch: int) -> NDArray[Any]:
    """(n * batch, ...) -> (n, batch, ...)."""
    return values.reshape(-1, batch, *values.shape[1:])


def _traced(
    tf: Any, network: Network, data: Split, augment: Augment, teacher: Distil | None, batch: int
) -> tuple[Any, list[Any]]:
    """A function of rates (n,), inputs (n, batch, h, w, c), labels and logits to learn; what it keeps."""
    recipe = augment.recipe
    aim = objective(tf, data.goal, network.graph.output_shape[2], recipe.label_smoothing)
    apply, kept = optimiser(recipe.optimiser, tf, network.parameters)
    decayed = tf.constant(recipe.weight_decay * network.kernels())

    def step(rate: Any, inputs: Any, truth: Any, *taught: Any) -> tuple[Any, Any, Any]:
        shown = tf.cast(inputs, tf.float32)
        parameters = network.parameters.read_value()
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            logits, found = network.forward(parameters, shown, training=True)
            loss, hits = aim(logits, truth, shown)
            if teacher is not None:
                soft = divergence(tf, taught[0], logits, teacher.temperature)
                loss = (1 - teacher.weight) * loss + teacher.weight * soft
        gradient = tape.gradient(loss, parameters)
        gradient *= LARGEST_NORM / tf.maximum(tf.norm(gradient), LARGEST_NORM)
        apply(gradient, rate)
        if recipe.weight_decay:
            network.parameters.assign_sub(rate * decayed * network.parameters)
        network.follow(found)
        return loss, hits, found

    def steps(*given: Any) -> tuple[Any, Any, Any]:
        count = tf.size(given[0])

        def body(at: Any, losses: Any, hits: Any, statistics: Any) -> tuple[Any, Any, Any, Any]:
            loss, hit, found = step(*(tf.raw_ops.GatherV2(params=one, indices=at, axis=0) for one in given))
            return (
                at + 1,
                losses.write(at, loss),
                hits.write(at, hit),
                statistics + tf.cast(found, tf.float64),
            )

        nothing = tf.TensorArray(tf.float32, count), tf.TensorArray(tf.float32, count)
        none = tf.zeros(network.statistics.shape, tf.float64)
        _, losses, hits, statistics = tf.while_loop(
            lambda at, *_: at < count, body, (0, *nothing, none), parallel_iterations=1
        )
        return losses.stack(), hits.stack(), statistics / tf.cast(count, tf.float64)

    shown = (batch, *data.inputs.shape[1:]), augment.gives(data.inputs.dtype)
    kinds = [shown, ((batch,), data.labels.dtype)]
    if teacher is not None:
        kinds.append(((batch, *teacher.teacher.shape[1:]), teacher.teacher.dtype))
    signature = [tf.TensorSpec((None,), tf.float32)]
    signature += [tf.TensorSpec((None, *shape), kind) for shape, kind in kinds]
    return tf.function(steps, autograph=False).get_concrete_function(*signature), kept


def divergence(tf: Any, taught: Any, logits: Any, temperature: float) -> Any:
    """T^2 * KL(teacher/T || student/T), the mean over a batch: its gradients are of one size for every T."""
    sure = tf.nn.softmax(taught / temperature)
    entropy = -tf.reduce_sum(sure * tf.nn.log_softmax(taught / temperature), -1)
    cross = tf.nn.softmax_cross_entropy_with_logits(sure, logits / temperature)
    return temperature**2 * tf.reduce_mean(cross - entropy)
