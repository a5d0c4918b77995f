"""Keras model + data -> trained model. One traced loop, data in memory as uint8."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.recipe import Recipe, default_recipe
from edgeml.data.dataset import Split
from edgeml.train.augment import augment
from edgeml.train.fidelity import Fidelity
from edgeml.train.optimiser import Adam as _Adam
from edgeml.train.statistics import estimate_statistics
from edgeml.train.watch import CurvePoint, Distil, Scorer, Watch, watched

__all__ = ["FitResult", "Recipe", "accuracy_float", "choose_threads", "default_recipe", "fit"]

STEPS_PER_CALL = 20
WARM_UP = 0.05
SMALL_PIXELS = 256
"""Up to this many pixels an image's operators are too short to share between threads: 20 against 31 ms a step
on 8x8 images with one thread, 48 against 35 ms on 28x28 (37 layers, batch 128, 2 cores)."""


@dataclass
class FitResult:
    """What training gave.

    Attributes:
        epochs, samples: as run.
        seconds: wall-clock, all in all.
        trace_s: of these, until the first steps were done.
        history: loss and accuracy on the training batches, by epoch.
        failure: why the training is worthless.
        stopped: what the watch said when it ended the training early.
        curve: what the watch saw.
    """

    epochs: float = 0.0
    samples: int = 0
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
    model: Any,
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
        fidelity: epochs and batch size; `max_s` shortens the schedule once the step time is known.
        recipe: optimiser and augmentation.
        seed: order of samples and augmentation.
        teacher: a trained network to learn from as well.
        watch: measures the learning curve and may end the training; statistics are estimated all the same.

    Returns:
        What was done; `failure` is set when the loss stopped being finite, `stopped` when the watch ended it.
    """
    import tensorflow as tf

    started = time.monotonic()
    rng = np.random.default_rng(seed)
    tf.random.set_seed(seed)
    run_steps, adam = _loop(tf, model, data, recipe, teacher)
    score = Scorer(model, watched(watch.val)) if watch else None
    result = FitResult()
    steps_per_epoch = max(1, len(data) // fidelity.batch_size)
    total = max(1, round(steps_per_epoch * fidelity.epochs))
    order = _Order(len(data), fidelity.batch_size, rng)
    done = first = 0
    while done < total and not result.stopped:
        count = min(STEPS_PER_CALL, total - done, steps_per_epoch - done % steps_per_epoch)
        if watch:
            count = min(count, _checkpoint(watch, total, len(result.curve)) - done)
        rates = _rates(np.arange(done, done + count), total, recipe.learning_rate)
        loss, hits = run_steps(tf.constant(order.take(count)), tf.constant(rates, tf.float32))
        _record(result, float(loss), float(hits), count, fidelity.batch_size)
        if not np.isfinite(float(loss)):
            result.failure = f"loss became {float(loss)} at step {done + count} of {total}"
            break
        if done == 0:  # starting up is no measure of the pace
            first, result.trace_s = count, time.monotonic() - started
        elif fidelity.max_s:
            elapsed = time.monotonic() - started - result.trace_s
            total = _shorten(total, first, done + count, elapsed, fidelity.max_s - result.trace_s)
        done += count
        if watch and score and done >= min(total, _checkpoint(watch, total, len(result.curve))):
            result.curve.append(CurvePoint(done / steps_per_epoch, score()))
            result.stopped = watch.judge(tuple(result.curve)) if done < total else None
        if done % steps_per_epoch == 0 or done >= total or result.stopped:
            _close_epoch(result, done / steps_per_epoch)
    if result.failure is None:
        estimate_statistics(tf, model, run_steps, order.take)
    result.epochs, result.samples = done / steps_per_epoch, done * fidelity.batch_size
    result.seconds = time.monotonic() - started
    del adam  # the traced function does not keep its variables alive
    return result


def _checkpoint(watch: Watch, total: int, seen: int) -> int:
    """The step after which the curve is measured next."""
    return max(seen + 1, round(total * (seen + 1) / watch.checkpoints))


def accuracy_float(model: Any, data: Split) -> float:
    """Top-1 accuracy of the float model on a split, 0..1."""
    return Scorer(model, data)()


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


def _rates(steps: NDArray[np.int64], total: int, peak: float) -> NDArray[np.float64]:
    warm = max(1.0, WARM_UP * total)
    cosine = 0.5 * (1 + np.cos(np.pi * np.minimum(1.0, steps / total)))
    return peak * np.minimum(1.0, (steps + 1) / warm) * cosine


def _shorten(total: int, first: int, done: int, elapsed_s: float, limit_s: float) -> int:
    """Steps that fit into `limit_s` at the pace since step `first`; never more than planned."""
    pace_s = max(elapsed_s / (done - first), 1e-9)
    return max(done, min(total, first + int(limit_s / pace_s)))


def _record(result: FitResult, loss: float, hits: float, steps: int, batch: int) -> None:
    if not result.history or "epoch" in result.history[-1]:
        result.history.append({"loss": 0.0, "accuracy": 0.0, "steps": 0.0})
    row = result.history[-1]
    row["loss"] += loss * steps
    row["accuracy"] += hits / batch
    row["steps"] += steps


def _close_epoch(result: FitResult, epoch: float) -> None:
    row = result.history[-1]
    steps = row.pop("steps", 0.0) or 1.0
    row.update(loss=row["loss"] / steps, accuracy=row["accuracy"] / steps, epoch=epoch)


def _loop(tf: Any, model: Any, data: Split, recipe: Recipe, teacher: Distil | None) -> tuple[Any, Any]:
    """Traced function (indices (steps, batch), learning rates (steps,)) -> (mean loss, hits)."""
    images, labels = tf.constant(np.ascontiguousarray(data.images)), tf.constant(data.labels)
    classes = model.output_shape[-1]
    taught = None if teacher is None else tf.constant(teacher.teacher, tf.float32)
    adam = _Adam(tf, model.trainable_variables)
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]

    def run_steps(indices: Any, rates: Any) -> Any:
        total, hits = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(tf.shape(indices)[0]):
            rate = rates[step]
            batch = augment(tf, tf.cast(tf.gather(images, indices[step]), tf.float32), recipe)
            truth = tf.gather(labels, indices[step])
            with tf.GradientTape() as tape:
                logits = model(batch, training=True)
                target = tf.one_hot(truth, classes) * (1 - recipe.label_smoothing)
                target += recipe.label_smoothing / classes
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))
                if teacher is not None:
                    soft = _divergence(tf, tf.gather(taught, indices[step]), logits, teacher.temperature)
                    loss = (1 - teacher.weight) * loss + teacher.weight * soft
            gradients = tape.gradient(loss, model.trainable_variables)
            gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
            adam.apply(gradients, rate)
            for kernel in kernels:
                kernel.assign_sub(rate * recipe.weight_decay * kernel)
            total += loss
            hits += tf.reduce_sum(tf.cast(tf.argmax(logits, -1) == truth, tf.float32))
        return total / tf.cast(tf.shape(indices)[0], tf.float32), hits

    signature = (tf.TensorSpec((None, None), tf.int64), tf.TensorSpec((None,), tf.float32))
    return tf.function(run_steps).get_concrete_function(*signature), adam


def _divergence(tf: Any, taught: Any, logits: Any, temperature: float) -> Any:
    """T^2 * KL(teacher/T || student/T), the mean over a batch: its gradients are of one size for every T."""
    sure = tf.nn.softmax(taught / temperature)
    entropy = -tf.reduce_sum(sure * tf.nn.log_softmax(taught / temperature), -1)
    cross = tf.nn.softmax_cross_entropy_with_logits(sure, logits / temperature)
    return temperature**2 * tf.reduce_mean(cross - entropy)
