"""What may be given to a training beside data: a teacher's logits, and a judge of its learning curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split

WATCHED_IMAGES = 2_000
BATCH = 256


@dataclass(frozen=True, eq=False)
class Distil:
    """Distillation: loss = (1 - a) * cross-entropy + a * T^2 * KL(teacher/T || student/T).

    Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network".

    Attributes:
        teacher: logits of a trained network, float32 (samples, classes), in the order of the training split.
        weight: a, the share of the teacher in the loss, 0..1.
        temperature: T, above 0.
    """

    teacher: NDArray[np.float32]
    weight: float = 0.7
    temperature: float = 3.0


@dataclass(frozen=True)
class CurvePoint:
    """A point of a learning curve: epochs trained so far, accuracy of the float model then (0..1)."""

    epoch: float
    accuracy: float


Judge = Callable[[Sequence[CurvePoint]], str | None]
"""The learning curve so far -> why training should stop, or None."""


@dataclass(frozen=True, eq=False)
class Watch:
    """Looks at a training now and then and may end it.

    Attributes:
        val: validation images; the first WATCHED_IMAGES of them are used (prefixes are stratified).
        judge: called with the curve at every checkpoint but the last, which is the end anyway.
        checkpoints: how many, evenly spaced over the planned steps; the last is the end of the training.
    """

    val: Split
    judge: Judge
    checkpoints: int = 10


class Scorer:
    """Accuracy of a model on a split, traced once and called as often as wanted."""

    def __init__(self, model: Any, data: Split) -> None:
        import tensorflow as tf

        self._tf, self._data = tf, data
        self._infer = tf.function(lambda images: tf.argmax(model(images, training=False), axis=-1))

    def __call__(self) -> float:
        """Top-1 accuracy with the weights of this moment, 0..1."""
        hits = 0
        for start in range(0, len(self._data), BATCH):
            chunk = self._data.images[start : start + BATCH]
            images = np.zeros((BATCH, *chunk.shape[1:]), np.float32)
            images[: len(chunk)] = chunk
            predicted = self._infer(self._tf.constant(images)).numpy()[: len(chunk)]
            hits += int((predicted == self._data.labels[start : start + BATCH]).sum())
        return hits / len(self._data)


def watched(split: Split) -> Split:
    """The part of a validation split that learning curves are measured on."""
    return Split(split.images[:WATCHED_IMAGES], split.labels[:WATCHED_IMAGES])
