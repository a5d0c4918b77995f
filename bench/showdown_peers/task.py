"""A task's arrays, and the pipeline that feeds them to Keras with the augmentation that suits them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLIPPED = ("fashion-mnist", "cifar10")
"""Tasks whose pictures mean the same in a mirror."""


@dataclass(frozen=True)
class Task:
    """Training and validation split; the test split is not here.

    Attributes:
        name: of the task.
        classes: number of them.
        x, y: training split, float32 (n, ...) and int64 (n,).
        x_validation, y_validation: the split that steers a search.
    """

    name: str
    classes: int
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.x.shape[1:]


def load(path: Path) -> Task:
    """TASK.npz -> Task."""
    with np.load(path) as read:
        return Task(
            str(read["name"]), int(read["classes"]),
            read["x_train"].astype(np.float32), read["y_train"].astype(np.int64),
            read["x_validation"].astype(np.float32), read["y_validation"].astype(np.int64),
        )  # fmt: skip


# user code begins
def batch_size(task: Task) -> int:
    """Task -> 128 for tens of thousands of samples, 64 for fewer."""
    return 128 if len(task.y) > 20_000 else 64


def batches(task: Task, seed: int) -> Any:
    """Task -> endless tf.data of shuffled, augmented batches (x, y)."""
    import tensorflow as tf

    x, y = tf.constant(task.x), tf.constant(task.y)
    order = tf.data.Dataset.range(len(task.y)).shuffle(len(task.y), seed=seed).repeat()
    changed, size = augmentation(task), batch_size(task)
    return order.batch(size, drop_remainder=True).map(lambda i: (changed(tf.gather(x, i)), tf.gather(y, i)))


def augmentation(task: Task) -> Any:
    """Task -> the function that changes a batch: pictures move by a tenth and are mirrored where safe.

    Digits stay as they are (8 pixels wide); spectrograms move in time; sensor windows change their amplitude.
    """
    import tensorflow as tf

    side = task.shape[0]
    reach = round(side * 0.1)
    mirrored = task.name in FLIPPED
    window = len(task.shape) == 2 or task.shape[1] == 1
    picture = not window and side >= 16
    sound = task.name == "fsdd"

    def moved(x: Any, axis: int) -> Any:
        steps = tf.random.uniform((tf.shape(x)[0], 1), -reach, reach + 1, tf.int32)
        places = tf.clip_by_value(tf.range(x.shape[axis])[None] + steps, 0, x.shape[axis] - 1)
        return tf.gather(x, places, axis=axis, batch_dims=1)

    def changed(x: Any) -> Any:
        if window:
            gain = tf.random.uniform((tf.shape(x)[0], *[1] * len(task.shape)), 0.9, 1.1)
            return 0.5 + (x - 0.5) * gain + tf.random.normal(tf.shape(x), stddev=0.005)
        if picture:
            x = moved(x, 1)
        if picture and not sound:
            x = moved(x, 2)
        return tf.image.random_flip_left_right(x) if mirrored else x

    return changed


# user code ends
