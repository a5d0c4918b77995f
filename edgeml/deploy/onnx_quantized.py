"""Int8 .tflite file -> the same network in ONNX, every operator between DequantizeLinear and QuantizeLinear.

This QDQ form is what onnxruntime fuses into its int8 kernels. Weights, scales and zero points are those of
the file; input and output keep their types and shapes, a Transpose leads to ONNX's channels-first order.
Rounding is onnxruntime's own, so outputs differ by some quantisation steps (tests/test_ort_host.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.tflite import Operator, Tensor, TfliteModel
from edgeml.errors import ModelError

OPSET = 17
_TYPES: dict[str, Any] = {"INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32}
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class _Writer:
    """Collects nodes and constants; computed tensors are known by their index in the file."""

    def __init__(self, model: TfliteModel) -> None:
        self.model = model
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.names: dict[int, str] = {}

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Append a constant; returns its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def _steps(self, tensor: Tensor, name: str, wide: bool = False) -> list[str]:
        """Constants of scale and zero point."""
        quantization = tensor.quantization
        if quantization is None or tensor.dtype not in _TYPES:
            raise ModelError(
                f"tensor {tensor.name!r} is {tensor.dtype} "
                f"{'without' if quantization is None else 'with'} a scale; expected a full int8 model."
            )
        scales = np.array(quantization.scales, np.float32)
        zeros = np.array(quantization.zero_points or (0,) * len(scales), _TYPES[tensor.dtype])
        if not wide:
            scales, zeros = scales.reshape(-1)[0], zeros.reshape(-1)[0]
        return [self.constant(f"{name}:scale", scales), self.constant(f"{name}:zero", zeros)]

    def real(self, index: int) -> str:
        """A computed tensor as real numbers; dequantised for each reader, as fusion wants it."""
        name = f"{self.stored(index)}:real{len(self.nodes)}"
        steps = self._steps(self.model.tensors[index], name)
        return self.node("DequantizeLinear", [self.stored(index), *steps], name)

    def stored(self, index: int) -> str:
        """A computed tensor as it lies in the file."""
        if index not in self.names:
            name = self.model.tensors[index].name
            raise ModelError(f"tensor {name!r} is a constant or never written; expected a computed one.")
        return self.names[index]

    def weights(self, index: int, arrange: Callable[[NDArray[Any]], NDArray[Any]]) -> str:
        """A constant as real numbers, rearranged so that its channels are first."""
        tensor = self.model.tensors[index]
        value = _value(tensor)
        wide = tensor.quantization is not None and len(tensor.quantization.scales) > 1
        name = self.constant(f"constant{index}_{len(self.nodes)}", arrange(value))
        steps = self._steps(tensor, name, wide)
        axis = {"axis": 0} if wide else {}
        return self.node("DequantizeLinear", [name, *steps], f"{name}:real", **axis)

    def quantised(self, real: str, index: int) -> None:
        """Real numbers become the computed tensor."""
        name = f"tensor{index}"
        steps = self._steps(self.model.tensors[index], name)
        self.names[index] = self.node("QuantizeLinear", [real, *steps], name)

    def activated(self, real: str, operator: Operator) -> None:
        """A fused activation, where quantising does not already clip as it does, and the output."""
        index = operator.outputs[0]
        kind, (lowest, highest) = operator.activation, _range(self.model.tensors[index])
        if kind not in ("NONE", "RELU", "RELU6"):
            raise ModelError(
                f"{operator.label} has the fused activation {kind}; expected NONE, RELU or RELU6."
            )
        if kind == "RELU" and lowest < 0:
            real = self.node("Relu", [real], f"tensor{index}:relu")
        if kind == "RELU6" and (lowest < 0 or highest > 6):
            limits = [self.constant(f"tensor{index}:{end}", np.float32(end)) for end in (0, 6)]
            real = self.node("Clip", [real, *limits], f"tensor{index}:clip")
        self.quantised(real, index)


def to_quantized_onnx(model: TfliteModel) -> bytes:
    """Int8 model as read -> serialised ONNX model, opset 17.

    Raises:
        ModelError: an operator that is not translated, a float tensor, or several inputs or outputs.
    """
    import onnx
    from onnx import helper

    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "onnxruntime is timed on models with one of each."
        )
    write = _Writer(model)
    (given,), (taken,) = model.inputs, model.outputs
    write.names[given] = "image"
    if len(model.tensors[given].shape) == 4:
        write.names[given] = write.node("Transpose", ["image"], "image:channels_first", perm=_TO_NCHW)
    for operator in model.operators:
        if operator.name not in _OPERATORS:
            raise ModelError(
                f"{operator.label} is not translated to ONNX; known are {', '.join(sorted(_OPERATORS))}."
            )
        _OPERATORS[operator.name](write, operator)
    perm = {"perm": _TO_NHWC} if len(model.tensors[taken].shape) == 4 else {}
    last = write.node("Transpose" if perm else "Identity", [write.stored(taken)], "output", **perm)
    ends = [
        helper.make_tensor_value_info(name, _element(model.tensors[index]), model.tensors[index].shape)
        for name, index in (("image", given), (last, taken))
    ]
    body = helper.make_graph(write.nodes, "edgeml", ends[:1], ends[1:], write.constants)
    made = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="edgeml", ir_version=8
    )
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _element(tensor: Tensor) -> int:
    from onnx import helper

    if tensor.dtype not in _TYPES:
        raise ModelError(f"tensor {tensor.name!r} is {tensor.dtype}; expected a full int8 model.")
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(_TYPES[tensor.dtype])))


def _value(tensor: Tensor) -> NDArray[Any]:
    if tensor.data is None or tensor.dtype not in _TYPES:
        raise ModelError(f"tensor {tensor.name!r} is no int8 or int32 constant; expected a full int8 model.")
    return np.frombuffer(tensor.data, _TYPES[tensor.dtype]).reshape(tensor.shape)


def _range(tensor: Tensor) -> tuple[float, float]:
    """Real numbers that a quantised tensor can hold."""
    assert tensor.quantization is not None  # `quantised` has said so otherwise
    limits, scale = np.iinfo(_TYPES[tensor.dtype]), tensor.quantization.scales[0]
    zero = (tensor.quantization.zero_points or (0,))[0]
    return (int(limits.min) - zero) * scale, (int(limits.max) - zero) * scale


def _window(write: _Writer, operator: Operator, kernel: tuple[int, int]) -> dict[str, list[int]]:
    """Kernel, strides, dilations and TensorFlow's padding: odd pixels go below and right."""
    have = write.model.tensors[operator.inputs[0]].shape[1:3]
    made = write.model.tensors[operator.outputs[0]].shape[1:3]
    before, after = [], []
    strides = [operator.integer("stride_h", 1), operator.integer("stride_w", 1)]
    dilations = [operator.integer("dilation_h", 1), operator.integer("dilation_w", 1)]
    for size, out, step, wide, spread in zip(have, made, strides, kernel, dilations, strict=True):
        same = operator.options.get("padding") == "SAME"
        total = max(0, (out - 1) * step + (wide - 1) * spread + 1 - size) if same else 0
        before.append(total // 2)
        after.append(total - total // 2)
    return {"kernel_shape": list(kernel), "strides": strides, "pads": before + after} | (
        {"dilations": dilations} if max(dilations) > 1 else {}
    )


def _conv(write: _Writer, operator: Operator) -> None:
    source, weights, *biases = operator.inputs
    shape = write.model.tensors[weights].shape
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
    inputs = [
        write.real(source),
        write.weights(weights, lambda value: value.transpose(order)),
        *(write.weights(bias, lambda value: value) for bias in biases if bias >= 0),
    ]
    group = write.model.tensors[source].shape[3] if depthwise else 1
    window = _window(write, operator, (shape[1], shape[2]))
    write.activated(write.node("Conv", inputs, f"conv{operator.outputs[0]}", group=group, **window), operator)


def _pool(write: _Writer, operator: Operator) -> None:
    window = _window(write, operator, (operator.integer("filter_h", 1), operator.integer("filter_w", 1)))
    kind, more = (
        ("MaxPool", {}) if operator.name == "MAX_POOL_2D" else ("AveragePool", {"count_include_pad": 0})
    )
    real = write.node(kind, [write.real(operator.inputs[0])], f"pool{operator.outputs[0]}", **window, **more)
    write.activated(real, operator)


def _add(write: _Writer, operator: Operator) -> None:
    inputs = [write.real(index) for index in operator.inputs]
    write.activated(write.node("Add", inputs, f"add{operator.outputs[0]}"), operator)


def _concat(write: _Writer, operator: Operator) -> None:
    rank = len(write.model.tensors[operator.outputs[0]].shape)
    axis = operator.integer("axis") % rank
    axis = _TO_NCHW.index(axis) if rank == 4 else axis
    inputs = [write.real(index) for index in operator.inputs]
    write.activated(write.node("Concat", inputs, f"concat{operator.outputs[0]}", axis=axis), operator)


def _mean(write: _Writer, operator: Operator) -> None:
    axes = write.model.tensors[operator.inputs[1]].integers()
    rank = len(write.model.tensors[operator.inputs[0]].shape)
    if rank != 4 or axes is None or sorted(axis % 4 for axis in axes) != [1, 2]:
        raise ModelError(f"MEAN over axes {axes} is not translated to ONNX; expected height and width.")
    output = operator.outputs[0]
    real = write.node("GlobalAveragePool", [write.real(operator.inputs[0])], f"mean{output}")
    if len(write.model.tensors[output].shape) == 2:
        real = write.node("Flatten", [real], f"mean{output}:flat", axis=1)
    write.quantised(real, output)


def _dense(write: _Writer, operator: Operator) -> None:
    """Along the last axis, whatever comes before it: Gemm takes matrices only."""
    (source, *constants), output = operator.inputs, operator.outputs[0]
    have, made = write.model.tensors[source].shape, write.model.tensors[output].shape
    name = write.real(source)
    if len(have) == 4:
        name = write.node("Transpose", [name], f"dense{output}:last", perm=_TO_NHWC)
    if len(have) != 2:
        kernel = write.model.tensors[constants[0]].shape
        shape = write.constant(f"dense{output}:rows", np.array([-1, kernel[1]], np.int64))
        name = write.node("Reshape", [name, shape], f"dense{output}:matrix")
    inputs = [name, *(write.weights(index, lambda value: value) for index in constants if index >= 0)]
    real = write.node("Gemm", inputs, f"dense{output}", transB=1)
    if len(made) != 2:
        shape = write.constant(f"dense{output}:shape", np.array(made, np.int64))
        real = write.node("Reshape", [real, shape], f"dense{output}:made")
    if len(made) == 4:
        real = write.node("Transpose", [real], f"dense{output}:first", perm=_TO_NCHW)
    write.activated(real, operator)


def _reshape(write: _Writer, operator: Operator) -> None:
    source, output = operator.inputs[0], operator.outputs[0]
    have, made = write.model.tensors[source].shape, write.model.tensors[output].shape
    name = write.stored(source)
    if len(have) == 4:
        name = write.node("Transpose", [name], f"reshape{output}:last", perm=_TO_NHWC)
    shape = write.constant(f"reshape{output}:shape", np.array(made, np.int64))
    name = write.node("Reshape", [name, shape], f"reshape{output}")
    if len(made) == 4:
        name = write.node("Transpose", [name], f"reshape{output}:first", perm=_TO_NCHW)
    write.names[output] = name


def _same(kind: str, **attributes: Any) -> Callable[[_Writer, Operator], None]:
    """An operator with one input and one output that ONNX has too."""

    def translate(write: _Writer, operator: Operator) -> None:
        real = write.real(operator.inputs[0])
        write.quantised(
            write.node(kind, [real], f"{kind}{operator.outputs[0]}", **attributes), operator.outputs[0]
        )

    return translate


def _quantize(write: _Writer, operator: Operator) -> None:
    write.quantised(write.real(operator.inputs[0]), operator.outputs[0])


_OPERATORS: dict[str, Callable[[_Writer, Operator], None]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concat,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "FULLY_CONNECTED": _dense,
    "HARD_SWISH": _same("HardSwish"),
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "QUANTIZE": _quantize,
    "RELU": _same("Relu"),
    "RESHAPE": _reshape,
    "SOFTMAX": _same("Softmax", axis=-1),
}
"""Translation by operator: all that deploy.convert writes, and what MLPerf Tiny's models have besides."""
