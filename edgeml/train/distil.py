"""A trained network -> what others learn from: its logits on the training split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
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
