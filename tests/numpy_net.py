"""Graph + weights -> output, in NumPy: for tests of weights, without a Keras model for each."""

from __future__ import annotations

import numpy as np

from edgeml.arch.layers import (
    Add,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    HardSwish,
    Input,
    Pool2D,
)
from edgeml.train.build import BATCH_NORM_EPSILON


def trained_like(graph, seed, images):
    """Random weights whose BatchNorm statistics are near those of `images`, as training leaves them."""
    rng, weights = np.random.default_rng(seed), {}
    for node in graph.nodes:
        for name, shape in node.weight_shapes.items():
            if name == "kernel":
                depthwise = isinstance(node.layer, DepthwiseConv2D)
                fan_in = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
                value = rng.normal(0, (2 / fan_in) ** 0.5, shape)
            elif name == "gamma":
                value = rng.uniform(0.5, 1.5, shape)
            else:
                value = rng.normal(0, 0.3, shape)
            weights[f"{node.name}:{name}"] = value.astype(np.float32)
    forward(graph, weights, images, rng)
    return weights


def forward(graph, weights, images, settle=None):
    """Logits (n, classes), float64; images are raw values 0..255 (n, h, w, c).

    With random numbers as `settle`, BatchNorm's mean and variance are first written into `weights`.
    """
    values = []
    for node in graph.nodes:
        read = [values[source] for source in node.inputs]
        own = {name: weights[f"{node.name}:{name}"].astype(float) for name in node.weight_shapes}
        layer = node.layer
        if isinstance(layer, Input):
            value = images * layer.scale
        elif isinstance(layer, Conv2D | DepthwiseConv2D):
            value = _convolve(layer, own["kernel"], read[0])
            if settle is not None:
                spread = np.sqrt(value.var((0, 1, 2)) + 1e-2)
                own["mean"] = value.mean((0, 1, 2)) + settle.normal(0, 0.2, spread.shape) * spread
                own["variance"] = spread**2 * settle.uniform(0.7, 1.4, spread.shape)
                weights.update({f"{node.name}:{n}": own[n].astype(np.float32) for n in ("mean", "variance")})
            value = _normalise(layer, own, value)
        elif isinstance(layer, Pool2D):
            value = _pool(layer, read[0])
        elif isinstance(layer, Add):
            value = read[0] + read[1]
        elif isinstance(layer, Concat):
            value = np.concatenate(read, -1)
        elif isinstance(layer, GlobalAveragePool):
            value = read[0].mean((1, 2))
        elif isinstance(layer, Flatten):
            value = read[0].reshape(len(read[0]), 1, 1, -1)
        elif isinstance(layer, Dense):
            value = read[0].reshape(len(read[0]), -1) @ own["kernel"] + own["bias"]
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


def _convolve(layer, kernel, tensor):
    windows = _windows(layer.kernel, layer.stride, tensor, 0.0)
    if isinstance(layer, Conv2D):
        return np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True)
    return np.einsum("nyxcij,ijc->nyxc", windows, kernel[..., 0], optimize=True)


def _normalise(layer, own, value):
    scale = own["gamma"] / np.sqrt(own["variance"] + BATCH_NORM_EPSILON)
    value = (value - own["mean"]) * scale + own["beta"]
    if layer.activation is None:
        return value
    return np.clip(value, 0, 6 if layer.activation == "relu6" else None)


def _pool(layer, tensor):
    if layer.mode == "max":
        return _windows(layer.size, layer.stride, tensor, -np.inf).max((-1, -2))
    return np.nanmean(_windows(layer.size, layer.stride, tensor, np.nan), (-1, -2))
