"""Trained weights -> deployed weights: BatchNorm and the input scale folded into kernels and biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Dense, DepthwiseConv2D
from edgeml.train.build import BATCH_NORM_EPSILON, Weights


@dataclass(frozen=True)
class Folded:
    """Kernel (k, k, in, out), depthwise (k, k, channels, 1) or dense (in, out), and bias (out,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


def fold(graph: Graph, weights: Weights) -> dict[str, Folded]:
    """Weights by "place:name" -> Folded by place, equal to the network in inference mode.

    The folded network takes raw values 0..255: the input's scale is multiplied into the first kernels,
    which is exact because zero padding stays zero.
    """
    folded: dict[str, Folded] = {}
    for node in graph.nodes:
        if not node.weight_shapes:
            continue
        own = {name: weights[f"{node.name}:{name}"].astype(np.float64) for name in node.weight_shapes}
        kernel = own["kernel"] * graph.input_scale(node)
        if isinstance(node.layer, Dense):
            bias = own["bias"]
        else:
            factor = own["gamma"] / np.sqrt(own["variance"] + BATCH_NORM_EPSILON)
            kernel = kernel * (factor[:, None] if isinstance(node.layer, DepthwiseConv2D) else factor)
            bias = own["beta"] - own["mean"] * factor
        folded[node.name] = Folded(kernel.astype(np.float32), bias.astype(np.float32))
    return folded
