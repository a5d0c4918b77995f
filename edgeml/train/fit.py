"""Keras model + data -> trained model. One traced loop, data in memory as uint8."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
from edgeml.train.fidelity import Fidelity

STEPS_PER_CALL = 20
WARM_UP = 0.05
STATISTICS_BATCHES = 16
SMALL_PIXELS = 256
"""Up to this many pixels an image's operators are too short to share between threads: 20 against 31 ms a step
on 8x8 images with one thread, 48 against 35 ms on 28x28 (37 layers, batch 128, 2 cores)."""


@dataclass(frozen=True)
class Recipe:
    """Training settings that are not architecture.

    Attributes:
        learning_rate: peak of the cosine schedule (Adam).
        weight_decay: decoupled, on kernels.
        label_smoothing: 0..1.
        shift: largest random translation as a fraction of the side.
        flip: random horizontal mirror.
    """

    learning_rate: float = 8e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    shift: float = 0.1
    flip: bool = False


@dataclass
class FitResult:
    """What training gave: epochs as run, samples seen, seconds, loss and accuracy per epoch, or a failure."""

    epochs: float = 0.0
    samples: int = 0
    seconds: float = 0.0
    trace_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    failure: str | None = None


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


def default_recipe(channels: int) -> Recipe:
    """Colour photographs are mirrored at random; grey images (digits, spectrograms) are not."""
    return Recipe(flip=channels == 3)


def fit(model: Any, data: Split, fidelity: Fidelity, recipe: Recipe, seed: int) -> FitResult:
    """Train `model` (raw images -> logits) in place.

    Cosine schedule with a short warm-up; afterwards BatchNorm statistics are re-estimated, because moving
    averages of a short training lag behind its weights.

    Args:
        model: from `build`.
        data: training split, uint8 images.
        fidelity: epochs and batch size; `max_s` shortens the schedule once the step time is known.
        recipe: optimiser and augmentation.
        seed: order of samples and augmentation.

    Returns:
        What was done; `failure` is set when the loss stopped being finite.
    """
    import tensorflow as tf

    started = time.monotonic()
    rng = np.random.default_rng(seed)
    tf.random.set_seed(seed)
    run_steps, adam = _loop(tf, model, data, recipe)
    result = FitResult()
    steps_per_epoch = max(1, len(data) // fidelity.batch_size)
    total = max(1, round(steps_per_epoch * fidelity.epochs))
    order = _Order(len(data), fidelity.batch_size, rng)
    done = first = 0
    while done < total:
        count = min(STEPS_PER_CALL, total - done, steps_per_epoch - done % steps_per_epoch)
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
        if done % steps_per_epoch == 0 or done >= total:
            _close_epoch(result, done / steps_per_epoch)
    if result.failure is None:
        _estimate_statistics(tf, model, run_steps, order)
    result.epochs, result.samples = done / steps_per_epoch, done * fidelity.batch_size
    result.seconds = time.monotonic() - started
    del adam  # the traced function does not keep its variables alive
    return result


def accuracy_float(model: Any, data: Split) -> float:
    """Top-1 accuracy of the float model on a split, 0..1."""
    import tensorflow as tf

    infer = tf.function(lambda images: tf.argmax(model(images, training=False), axis=-1))
    batch, hits = 256, 0
    for start in range(0, len(data), batch):
        images = np.zeros((batch, *data.images.shape[1:]), np.float32)
        chunk = data.images[start : start + batch]
        images[: len(chunk)] = chunk
        predicted = infer(tf.constant(images)).numpy()[: len(chunk)]
        hits += int((predicted == data.labels[start : start + batch]).sum())
    return hits / len(data)


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


def _loop(tf: Any, model: Any, data: Split, recipe: Recipe) -> tuple[Any, Any]:
    """Traced function (indices (steps, batch), learning rates (steps,)) -> (mean loss, hits)."""
    images, labels = tf.constant(np.ascontiguousarray(data.images)), tf.constant(data.labels)
    classes = model.output_shape[-1]
    adam = _Adam(tf, model.trainable_variables)
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]

    def run_steps(indices: Any, rates: Any) -> Any:
        total, hits = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(tf.shape(indices)[0]):
            rate = rates[step]
            batch = _augment(tf, tf.cast(tf.gather(images, indices[step]), tf.float32), recipe)
            truth = tf.gather(labels, indices[step])
            with tf.GradientTape() as tape:
                logits = model(batch, training=True)
                target = tf.one_hot(truth, classes) * (1 - recipe.label_smoothing)
                target += recipe.label_smoothing / classes
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))
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


class _Adam:
    """Adam (Kingma & Ba 2015) by TensorFlow's fused operator, one for each variable.

    Keras's optimiser writes a dozen operators for each: 10 of 15 seconds that a network of 88 layers took to
    trace, and as many to optimise.
    """

    def __init__(self, tf: Any, variables: list[Any]) -> None:
        self._tf, self._variables = tf, variables
        self._slots = [[tf.Variable(tf.zeros_like(v), trainable=False) for v in variables] for _ in range(2)]
        self._steps = tf.Variable(0.0, trainable=False)

    def apply(self, gradients: list[Any], rate: Any) -> None:
        """One step; betas 0.9 and 0.999, epsilon 1e-7."""
        step = self._steps.assign_add(1.0)
        powers = 0.9**step, 0.999**step
        for variable, gradient, first, second in zip(self._variables, gradients, *self._slots, strict=True):
            self._tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-7,
                grad=gradient,
            )


def _augment(tf: Any, images: Any, recipe: Recipe) -> Any:
    """Random translation (edges repeated) and mirror, each sample its own."""
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    reach_y, reach_x = round(height * recipe.shift), round(width * recipe.shift)
    if recipe.flip:
        mirrored = tf.random.uniform((batch, 1, 1, 1)) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
    if not (reach_y or reach_x):
        return images
    dy = tf.round(tf.random.uniform((batch,), -reach_y - 0.5, reach_y + 0.5))
    dx = tf.round(tf.random.uniform((batch,), -reach_x - 0.5, reach_x + 0.5))
    one, nil = tf.ones_like(dx), tf.zeros_like(dx)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, nil, dx, nil, one, dy, nil, nil], 1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="NEAREST",
    )


def _estimate_statistics(tf: Any, model: Any, run_steps: Any, order: _Order) -> None:
    """Replace BatchNorm's moving averages by plain means over some batches, weights unchanged.

    The training function runs with learning rate zero (so nothing needs tracing again). Moving averages
    are set to zero before each batch; what stands there afterwards is (1 - momentum) times the batch's.
    """
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    variables = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    sums = [np.zeros(v.shape, np.float64) for v in variables]
    rate = tf.constant([0.0], tf.float32)
    for _ in range(STATISTICS_BATCHES):
        for variable in variables:
            variable.assign(tf.zeros_like(variable))
        run_steps(tf.constant(order.take(1)), rate)
        for index, variable in enumerate(variables):
            sums[index] += variable.numpy()
    for norm_index, norm in enumerate(norms):
        share = STATISTICS_BATCHES * (1 - norm.momentum)
        norm.moving_mean.assign(sums[2 * norm_index] / share)
        norm.moving_variance.assign(sums[2 * norm_index + 1] / share)
