"""Cross-layer equalisation (Nagel et al. 2019): channels of one tensor are brought to scales near each other.

int8 has one scale for all channels of an activation; a channel far smaller than the largest is rounded away,
and quantisation-aware training cannot find back to what has become zero. Between a linear convolution and the
convolutions that read it, each channel may be scaled freely: the reader's kernel takes the inverse.
"""

from __future__ import annotations

import numpy as np

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import Conv2D, DepthwiseConv2D
from edgeml.deploy.fold import fold
from edgeml.train.build import Weights

LARGEST = 1e4
"""Factor that a channel is scaled by at most; channels that are zero stay as they are."""


def equalised(graph: Graph, weights: Weights) -> Weights:
    """Weights by "place:name" -> those of the same function with its channels at more even scales."""
    found = dict(weights)
    for index, node in enumerate(graph.nodes):
        readers = [other for other in graph.nodes if index in other.inputs]
        if not readers or not _linear(node) or not all(_convolves(reader) for reader in readers):
            continue
        folded = fold(graph, found)
        kernel = folded[node.name].kernel
        own = np.abs(kernel).max((0, 1, 3) if isinstance(node.layer, DepthwiseConv2D) else (0, 1, 2))
        read = np.max([np.abs(folded[reader.name].kernel).max((0, 1, 3)) for reader in readers], 0)
        usable = (own > 0) & (read > 0)
        ratio = np.where(usable, read, 1.0) / np.where(usable, own, 1.0)
        factor = np.clip(np.sqrt(ratio), 1 / LARGEST, LARGEST).astype(np.float32)
        for name in ("gamma", "beta"):
            found[f"{node.name}:{name}"] = found[f"{node.name}:{name}"] * factor
        for reader in readers:
            found[f"{reader.name}:kernel"] = found[f"{reader.name}:kernel"] / factor[:, None]
    return found


def _convolves(node: Node) -> bool:
    return isinstance(node.layer, Conv2D | DepthwiseConv2D)


def _linear(node: Node) -> bool:
    """Whether a channel's scale passes through: no activation, or ReLU."""
    layer = node.layer
    return isinstance(layer, Conv2D | DepthwiseConv2D) and layer.activation in (None, "relu")
