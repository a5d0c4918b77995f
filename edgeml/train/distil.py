"""A trained network -> what others learn from: its logits on the training split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
from edgeml.durable import whole
from edgeml.errors import RunError, StorageError
from edgeml.train.build import Network

BATCH = 256


def logits(network: Network, data: Split) -> NDArray[np.float32]:
    """Trained network, split -> logits (samples, classes), in the order of the split, not augmented."""
    import tensorflow as tf

    infer = tf.function(lambda images: network(tf.cast(images, tf.float32)), autograph=False)
    found = np.empty((len(data), network.graph.output_shape[2]), np.float32)
    images = np.zeros((BATCH, *data.inputs.shape[1:]), data.inputs.dtype)
    for start in range(0, len(data), BATCH):
        chunk = data.inputs[start : start + BATCH]
        images[: len(chunk)] = chunk
        found[start : start + len(chunk)] = infer(tf.constant(images)).numpy()[: len(chunk)]
    return found


def save_logits(path: Path, found: NDArray[np.float32]) -> None:
    """Write a teacher's logits as .npy, whole or not at all.

    Raises:
        StorageError: the disk is full or the folder read-only.
    """
    try:
        with whole(path) as temporary, temporary.open("wb") as file:
            np.save(file, found.astype(np.float32), allow_pickle=False)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}; free some space, then --resume.") from error


def load_logits(path: Path) -> NDArray[np.float32]:
    """Read logits written by `save_logits`.

    Raises:
        RunError: missing, or no such file.
    """
    try:
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise RunError(
            f"{path}: no teacher's logits ({error}); delete it, the search makes them anew."
        ) from error
    return found
