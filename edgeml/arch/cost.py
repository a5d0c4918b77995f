"""Graph -> what the network costs, without building or training it.

All figures are for the int8 network as deployed: BatchNorm folded into a bias, one byte an activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import Conv2D, Dense, DepthwiseConv2D

# Bytes of a .tflite file beyond its weights, fitted on 40 converted networks of the built-in spaces
# (bench/file_size.py, TensorFlow 2.21; largest error 0.5 %): header and metadata, an operator with its
# output tensor, the tensors of a kernel and a bias, and the scales and zero points of a channel of both
# (dense layers have one of each).
FILE_BYTES = 1084
FILE_BYTES_PER_NODE = 171
FILE_BYTES_PER_KERNEL = 255
FILE_BYTES_PER_CHANNEL = 24


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        macs: multiply-accumulates for one input.
        params: deployed parameters (kernels and biases; BatchNorm folded).
        weight_bytes: int8 kernels and int32 biases.
        ram_bytes: largest sum of live int8 activations in execution order (inputs, outputs, residuals).
        size_bytes: expected size of the .tflite file.
    """

    macs: int
    params: int
    weight_bytes: int
    ram_bytes: int
    size_bytes: int


def _channels(node: Node) -> int:
    """Output channels that carry a bias and, for convolutions, a scale of their own."""
    return node.shape[2] if isinstance(node.layer, Conv2D | DepthwiseConv2D | Dense) else 0


def cost(graph: Graph) -> Cost:
    """Graph -> Cost."""
    kernels = sum(prod(node.weight_shapes["kernel"]) for node in graph.nodes if node.weight_shapes)
    biases = sum(_channels(node) for node in graph.nodes)
    weight_bytes = kernels + 4 * biases
    with_weights = sum(1 for node in graph.nodes if node.weight_shapes)
    overhead = FILE_BYTES + FILE_BYTES_PER_NODE * len(graph.nodes) + FILE_BYTES_PER_KERNEL * with_weights
    overhead += FILE_BYTES_PER_CHANNEL * sum(
        _channels(node) for node in graph.nodes if not isinstance(node.layer, Dense)
    )
    return Cost(
        macs=sum(node.macs for node in graph.nodes),
        params=kernels + biases,
        weight_bytes=weight_bytes,
        ram_bytes=peak_activation_bytes(graph),
        size_bytes=weight_bytes + overhead,
    )


def peak_activation_bytes(graph: Graph) -> int:
    """Largest sum of live int8 tensors over the execution order, in bytes.

    A tensor lives from the node that writes it to the last node that reads it; while a node runs, its
    inputs and its output are live together.
    """
    last_use = list(range(len(graph.nodes)))
    for index, node in enumerate(graph.nodes):
        for source in node.inputs:
            last_use[source] = index
    peak = live = 0
    for index, node in enumerate(graph.nodes):
        live += prod(node.shape)
        peak = max(peak, live)
        live -= sum(prod(graph.nodes[s].shape) for s in set(node.inputs) if last_use[s] == index)
        if last_use[index] == index:
            live -= prod(node.shape)
    return peak
