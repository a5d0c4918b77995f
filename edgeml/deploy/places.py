"""Places of a graph -> tensors of its float32 TFLite file, found by what flows into each operator.

The converter names tensors as it likes and orders operators as it likes. But there is one operator a layer,
so following the data from the input finds each; layers that read the same are told apart by their biases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeml.arch.graph import Graph, Node
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
    Layer,
    Pool2D,
    Softmax,
)
from edgeml.deploy.fold import Folded
from edgeml.deploy.tflite import Operator, TfliteModel

OPERATORS: dict[type[Layer], tuple[str, ...]] = {
    Conv2D: ("CONV_2D",),
    DepthwiseConv2D: ("DEPTHWISE_CONV_2D", "CONV_2D"),
    Add: ("ADD",),
    Concat: ("CONCATENATION",),
    GlobalAveragePool: ("MEAN",),
    Flatten: (),
    Dense: ("FULLY_CONNECTED",),
    Softmax: ("SOFTMAX",),
    HardSwish: ("HARD_SWISH",),
}


def operators(graph: Graph, folded: dict[str, Folded], model: TfliteModel) -> dict[str, Operator]:
    """Places -> operators of a float32 or int8 file of the same network; what is not found is left out.

    QUANTIZE, DEQUANTIZE and RESHAPE operators are looked through.
    """
    tensors: dict[str, int] = {}
    found: dict[str, Operator] = {}
    origin = _looked_through(model)
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            tensors[node.name] = model.inputs[0]
            continue
        inputs = [tensors.get(graph.nodes[source].name, -1) for source in node.inputs]
        fitting = [
            operator
            for operator in model.operators
            if operator.name in _names(node.layer)
            and _fits(model, node, operator)
            and sorted(
                origin.get(i, i) for i in operator.inputs if i >= 0 and not model.tensors[i].is_constant
            )
            == sorted(inputs)
        ]
        if isinstance(node.layer, Flatten):
            tensors[node.name] = inputs[0]
        elif fitting:
            own = _closest(model, fitting, folded.get(node.name))
            found[node.name], tensors[node.name] = own, own.outputs[0]
    return found


def places(graph: Graph, folded: dict[str, Folded], model: TfliteModel) -> dict[str, tuple[int, ...]]:
    """Places -> indices of the tensors that hold their outputs in a float32 file."""
    return {name: operator.outputs[:1] for name, operator in operators(graph, folded, model).items()}


def _names(layer: Layer) -> tuple[str, ...]:
    if isinstance(layer, Pool2D):  # one tensor may be pooled both ways
        return ("AVERAGE_POOL_2D",) if layer.mode == "avg" else ("MAX_POOL_2D",)
    return OPERATORS[type(layer)]


def _looked_through(model: TfliteModel) -> dict[int, int]:
    """A requantised or reshaped tensor -> the tensor it was made from."""
    same = ("QUANTIZE", "DEQUANTIZE", "RESHAPE")
    made = {o.outputs[0]: o.inputs[0] for o in model.operators if o.name in same}
    for tensor in list(made):
        while made[tensor] in made:
            made[tensor] = made[made[tensor]]
    return made


def _fits(model: TfliteModel, node: Node, operator: Operator) -> bool:
    shape: tuple[int, ...] = tuple(size for size in node.shape if size != 1)
    return tuple(size for size in model.tensors[operator.outputs[0]].shape if size != 1) == shape


def _closest(model: TfliteModel, fitting: list[Operator], weights: Folded | None) -> Operator:
    if weights is None or len(fitting) == 1:
        return fitting[0]
    return min(fitting, key=lambda operator: _distance(model, operator, weights))


def _distance(model: TfliteModel, operator: Operator, weights: Folded) -> float:
    """How far the file's bias is from ours, int8 files' in steps of their scale."""
    bias: Any = model.tensors[operator.inputs[2]]
    if bias.data is None:
        return float("inf")
    if bias.dtype == "FLOAT32":
        values = np.frombuffer(bias.data, np.float32).astype(np.float64)
    else:
        scales = np.array(bias.quantization.scales)
        values = np.frombuffer(bias.data, np.int32) * scales
    return float(np.abs(values - weights.bias).max()) if values.shape == weights.bias.shape else float("inf")
