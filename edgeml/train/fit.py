"""Network + data -> trained network. A traced loop, data in memory as uint8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.recipe import Recipe, default_recipe
from edgeml.data.dataset import Split
from edgeml.data.split import strata
from edgeml.train import awake
from edgeml.train.build import Network
from edgeml.train.fidelity import Fidelity
from edgeml.train.grappler import unoptimised
from edgeml.train.loop import Loop, trace
from edgeml.train.objective import loss_of_guessing
from edgeml.train.quiet import working
from edgeml.train.statistics import estimate_statistics
from edgeml.train.watch import CurvePoint, Distil, Watch, accuracy_float, watched

__all__ = ["FitResult", "Recipe", "accuracy_float", "choose_threads", "default_recipe", "fit"]

STEPS_PER_CHECK = 20
"""Steps after which losses are read and the clock is looked at."""

WARM_UP = 0.05
EXPLODED = 50.0
"""A loss of so many times that of guessing, for STEPS_PER_CHECK steps on end,
is past recovery."""

SMALL_PIXELS = 256
"""Up to this many pixels an image's operators are too short to share between threads: 20 against 31 ms a step
on 8x8 images with one thread, 48 against 35 ms on 28x28 (37 layers, batch 128, 2 cores)."""


@dataclass
class FitResult:
    """What training gave.

    Attributes:
        epochs: passes over the samples used.
        samples: seen, with repetition.
        share: of the planned steps that were done: less where time or the watch ended it, 0..1.
        seconds: wall-clock, all in all.
        trace_s: of these, until the first step was done.
        history: loss and accuracy on the training batches, by epoch.
        failure: why the training is worthless.
        stopped: what the watch said when it ended the training early.
        curve: what the watch saw.
    """

    epochs: float = 0.0
    samples: int = 0
    share: float = 0.0
    seconds: float = 0.0
    trace_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    failure: str | None = None
    stopped: str | None = None
    curve: list[CurvePoint] = field(default_factory=list)


def choose_threads(pixels: int) -> None:
    """Set TensorFlow's threads for images of `pixels`; only the first call of a process has an effect."""
    import tensorflow as tf

    if pixels > SMALL_PIXELS:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has run something already and keeps its threads
        return


def fit(
    model: Network,
    data: Split,
    fidelity: Fidelity,
    recipe: Recipe,
    seed: int,
    *,
    teacher: Distil | None = None,
    watch: Watch | None = None,
) -> FitResult:
    """Train `model` (raw images -> logits) in place.

    Cosine schedule with a short warm-up; afterwards BatchNorm statistics are re-estimated, because moving
    averages of a short training lag behind its weights.

    Args:
        model: from `build`.
        data: training split, uint8 images.
        fidelity: epochs, share of the data and batch size; `max_s` shortens the schedule once the step time
            is known.
        recipe: optimiser and augmentation.
        seed: which samples, their order, augmentation.
        teacher: a trained network to learn from as well.
        watch: measures the learning curve and may end the training; statistics are estimated all the same.

    Returns:
        What was done; `failure` is set when the loss exploded or stopped being finite, `stopped` when the
        watch ended it.

    Raises:
        ConfigError: the teacher's logits do not fit the data.
    """
    import tensorflow as tf

    started = awake.now()
    tf.random.set_seed(seed)
    if teacher:
        teacher.check(len(data), model.graph.output_shape[2])
    used = fidelity.subset(strata(data.labels), seed)
    if used is not None:
        data = data.take(used)
        teacher = teacher and teacher.of(used)
    batch = fidelity.batch(len(data), recipe.batch_size)
    with unoptimised():
        loop = trace(model, data, recipe, teacher, batch, seed)
        run = _Run(model, loop, fidelity, recipe, data, batch, seed)
        return run.train(watch and watched(watch, run.total * batch), started)


class _Run:
    """A training under way: how far it is, what it has seen."""

    def __init__(
        self,
        model: Network,
        loop: Loop,
        fidelity: Fidelity,
        recipe: Recipe,
        data: Split,
        batch: int,
        seed: int,
    ) -> None:
        self.model, self.loop, self.fidelity, self.recipe, self.batch = model, loop, fidelity, recipe, batch
        self.order = _Order(len(data), batch, np.random.default_rng(seed))
        self.epoch = max(1, len(data) // batch)
        self.total = self.planned = max(1, round(self.epoch * fidelity.epochs))
        self.done = 0
        self.result = FitResult()
        self.guessing = loss_of_guessing(data.goal, model.graph.output_shape[2])

    def train(self, watch: Watch | None, started: float) -> FitResult:
        """Steps until the end, a failure or a stop."""
        result = self.result
        while self.done < self.total and not (result.failure or result.stopped):
            self._advance(1 if self.done == 0 else self._until(watch))
            if self.done <= 1:  # starting up is no measure of the pace
                result.trace_s = awake.now() - started
            elif self.fidelity.max_s:
                elapsed = awake.now() - started - result.trace_s
                self.total = _shorten(self.total, self.done, elapsed, self.fidelity.max_s - result.trace_s)
            if watch and not result.failure and self.done >= min(self.total, self._checkpoint(watch)):
                result.curve.append(CurvePoint(self.done / self.epoch, accuracy_float(self.model, watch.val)))
                if self.done < self.total:
                    result.stopped = watch.judge(tuple(result.curve), self.total / self.epoch)
            if self.done % self.epoch == 0 or self.done >= self.total or result.failure or result.stopped:
                self._close_epoch()
        if result.failure is None:
            estimate_statistics(self.model, self._statistics, self.order.take)
        result.epochs, result.samples = self.done / self.epoch, self.done * self.batch
        result.share = self.done / self.planned
        result.seconds = awake.now() - started
        return result

    def _until(self, watch: Watch | None) -> int:
        """Steps to the next moment at which something is looked at."""
        count = min(STEPS_PER_CHECK, self.total - self.done, self.epoch - self.done % self.epoch)
        return min(count, max(1, self._checkpoint(watch) - self.done)) if watch else count

    def _checkpoint(self, watch: Watch) -> int:
        """The step after which the curve is measured next."""
        seen = len(self.result.curve)
        return max(seen + 1, round(self.total * (seen + 1) / watch.checkpoints))

    def _advance(self, count: int) -> None:
        rates = _rates(np.arange(self.done, self.done + count), self.total, self.recipe.learning_rate)
        batches = self.order.take(count)
        with working():
            losses, hits, _ = self.loop.steps(batches, rates)
        self._check(losses.astype(np.float64), rates)
        history = self.result.history
        if not history or "epoch" in history[-1]:
            history.append({"loss": 0.0, "accuracy": 0.0, "steps": 0.0})
        history[-1]["loss"] += float(losses.sum())
        history[-1]["accuracy"] += float(hits.sum()) / self.batch
        history[-1]["steps"] += count
        self.done += count

    def _statistics(self, batches: NDArray[np.int64]) -> Any:
        """Mean of the batches' statistics: training at a rate of zero, so that nothing is traced again."""
        return self.loop.steps(batches, np.zeros(len(batches), np.float32))[2]

    def _check(self, losses: NDArray[np.float64], rates: NDArray[np.float32]) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            what, at = f"became {losses[bad[0]]}", int(bad[0])
        elif len(losses) > 1 and losses.min() > EXPLODED * self.guessing:
            what, at = f"exploded to {losses[0]:.4g} (guessing has {self.guessing:.3g})", 0
        else:
            return
        self.result.failure = (
            f"loss {what} at step {self.done + at + 1} of {self.total}, where the learning rate was "
            f"{rates[at]:.3g} (its peak is {self.recipe.learning_rate:g}); a lower one may train"
        )

    def _close_epoch(self) -> None:
        row = self.result.history[-1]
        steps = row.pop("steps", 0.0) or 1.0
        row.update(loss=row["loss"] / steps, accuracy=row["accuracy"] / steps, epoch=self.done / self.epoch)


class _Order:
    """Endless stream of batches of indices, reshuffled every epoch."""

    def __init__(self, samples: int, batch: int, rng: np.random.Generator) -> None:
        self._samples, self._batch, self._rng = samples, batch, rng
        self._left: NDArray[np.int64] = np.empty(0, np.int64)

    def take(self, steps: int) -> NDArray[np.int64]:
        """Indices of shape (steps, batch)."""
        wanted = steps * self._batch
        while len(self._left) < wanted:
            self._left = np.concatenate([self._left, self._rng.permutation(self._samples)])
        taken, self._left = self._left[:wanted], self._left[wanted:]
        return taken.reshape(steps, self._batch)


def _rates(steps: NDArray[np.int64], total: int, peak: float) -> NDArray[np.float32]:
    warm = max(1.0, WARM_UP * total)
    cosine = 0.5 * (1 + np.cos(np.pi * np.minimum(1.0, steps / total)))
    return (peak * np.minimum(1.0, (steps + 1) / warm) * cosine).astype(np.float32)


def _shorten(total: int, done: int, elapsed_s: float, limit_s: float) -> int:
    """Steps that fit into `limit_s` at the pace since the first step; never more than planned."""
    pace_s = max(elapsed_s / (done - 1), 1e-9)
    return max(done, min(total, 1 + int(limit_s / pace_s)))
