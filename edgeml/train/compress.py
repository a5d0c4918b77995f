"""What fine-tuning a trained network for compression shares: the toolkit, its settings, the loop.

The toolkit is tensorflow-model-optimization, which wraps layers of a tf_keras model. The network before
compression teaches (Hinton et al. 2015): its logits on the very images of the step are half of the loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.errors import MissingToolError, ModelError
from edgeml.train.augment import Augment
from edgeml.train.build import Network, Weights
from edgeml.train.grappler import unoptimised
from edgeml.train.loop import LARGEST_NORM, divergence
from edgeml.train.objective import objective
from edgeml.train.optimiser import optimiser
from edgeml.train.quiet import working
from edgeml.train.statistics import estimate_statistics

TEACHER_WEIGHT = 0.5
TEMPERATURE = 2.0
WARM_UP = 0.1
LEAST_SIZE = 0.02
LEAST_STEPS = 40
"""Optimiser steps that an epoch keeps: fine-tuning is short."""


@dataclass(frozen=True)
class Tuning:
    """How a trained network is fine-tuned.

    Attributes:
        epochs: passes over the training split.
        learning_rate: peak of Adam's, which then falls as a cosine; of the root mean square of each variable,
            since kernels with BatchNorm folded in differ in size by orders of magnitude.
        batch_size: samples a step.
        seed: order of samples, augmentation.
        sparsity: share of a kernel's weights that pruning sets to zero.
        clusters: values that clustering leaves a kernel.
    """

    epochs: float
    learning_rate: float = 3e-3
    batch_size: int = 64
    seed: int = 0
    sparsity: float = 0.5
    clusters: int = 16

    def steps(self, samples: int) -> int:
        """Optimiser steps in all, at least one."""
        return max(1, round(self.epochs * samples / self.batch(samples)))

    def batch(self, samples: int) -> int:
        """Samples a step; fewer where an epoch would lack LEAST_STEPS."""
        return max(1, min(self.batch_size, samples // LEAST_STEPS))


@dataclass
class Tuned:
    """What fine-tuning gave.

    Attributes:
        weights: by "place:name", as every trained network has them.
        ranges: of activations by place; of "qat" only.
        seconds: wall-clock, without those in which the process was stopped.
        steps: optimiser steps.
        loss: of the last tenth of the steps.
    """

    weights: Weights
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    steps: int = 0
    loss: float = 0.0


def toolkit() -> Any:
    """The module tensorflow_model_optimization.

    Raises:
        MissingToolError: it cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of distutils, which it asks for TensorFlow's version
            import tensorflow_model_optimization as found
    except ImportError as error:
        raise MissingToolError(
            f"compressing by training needs tensorflow-model-optimization, not importable here ({error}); "
            "install it with `pip install tensorflow-model-optimization`, or use --compress ptq or none."
        ) from error
    return found


def tune(
    model: Any,
    teacher: Network,
    data: Split,
    recipe: Recipe,
    tuning: Tuning,
    before_step: Callable[[], None] | None = None,
) -> tuple[int, float]:
    """Train a Keras model (raw float32 images -> logits) in place, taught by the network it was made from.

    Args:
        model: its trainable variables are trained.
        teacher: the trained network.
        data: training split, uint8 images.
        recipe: of the candidate: augmentation and label smoothing.
        tuning: how much.
        before_step: called before each step.

    Returns:
        Steps, and the mean loss of the last tenth of them.

    Raises:
        ModelError: the loss is not finite any more.
    """
    import tensorflow as tf

    tf.random.set_seed(tuning.seed)
    with unoptimised():
        augment = Augment(recipe, tuning.seed)
        step = _step(tf, model, teacher, data, augment, tuning)
        total, batch = tuning.steps(len(data)), tuning.batch(len(data))
        order = _order(len(data), total * batch, tuning.seed).reshape(total, batch)
        losses = []
        for index, taken in enumerate(order):
            if before_step is not None:
                before_step()
            warm = min(1.0, (index + 1) / max(1.0, WARM_UP * total))
            rate = tuning.learning_rate * warm * 0.5 * (1 + np.cos(np.pi * index / total))
            shown = augment(data.inputs[taken])
            with working():
                losses.append(float(step(shown, data.labels[taken], np.float32(rate))))
            if not np.isfinite(losses[-1]):
                raise ModelError(
                    f"fine-tuning failed: loss became {losses[-1]} at step {index + 1} of {total}, "
                    f"where the learning rate was {rate:.3g}."
                )
    return total, float(np.mean(losses[-max(1, total // 10) :]))


def _step(tf: Any, model: Any, teacher: Network, data: Split, augment: Augment, tuning: Tuning) -> Any:
    aim = objective(tf, data.goal, teacher.graph.output_shape[2], augment.recipe.label_smoothing)
    classifies = data.goal.task == "classification"
    variables = model.trainable_variables
    trained = [(*optimiser("adam", tf, variable), _size(variable.numpy())) for variable in variables]

    def step(inputs: Any, truth: Any, rate: Any) -> Any:
        shown = tf.cast(inputs, tf.float32)
        taught = tf.stop_gradient(teacher(shown))
        with tf.GradientTape() as tape:
            logits = model(shown, training=True)
            loss, _ = aim(logits, truth, shown)
            near = tf.reduce_mean(tf.square(taught - logits))
            soft = divergence(tf, taught, logits, TEMPERATURE) if classifies else near
            loss = (1 - TEACHER_WEIGHT) * loss + TEACHER_WEIGHT * soft
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, LARGEST_NORM)
        for (apply, _, size), gradient in zip(trained, gradients, strict=True):
            apply(gradient, rate * size)
        return loss

    traced, batch = tf.function(step, autograph=False), tuning.batch(len(data))
    concrete = traced.get_concrete_function(
        tf.TensorSpec((batch, *data.inputs.shape[1:]), augment.gives(data.inputs.dtype)),
        tf.TensorSpec((batch,), data.labels.dtype),
        tf.TensorSpec((), tf.float32),
    )
    concrete.kept = trained  # a traced function does not keep its variables alive
    return concrete


def _size(values: NDArray[np.float32]) -> float:
    """Root mean square; that of small biases is taken as LEAST_SIZE."""
    return max(LEAST_SIZE, float(np.sqrt(np.mean(np.square(values)))))


def _order(samples: int, count: int, seed: int) -> NDArray[np.int64]:
    """Indices of `count` samples: one shuffled pass after the other."""
    rng = np.random.default_rng(seed)
    passes = [rng.permutation(samples) for _ in range(-(-count // samples))]
    return np.concatenate(passes)[:count].astype(np.int64)


def settled(graph: Graph, weights: Weights, data: Split, tuning: Tuning) -> Weights:
    """The same weights with BatchNorm statistics estimated over some batches of the training split."""
    import tensorflow as tf

    network = Network(graph, weights)
    batch = tuning.batch(len(data))

    def found(inputs: Any) -> Any:
        shown = tf.cast(inputs, tf.float32)
        return network.forward(network.parameters.read_value(), shown, training=True)[1]

    traced = tf.function(found, autograph=False)

    def mean(batches: NDArray[np.int64]) -> NDArray[np.float64]:
        found = [traced(data.inputs[indices]).numpy() for indices in batches]
        return np.asarray(np.mean(found, 0, np.float64))

    def take(count: int) -> NDArray[np.int64]:
        return _order(len(data), count * batch, tuning.seed).reshape(count, batch)

    with unoptimised():
        estimate_statistics(network, mean, take)
    return network.get()
