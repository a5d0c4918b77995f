"""Checked views of a model's tensors: what the translators may rely on, or a ModelError."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.c99.fixed import float32, round_away
from edgeml.deploy.tflite import Operator, Tensor, TfliteModel
from edgeml.errors import ModelError

MAX_SIZE = 32767
"""Of a dimension: the kernels' structs hold int16."""

MAX_ELEMENTS = 1 << 26
"""Of a tensor: indices are int32 and no target has 64 MB."""

MAX_SCALE = 1e12
"""Of an activation, and one over it the smallest: what is made of them stays within float32."""

SUM_LIMIT = 1 << 30
"""Of what a sum of products can reach, so that doubling it stays in int32."""


@dataclass(frozen=True)
class Activation:
    """A computed int8 or uint8 tensor: its shape, and real = scale * (value - zero)."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero: int

    @property
    def elements(self) -> int:
        """Number of values, and of bytes."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Place:
    """An operator and where it stands, for tables' names and messages."""

    model: TfliteModel
    operator: Operator
    number: int

    def refuse(self, reason: str) -> ModelError:
        """The error that says what of this operator is not translated."""
        return ModelError(
            f"operator {self.number} ({self.operator.label}) cannot be written as C99: {reason}; "
            "give an int8 model of the operators in docs/c99.md."
        )

    def tensor(self, position: int) -> Tensor:
        """The tensor at an input position."""
        inputs = self.operator.inputs
        if position >= len(inputs) or inputs[position] < 0:
            raise self.refuse(f"its input {position} is missing")
        return self.model.tensors[inputs[position]]

    def input(self, position: int = 0, dtype: str = "INT8") -> Activation:
        """The computed input at a position."""
        tensor = self.tensor(position)
        if tensor.is_constant:
            raise self.refuse(f"its input {position} is a constant")
        return self._activation(self.operator.inputs[position], dtype)

    def output(self, dtype: str = "INT8") -> Activation:
        """Its one output."""
        if len(self.operator.outputs) != 1:
            raise self.refuse(f"it has {len(self.operator.outputs)} outputs instead of one")
        return self._activation(self.operator.outputs[0], dtype)

    def _activation(self, index: int, dtype: str) -> Activation:
        tensor = self.model.tensors[index]
        if tensor.dtype not in dtype.split("|"):
            raise self.refuse(
                f"tensor {index} has type {tensor.dtype}, expected {dtype.replace('|', ' or ')}"
            )
        scale, zero = self.scale(tensor), self.zero(tensor)
        return Activation(index, self.shape(tensor), tensor.dtype, scale, zero)

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Shape of a tensor without empty or huge dimensions; a free batch is 1."""
        if any(not 0 < size <= MAX_SIZE for size in tensor.shape):
            raise self.refuse(f"a tensor has shape {list(tensor.shape)[:8]}")
        if math.prod(tensor.shape) > MAX_ELEMENTS:
            raise self.refuse(f"a tensor has {math.prod(tensor.shape)} elements")
        return tensor.shape

    def image(self, activation: Activation) -> tuple[int, int, int]:
        """Height, width, channels of an activation (1, height, width, channels)."""
        if len(activation.shape) != 4 or activation.shape[0] != 1:
            raise self.refuse(f"shape {list(activation.shape)} is not (1, height, width, channels)")
        return activation.shape[1], activation.shape[2], activation.shape[3]

    def scale(self, tensor: Tensor) -> float:
        """Its one scale."""
        scales = self.scales(tensor)
        if len(scales) != 1:
            raise self.refuse(f"a tensor has {len(scales)} scales instead of one")
        if not 1 / MAX_SCALE <= scales[0] <= MAX_SCALE:
            raise self.refuse(f"a tensor has the scale {scales[0]:g}")
        return scales[0]

    def scales(self, tensor: Tensor) -> tuple[float, ...]:
        """Its scales, positive and finite."""
        scales = tensor.quantization.scales if tensor.quantization else ()
        if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales):
            raise self.refuse("a tensor has no quantisation scale above zero")
        return scales

    def zero(self, tensor: Tensor) -> int:
        """Its one zero point."""
        points = tensor.quantization.zero_points if tensor.quantization else ()
        low = 0 if tensor.dtype == "UINT8" else -128
        if len(set(points)) > 1 or not all(low <= point <= low + 255 for point in points):
            raise self.refuse("a tensor's zero point is outside its type")
        return points[0] if points else 0

    def weights(self, rank: int) -> NDArray[np.int8]:
        """Input 1 as int8 weights of this rank, symmetric."""
        tensor = self.tensor(1)
        if tensor.dtype != "INT8" or tensor.data is None:
            kind = tensor.dtype if tensor.data is not None else "computed"
            raise self.refuse(f"its weights are {kind}, expected constant INT8")
        shape = self.shape(tensor)
        if len(shape) != rank or len(tensor.data) != math.prod(shape):
            raise self.refuse(f"its weights have {len(tensor.data)} bytes for shape {list(shape)[:8]}")
        if tensor.quantization and any(tensor.quantization.zero_points):
            raise self.refuse("its weights have a zero point other than 0")
        return np.frombuffer(tensor.data, np.int8).reshape(shape)

    def bias(self, count: int) -> NDArray[np.int64]:
        """Input 2, zeros where it is absent."""
        inputs = self.operator.inputs
        if len(inputs) < 3 or inputs[2] < 0:
            return np.zeros(count, np.int64)
        tensor = self.tensor(2)
        if tensor.dtype != "INT32" or tensor.data is None or len(tensor.data) != 4 * count:
            raise self.refuse(f"its bias is no constant of {count} INT32 values")
        return np.frombuffer(tensor.data, "<i4").astype(np.int64)

    def limits(self, output: Activation) -> tuple[int, int]:
        """Smallest and largest value that the fused activation leaves (CalculateActivationRangeQuantized)."""
        return fused_limits(self, output)

    def positive(self, option: str, default: int = 0) -> int:
        """An option that must be in 1..MAX_SIZE."""
        value = self.operator.integer(option, default)
        if not 0 < value <= MAX_SIZE:
            raise self.refuse(f"its option {option} is {value}")
        return value

    def window(self, size: int, kernel: int, stride: int, out: int, dilation: int = 1) -> int:
        """Padding before the first value, for one dimension; checks the output's size."""
        reach = (kernel - 1) * dilation + 1
        padding = self.operator.options.get("padding")
        if padding not in ("SAME", "VALID"):
            raise self.refuse(f"its padding is {padding}")
        expected = -(-size // stride) if padding == "SAME" else -(-(size - reach + 1) // stride)
        if expected != out or out < 1:
            raise self.refuse(f"its output has size {out} where {expected} is expected")
        if reach > MAX_SIZE or (out - 1) * stride + reach > MAX_SIZE:
            raise self.refuse(f"its window reaches over {reach} values")
        return max(0, (out - 1) * stride + reach - size) // 2 if padding == "SAME" else 0


def fused_limits(place: Place, output: Activation, activation: str = "") -> tuple[int, int]:
    """As Place.limits, of a named activation."""

    def quantised(real: float) -> int:
        return output.zero + round_away(float32(real / output.scale))

    name = activation or place.operator.activation
    reals = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if name not in reals:
        raise place.refuse(f"its activation is {name}")
    low, high = reals[name]
    return (
        -128 if low is None else max(-128, quantised(low)),
        127 if high is None else min(127, quantised(high)),
    )
