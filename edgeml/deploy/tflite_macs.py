"""Shapes of a TFLite operator -> its multiply-accumulates."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Sizes = tuple[int, ...]


def count_macs(name: str, inputs: Sequence[Sizes], outputs: Sequence[Sizes]) -> int:
    """Multiply-accumulates of one operator; 0 where it has no weights or its shapes make no sense.

    Args:
        name: BuiltinOperator's name.
        inputs: shapes of its inputs in the operator's order, () for absent ones; free dimensions count as 1.
        outputs: shapes of its outputs.
    """
    count = _COUNTS.get(name)
    if count is None or len(inputs) < 2 or not inputs[1] or not outputs:
        return 0
    return abs(count(inputs, outputs[0]))


def _convolution(inputs: Sequence[Sizes], output: Sizes) -> int:
    return prod(output) * prod(inputs[1][1:])


def _depthwise(inputs: Sequence[Sizes], output: Sizes) -> int:
    return prod(output) * prod(inputs[1][1:3])


def _dense(inputs: Sequence[Sizes], output: Sizes) -> int:
    return prod(output) * inputs[1][-1]


def _matmul(inputs: Sequence[Sizes], output: Sizes) -> int:
    return prod(output) * inputs[0][-1] if inputs[0] else 0


def _transposed(inputs: Sequence[Sizes], output: Sizes) -> int:
    """Inputs are the output's shape, the kernel (out, k, k, in) and the data (batch, h, w, in)."""
    return prod(inputs[2][:3]) * prod(inputs[1]) if len(inputs) > 2 else 0


def _lstm(inputs: Sequence[Sizes], output: Sizes) -> int:
    """Inputs 1 to 8 are the matrices of the four gates; (batch, time, features) is input 0."""
    return prod(inputs[0][:-1]) * sum(prod(shape) for shape in inputs[1:9] if shape)


_COUNTS = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matmul,
    "TRANSPOSE_CONV": _transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
