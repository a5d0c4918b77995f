"""Graph + weights -> output, in NumPy: for tests of weights, without a Keras model for each."""

from __future__ import annotations

import numpy as np

from edgeml.arch.layers import (
    Add,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePool,
    HardSwish,
    Input,
    Pool2D,
)
from edgeml.train.build import BATCH_NORM_EPSILON


def forward(graph, weights, images):
    """Logits (n, classes), float64; images are raw values 0..255 (n, h, w, c)."""
    values = []
    for node in graph.nodes:
        read = [values[source] for source in node.inputs]
        own = {name: weights[f"{node.name}:{name}"].astype(float) for name in node.weight_shapes}
        layer = node.layer
        if isinstance(layer, Input):
            value = images * layer.scale
        elif isinstance(layer, Conv2D | DepthwiseConv2D):
            value = _convolution(layer, own, read[0])
        elif isinstance(layer, Pool2D):
            value = _pool(layer, read[0])
        elif isinstance(layer, Add):
            value = read[0] + read[1]
        elif isinstance(layer, Concat):
            value = np.concatenate(read, -1)
        elif isinstance(layer, GlobalAveragePool):
            value = read[0].mean((1, 2))
        elif isinstance(layer, Dense):
            value = read[0] @ own["kernel"] + own["bias"]
        elif isinstance(layer, HardSwish):
            value = read[0] * np.clip(read[0] + 3, 0, 6) / 6
        else:
            value = read[0]
        values.append(value)
    return values[-1]


def _windows(layer_kernel, stride, tensor, fill):
    """(n, rows, columns, channels, k, k) with "same" padding."""
    pads = []
    for size in tensor.shape[1:3]:
        total = max(0, (-(-size // stride) - 1) * stride + layer_kernel - size)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(tensor, [(0, 0), *pads, (0, 0)], constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(padded, (layer_kernel, layer_kernel), (1, 2))
    return found[:, ::stride, ::stride]


def _convolution(layer, own, tensor):
    windows = _windows(layer.kernel, layer.stride, tensor, 0.0)
    if isinstance(layer, Conv2D):
        value = np.einsum("nyxcij,ijco->nyxo", windows, own["kernel"], optimize=True)
    else:
        value = np.einsum("nyxcij,ijc->nyxc", windows, own["kernel"][..., 0], optimize=True)
    scale = own["gamma"] / np.sqrt(own["variance"] + BATCH_NORM_EPSILON)
    value = (value - own["mean"]) * scale + own["beta"]
    if layer.activation is None:
        return value
    return np.clip(value, 0, 6 if layer.activation == "relu6" else None)


def _pool(layer, tensor):
    if layer.mode == "max":
        return _windows(layer.size, layer.stride, tensor, -np.inf).max((-1, -2))
    return np.nanmean(_windows(layer.size, layer.stride, tensor, np.nan), (-1, -2))
