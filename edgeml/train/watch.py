"""What may be given to a training beside data: a teacher's logits, and a judge of its learning curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
from edgeml.errors import ConfigError
from edgeml.train.build import Network
from edgeml.train.grappler import unoptimised

WATCHED_IMAGES = 2_000
BATCH = 256
COST = 0.03
"""Share of a training that watching it may cost."""


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

    def of(self, used: NDArray[np.int64]) -> Distil:
        """The same for some of the samples."""
        return replace(self, teacher=self.teacher[used])

    def check(self, samples: int, classes: int) -> None:
        """Make sure that there are logits of every sample.

        Raises:
            ConfigError: another shape, or values that are not finite.
        """
        if self.teacher.shape != (samples, classes) or not np.isfinite(self.teacher).all():
            raise ConfigError(
                f"a teacher's logits have shape {self.teacher.shape}, expected finite ones of shape "
                f"{(samples, classes)}: one row for every training sample, in its order."
            )


@dataclass(frozen=True)
class CurvePoint:
    """A point of a learning curve: epochs trained so far, accuracy of the float model then (0..1)."""

    epoch: float
    accuracy: float


Judge = Callable[[Sequence[CurvePoint], float], str | None]
"""The learning curve so far, and epochs at the end of the present schedule -> why to stop, or None."""


@dataclass(frozen=True, eq=False)
class Watch:
    """Looks at a training now and then and may end it.

    Attributes:
        val: validation images; the first WATCHED_IMAGES of them, or fewer in a short training,
            are used (prefixes are stratified).
        judge: called with the curve at every checkpoint but the last, which is the end anyway.
        checkpoints: how many, evenly spaced over the planned steps; the last is the end of the training.
    """

    val: Split
    judge: Judge
    checkpoints: int = 10


def accuracy_float(model: Network, data: Split) -> float:
    """Score of the float model on a split by its goal, 0..1."""
    found = []
    for start in range(0, len(data), BATCH):
        chunk = data.inputs[start : start + BATCH]
        inputs = np.zeros((BATCH, *chunk.shape[1:]), np.uint8)  # one shape, so that one trace serves
        inputs[: len(chunk)] = chunk
        with unoptimised():
            found.append(model.outputs(inputs).numpy()[: len(chunk)])
    return data.goal.score(np.concatenate(found), data)


def watched(watch: Watch, samples: int) -> Watch:
    """The watch on as many validation images as a training that sees `samples` in all can afford.

    An image's inference takes about a third of its training step.
    """
    affordable = int(3 * COST * samples / watch.checkpoints) // BATCH * BATCH
    count = max(BATCH, min(WATCHED_IMAGES, affordable))
    return replace(watch, val=watch.val.take(np.arange(min(count, len(watch.val)))))
