"""Goal -> the loss that training makes small."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from edgeml.data.goal import Goal

Objective = Callable[[Any, Any, Any], tuple[Any, Any]]
"""(outputs (b, o), labels (b,), raw float inputs (b, h, w, c)) -> (mean loss, sum of the batch's scores)."""


def objective(tf: Any, goal: Goal, outputs: int, smoothing: float) -> Objective:
    """What a network is trained for.

    Args:
        tf: TensorFlow.
        goal: of the data.
        outputs: of the network.
        smoothing: of labels, 0..1 (Szegedy et al. 2016); for classes only.

    Returns:
        Classification: cross-entropy, and how many are right. Regression: squared error of standardised
        values, or, where the metric is the absolute error, Huber's (1964) with delta 1; and the sum of
        1 - squared error. Anomaly: squared error of the reconstruction, and 0.
    """

    def classes(given: Any, truth: Any, shown: Any) -> tuple[Any, Any]:
        target = tf.one_hot(truth, outputs, 1 - smoothing + smoothing / outputs, smoothing / outputs)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, given))
        return loss, tf.reduce_sum(tf.cast(tf.argmax(given, -1) == truth, tf.float32))

    def value(given: Any, truth: Any, shown: Any) -> tuple[Any, Any]:
        error = tf.abs(given[:, 0] - (truth - goal.mean) / goal.std)
        squared = tf.square(error)
        huber = tf.where(error < 1.0, squared, 2.0 * error - 1.0)
        loss = tf.reduce_mean(huber if goal.metric == "mae" else squared)
        return loss, tf.reduce_sum(tf.maximum(0.0, 1.0 - squared))

    def reconstruction(given: Any, truth: Any, shown: Any) -> tuple[Any, Any]:
        wanted = tf.reshape(shown, [-1, outputs]) / 255.0
        return tf.reduce_mean(tf.square(wanted - given)), tf.constant(0.0)

    return {"classification": classes, "regression": value, "anomaly": reconstruction}[goal.task]


def loss_of_guessing(goal: Goal, outputs: int) -> float:
    """What a constant answer would lose, about."""
    return log(max(2, outputs)) if goal.task == "classification" else 1.0
