"""Clustered kernels in an int8 file: a scale for each channel under which clusters are clusters.

A kernel of k different values gets BatchNorm's factor of each channel folded in, and the converter then
scales each channel by its own largest weight: the file would hold up to k values a channel, and no two
channels the same ones. A channel's scale may be wider, though: proportional to its factor, every channel
holds the same k integers, which is what makes the file compress.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Conv2D
from edgeml.deploy.fold import Folded
from edgeml.deploy.places import operators
from edgeml.deploy.tflite import read_model
from edgeml.train.build import Weights

LEAST = 1e-6
"""Channels whose factor is less than this share of the largest keep the converter's scale."""


def widened(model: bytes, graph: Graph, weights: Weights, folded: dict[str, Folded]) -> bytes:
    """int8 TFLite of a network -> the same with the same integers for the same weights of a kernel.

    Args:
        model: full-int8 file of `folded`.
        graph: the network.
        weights: before folding; what is equal here is equal in the file.
        folded: the same, folded.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    outline = read_model(model)
    parsed = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    found = operators(graph, folded, outline)
    for node in graph.nodes:
        if isinstance(node.layer, Conv2D) and node.name in found:
            _widen(parsed, found[node.name].inputs, weights[f"{node.name}:kernel"], folded[node.name])
    return bytes(flatbuffer_utils.convert_object_to_bytearray(parsed))


def _widen(parsed: Any, inputs: tuple[int, ...], kernel: Any, folded: Folded) -> None:
    """Rewrite kernel, scales and bias of one convolution."""
    tensors = parsed.subgraphs[0].tensors
    source, weight, bias = (tensors[index] for index in inputs[:3])
    old = np.asarray(weight.quantization.scale, np.float64)
    largest = float(np.abs(kernel).max())
    if not largest or len(old) != kernel.shape[-1]:
        return
    whole, part = folded.kernel.astype(np.float64), kernel.astype(np.float64)
    factor = np.abs(whole).sum((0, 1, 2)) / np.maximum(np.abs(part).sum((0, 1, 2)), 1e-30)
    wide = largest * factor / 127
    # Narrower than the converter's it would cut weights off; rounding may make it so by a hair.
    scale = np.where(factor > LEAST * factor.max(), np.maximum(wide, old), old).astype(np.float32)
    stored = np.clip(np.round(whole / scale), -127, 127).astype(np.int8)
    shift = np.round(folded.bias / (float(source.quantization.scale[0]) * scale.astype(np.float64)))
    weight.quantization.scale = scale
    bias.quantization.scale = (source.quantization.scale[0] * scale).astype(np.float32)
    parsed.buffers[weight.buffer].data = np.frombuffer(stored.transpose(3, 0, 1, 2).tobytes(), np.uint8)
    parsed.buffers[bias.buffer].data = np.frombuffer(shift.astype(np.int32).tobytes(), np.uint8)
