"""The traced training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.data.scratch import is_large
from edgeml.train.augment import augment
from edgeml.train.build import Network
from edgeml.train.grappler import unoptimised
from edgeml.train.objective import objective
from edgeml.train.optimiser import optimiser
from edgeml.train.watch import Distil

__all__ = ["LARGEST_NORM", "Loop", "divergence", "trace", "unoptimised"]

LARGEST_NORM = 5.0
"""Gradients longer than this are shortened to it (Pascanu et al. 2013)."""


@dataclass(frozen=True, eq=False)
class Loop:
    """One training step, traced.

    Attributes:
        step: (indices (batch,) int64, learning rate) -> (loss, hits, batch statistics (s,)).
        kept: variables that the traced function uses but does not keep alive.
    """

    step: Callable[[Any, Any], tuple[Any, Any, Any]]
    kept: list[Any]


def trace(network: Network, data: Split, recipe: Recipe, teacher: Distil | None, batch: int) -> Loop:
    """Network, uint8 data, recipe -> the step; a rate of 0 changes the statistics only.

    Data that are mapped from a file and too large for memory (data/scratch.py) stay there.
    """
    import tensorflow as tf

    inputs = gather(tf, data, batch)
    labels = tf.constant(data.labels)
    taught = None if teacher is None else tf.constant(teacher.teacher, tf.float32)
    aim = objective(tf, data.goal, network.graph.output_shape[2], recipe.label_smoothing)
    apply, kept = optimiser(recipe.optimiser, tf, network.parameters)
    decayed = tf.constant(recipe.weight_decay * network.kernels())

    def step(indices: Any, rate: Any) -> tuple[Any, Any, Any]:
        shown = tf.cast(augment(tf, inputs(indices), recipe), tf.float32)
        truth = tf.gather(labels, indices)
        parameters = network.parameters.read_value()
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            logits, found = network.forward(parameters, shown, training=True)
            loss, hits = aim(logits, truth, shown)
            if teacher is not None:
                soft = divergence(tf, tf.gather(taught, indices), logits, teacher.temperature)
                loss = (1 - teacher.weight) * loss + teacher.weight * soft
        gradient = tape.gradient(loss, parameters)
        gradient *= LARGEST_NORM / tf.maximum(tf.norm(gradient), LARGEST_NORM)
        apply(gradient, rate)
        if recipe.weight_decay:
            network.parameters.assign_sub(rate * decayed * network.parameters)
        network.follow(found)
        return loss, hits, found

    traced = tf.function(step, autograph=False)
    signature = tf.TensorSpec((batch,), tf.int64), tf.TensorSpec((), tf.float32)
    return Loop(traced.get_concrete_function(*signature), kept)


def gather(tf: Any, data: Split, batch: int) -> Callable[[Any], Any]:
    """Data -> (indices (batch,) -> that batch of inputs), traced; the same batches either way."""
    if not is_large(data.inputs.shape, data.inputs.dtype):
        held = tf.constant(np.ascontiguousarray(data.inputs))
        return lambda indices: tf.gather(held, indices)

    def read(indices: Any) -> Any:
        return np.ascontiguousarray(data.inputs[indices])

    def traced(indices: Any) -> Any:
        tf.no_op(), tf.no_op()  # seeds of random operators count those before them: two fewer than above
        found = tf.numpy_function(read, [indices], data.inputs.dtype)
        found.set_shape((batch, *data.inputs.shape[1:]))
        return found

    return traced


def divergence(tf: Any, taught: Any, logits: Any, temperature: float) -> Any:
    """T^2 * KL(teacher/T || student/T), the mean over a batch: its gradients are of one size for every T."""
    sure = tf.nn.softmax(taught / temperature)
    entropy = -tf.reduce_sum(sure * tf.nn.log_softmax(taught / temperature), -1)
    cross = tf.nn.softmax_cross_entropy_with_logits(sure, logits / temperature)
    return temperature**2 * tf.reduce_mean(cross - entropy)
