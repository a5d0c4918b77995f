"""Folded network -> ONNX (float32), checked with onnx.checker.

The model takes what the TFLite file takes: raw values 0..255, shape (batch, height, width, channels), as
float32; a Transpose to ONNX's channel-first order is its first node.
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
from edgeml.deploy.foreign import first_line
from edgeml.errors import ModelError

OPSET = 17


class _Writer:
    """Collects ONNX nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Append a constant; returns its name."""
        from onnx import numpy_helper

        kept = (
            np.int64 if getattr(value, "dtype", None) == np.int64 else np.float32
        )  # shapes are whole numbers
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kept), name))
        return name


def to_onnx(graph: Graph, folded: dict[str, Folded], description: str = "") -> bytes:
    """Folded network -> serialised ONNX model, opset 17, dynamic batch.

    Raises:
        ModelError: onnx.checker refuses what was written (a defect of ours; the message says what).
    """
    import onnx
    from onnx import TensorProto, helper

    write = _Writer()
    names: list[str] = []
    for node in graph.nodes:
        inputs = [names[source] for source in node.inputs]
        names.append(_LAYERS[type(node.layer)](write, graph, node, folded.get(node.name), inputs))
    height, width, channels = graph.input_shape
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", height, width, channels])
    out = helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, ["batch", graph.output_shape[2]])
    body = helper.make_graph(write.nodes, "edgeml", [image], [out], write.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(body, opset_imports=opsets, producer_name="edgeml", ir_version=8)
    model.doc_string = description
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the ONNX file is not valid: {first_line(error)}") from error
    return bytes(model.SerializeToString())


def _pads(graph: Graph, node: Node) -> list[int]:
    """TensorFlow's "same" padding: top, left, bottom, right; odd pixels go below and right."""
    stride = node.layer.stride  # type: ignore[attr-defined]
    before, after = [], []
    for axis in (0, 1):
        have = graph.nodes[node.inputs[0]].shape[axis]
        total = max(0, (node.shape[axis] - 1) * stride + graph.window(node)[axis] - have)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _input(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    return write.node("Transpose", ["image"], "input", perm=[0, 3, 1, 2])


def _conv(write: _Writer, graph: Graph, node: Node, weights: Folded, inputs: list[str]) -> str:
    layer = node.layer
    assert isinstance(layer, Conv2D | DepthwiseConv2D)
    depthwise = isinstance(layer, DepthwiseConv2D)
    kernel = weights.kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    kernel_name = write.constant(f"{node.name}:kernel", kernel)
    bias_name = write.constant(f"{node.name}:bias", weights.bias)
    linear = write.node(
        "Conv",
        [inputs[0], kernel_name, bias_name],
        f"{node.name}:linear" if layer.activation else node.name,
        kernel_shape=list(graph.window(node)),
        strides=[layer.stride, layer.stride],
        pads=_pads(graph, node),
        group=node.shape[2] if depthwise else 1,
    )
    if layer.activation is None:
        return linear
    if layer.activation == "relu":
        return write.node("Relu", [linear], node.name)
    low, high = write.constant(f"{node.name}:low", 0.0), write.constant(f"{node.name}:high", 6.0)
    return write.node("Clip", [linear, low, high], node.name)


def _pool(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    layer = node.layer
    assert isinstance(layer, Pool2D)
    attributes: dict[str, Any] = {
        "kernel_shape": list(graph.window(node)),
        "strides": [layer.stride, layer.stride],
        "pads": _pads(graph, node),
    }
    if layer.mode == "max":
        return write.node("MaxPool", inputs, node.name, **attributes)
    return write.node("AveragePool", inputs, node.name, count_include_pad=0, **attributes)


def _add(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    return write.node("Add", inputs, node.name)


def _concat(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    return write.node("Concat", inputs, node.name, axis=1)


def _global_pool(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    pooled = write.node("GlobalAveragePool", inputs, f"{node.name}:mean")
    return write.node("Flatten", [pooled], node.name, axis=1)


def _flatten(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    """Row by row, as TensorFlow's tensors lie, in one place."""
    last = write.node("Transpose", inputs, f"{node.name}:last", perm=[0, 2, 3, 1])
    shape = write.constant(f"{node.name}:shape", np.array([-1, node.shape[2], 1, 1], np.int64))
    return write.node("Reshape", [last, shape], node.name)


def _dense(write: _Writer, graph: Graph, node: Node, weights: Folded, inputs: list[str]) -> str:
    if not isinstance(graph.nodes[node.inputs[0]].layer, GlobalAveragePool):  # one place, (n, channels, 1, 1)
        inputs = [write.node("Flatten", inputs, f"{node.name}:row", axis=1)]
    kernel = write.constant(f"{node.name}:kernel", weights.kernel)
    return write.node(
        "Gemm", [inputs[0], kernel, write.constant(f"{node.name}:bias", weights.bias)], node.name
    )


def _softmax(write: _Writer, graph: Graph, node: Node, weights: None, inputs: list[str]) -> str:
    return write.node("Softmax", inputs, "probabilities", axis=-1)


_LAYERS: dict[type[Layer], Any] = {
    Input: _input,
    Conv2D: _conv,
    DepthwiseConv2D: _conv,
    Pool2D: _pool,
    Add: _add,
    Concat: _concat,
    GlobalAveragePool: _global_pool,
    Flatten: _flatten,
    Dense: _dense,
    Softmax: _softmax,
    HardSwish: lambda write, graph, node, weights, inputs: write.node("HardSwish", inputs, node.name),
}
