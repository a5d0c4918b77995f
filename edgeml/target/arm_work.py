"""TfliteModel -> the work an Arm core does for it, as amounts that time is proportional to.

A matrix kernel on an Arm core multiplies, gathers its patches, writes its results and reads its weights; the
shares of these depend on the layer, which is why MACs alone mislead: at 16 channels a pointwise convolution
writes one value for 16 MACs, at 512 one for 512. Amounts count elements, not bytes, so that they are the same
for int8 and float32; what an element costs is the profile's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from edgeml.deploy.tflite import Operator, TfliteModel
from edgeml.errors import ModelError

MILLION = 1e6
LANES = 8
"""Output channels that XNNPACK's kernels for Arm compute together; the last group is padded."""

Shapes = list[tuple[int, ...]]
Counts = Mapping[str, int]

TERMS = {
    "spatial_ms_per_mmac": "convolutions with a kernel above 1x1",
    "pointwise_ms_per_mmac": "1x1 convolutions",
    "depthwise_ms_per_mmac": "depthwise convolutions",
    "dense_ms_per_mmac": "fully connected layers and matrix products",
    "gather_ms_per_melement": "patches that a kernel above 1x1 reads, k * k * channels at every position",
    "write_ms_per_melement": "results of convolutions",
    "weights_ms_per_melement": "weights of convolutions, read once an inference",
    "elementwise_ms_per_melement": "elements read and written by additions, ReLUs, joins and the like",
    "activation_ms_per_melement": "results of curves such as hard swish, logistic and softmax",
    "pooling_ms_per_melement": "elements under the windows of poolings and means",
    "operator_ms": "operators",
}
"""The estimator's coefficients and what each is multiplied with, in millions (operators: one by one)."""

CURVES = (
    *("HARD_SWISH", "LOGISTIC", "TANH", "GELU", "ELU", "EXP", "LOG", "SQRT", "RSQRT", "POW", "DIV"),
    *("SOFTMAX", "LOG_SOFTMAX"),
)
"""Operators that compute more than a sum or comparison an element. In int8, XNNPACK lacks some (hard swish):
then they run in plain C++ and may cost more than the convolutions around them."""

FREE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that only rename a shape."""


def amounts(model: TfliteModel) -> dict[str, float]:
    """Model -> amount for every name in TERMS."""
    found = dict.fromkeys(TERMS, 0.0)
    for operator in model.operators:
        if operator.name in FREE:
            continue
        found["operator_ms"] += 1
        inputs, outputs = _sizes(model, operator.inputs), _sizes(model, operator.outputs)
        if not outputs:
            continue
        try:
            counts = _count(operator)(operator, inputs, outputs[0])
        except IndexError as error:
            raise ModelError(
                f"{operator.name} cannot have inputs of shapes {inputs[:3]} and an output of shape "
                f"{outputs[0]}; the file is damaged."
            ) from error
        for name, count in counts.items():
            found[name] += count / MILLION
    return found


def _sizes(model: TfliteModel, tensors: Sequence[int]) -> Shapes:
    """Shapes without the absent inputs; a free dimension counts as 1."""
    return [tuple(map(abs, model.tensors[index].shape)) for index in tensors if index >= 0]


def computes_in(model: TfliteModel) -> str:
    """Model -> "int8" or "float32": what most of its multiply-accumulates are computed in."""
    macs = dict.fromkeys(("int8", "float32"), 0)
    for operator in model.operators:
        if operator.macs:
            whole = model.tensors[operator.outputs[0]].dtype in ("INT8", "UINT8", "INT16")
            macs["int8" if whole else "float32"] += operator.macs
    return "float32" if macs["float32"] > macs["int8"] else "int8"


def _padded(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _conv(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    filters, taps, channels = inputs[1][0], prod(inputs[1][1:-1]), inputs[1][-1]
    positions = prod(output[:-1])
    macs = positions * taps * channels * _padded(filters)
    found = {"write_ms_per_melement": prod(output), "weights_ms_per_melement": prod(inputs[1])}
    if taps == 1:
        return found | {"pointwise_ms_per_mmac": macs}
    return found | {"spatial_ms_per_mmac": macs, "gather_ms_per_melement": positions * taps * channels}


def _upconv(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    patches = operator.macs // max(1, output[-1])
    return {
        "spatial_ms_per_mmac": operator.macs,
        "gather_ms_per_melement": patches,
        "write_ms_per_melement": prod(output),
        "weights_ms_per_melement": prod(inputs[1]),
    }


def _depthwise(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    macs = prod(output[:-1]) * _padded(output[-1]) * prod(inputs[1][1:3])
    return {"depthwise_ms_per_mmac": macs, "weights_ms_per_melement": prod(inputs[1])}


def _dense(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    return {"dense_ms_per_mmac": operator.macs}


def _pool(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    return {
        "pooling_ms_per_melement": prod(output) * operator.integer("filter_h") * operator.integer("filter_w")
    }


def _mean(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    return {"pooling_ms_per_melement": prod(inputs[0])}


def _curve(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    return {"activation_ms_per_melement": prod(output)}


def _elementwise(operator: Operator, inputs: Shapes, output: tuple[int, ...]) -> Counts:
    return {"elementwise_ms_per_melement": prod(output) + sum(prod(shape) for shape in inputs)}


_KINDS: dict[str, Callable[[Operator, Shapes, tuple[int, ...]], Counts]] = {
    "CONV_2D": _conv,
    "TRANSPOSE_CONV": _upconv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _dense,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _dense,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "L2_POOL_2D": _pool,
    "MEAN": _mean,
    **dict.fromkeys(CURVES, _curve),
}
"""What an operator does; every other one moves elements."""


def _count(operator: Operator) -> Callable[[Operator, Shapes, tuple[int, ...]], Counts]:
    """How an operator's work is counted; one whose weights make no sense only moves elements."""
    kind = _KINDS.get(operator.name, _elementwise)
    return _elementwise if kind in _WEIGHTED and not operator.macs else kind


_WEIGHTED = (_conv, _upconv, _depthwise, _dense)
