"""Primitive layers: what each one does to a shape, which weights it holds, how many MACs it needs.

Shapes are (height, width, channels) without a batch dimension. Padding is always "same". Convolutions
carry BatchNorm and their activation with them, because the deployed int8 operator does too: one layer
here is one TFLite operator there (test_agreement holds that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

Shape = tuple[int, int, int]
WeightShapes = dict[str, tuple[int, ...]]


def halved(size: int, stride: int) -> int:
    """Size of an axis after a layer of that stride: "same" padding rounds up."""
    return -(-size // stride)


def window(side: int, source: Shape) -> tuple[int, int]:
    """(height, width) of a square window on an input: 1 along an axis of size 1.

    There "same" padding would surround the one value with zeros: weights that never count. So a network
    over time (height) of width 1 has 1-D kernels, and one over a vector (1, 1, features) dense layers.
    """
    height, width, _ = source
    return (side if height > 1 else 1), (side if width > 1 else 1)


def _norm_weights(channels: int) -> WeightShapes:
    return dict.fromkeys(("gamma", "beta", "mean", "variance"), (channels,))


@dataclass(frozen=True)
class Layer:
    """A primitive layer. Subclasses override what they have."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shapes of the inputs -> shape of the output."""
        return inputs[0]

    def weight_shapes(self, inputs: Sequence[Shape]) -> WeightShapes:
        """Shape of every weight by name; BatchNorm's four vectors count as weights."""
        return {}

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Multiply-accumulates for one input; 0 for layers without weights, as TFLite tools count."""
        return 0


@dataclass(frozen=True)
class Input(Layer):
    """The raw input, uint8 values 0..255; `scale` multiplies them before the first layer."""

    shape: Shape
    scale: float = 1 / 255

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.shape


@dataclass(frozen=True)
class Conv2D(Layer):
    """Convolution, BatchNorm and activation. Kernel weights are (*window(k), in, out)."""

    filters: int
    kernel: int = 1
    stride: int = 1
    activation: str | None = None

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        height, width, _ = inputs[0]
        return halved(height, self.stride), halved(width, self.stride), self.filters

    def weight_shapes(self, inputs: Sequence[Shape]) -> WeightShapes:
        kernel = (*window(self.kernel, inputs[0]), inputs[0][2], self.filters)
        return {"kernel": kernel, **_norm_weights(self.filters)}

    def macs(self, inputs: Sequence[Shape]) -> int:
        return prod(self.output_shape(inputs)) * prod(window(self.kernel, inputs[0])) * inputs[0][2]


@dataclass(frozen=True)
class DepthwiseConv2D(Layer):
    """Depthwise convolution, BatchNorm and activation. Kernel weights are (*window(k), channels, 1)."""

    kernel: int = 3
    stride: int = 1
    activation: str | None = None

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        height, width, channels = inputs[0]
        return halved(height, self.stride), halved(width, self.stride), channels

    def weight_shapes(self, inputs: Sequence[Shape]) -> WeightShapes:
        channels = inputs[0][2]
        return {"kernel": (*window(self.kernel, inputs[0]), channels, 1), **_norm_weights(channels)}

    def macs(self, inputs: Sequence[Shape]) -> int:
        return prod(self.output_shape(inputs)) * prod(window(self.kernel, inputs[0]))


@dataclass(frozen=True)
class Pool2D(Layer):
    """Average or maximum pooling; `mode` is "avg" or "max"."""

    mode: str
    size: int = 3
    stride: int = 1

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        height, width, channels = inputs[0]
        return halved(height, self.stride), halved(width, self.stride), channels


@dataclass(frozen=True)
class Add(Layer):
    """Sum of two tensors of one shape (longer sums are chains, as in TFLite)."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        if inputs[0] != inputs[1]:
            raise ValueError(f"cannot add shapes {inputs[0]} and {inputs[1]}")
        return inputs[0]


@dataclass(frozen=True)
class Concat(Layer):
    """Concatenation along channels."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        height, width, _ = inputs[0]
        if any(shape[:2] != (height, width) for shape in inputs):
            raise ValueError(f"cannot concatenate shapes {list(inputs)}")
        return height, width, sum(shape[2] for shape in inputs)


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """Mean over height and width; output shape (1, 1, channels)."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return 1, 1, inputs[0][2]


@dataclass(frozen=True)
class Flatten(Layer):
    """All values as one vector, row by row; output shape (1, 1, height * width * channels)."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return 1, 1, prod(inputs[0])


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer on (1, 1, in); kernel (in, units), bias (units)."""

    units: int
    dropout: float = 0.0

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return 1, 1, self.units

    def weight_shapes(self, inputs: Sequence[Shape]) -> WeightShapes:
        return {"kernel": (prod(inputs[0]), self.units), "bias": (self.units,)}

    def macs(self, inputs: Sequence[Shape]) -> int:
        return prod(inputs[0]) * self.units


@dataclass(frozen=True)
class Softmax(Layer):
    """Class probabilities."""


@dataclass(frozen=True)
class HardSwish(Layer):
    """x * relu6(x + 3) / 6 (Howard et al. 2019, MobileNetV3)."""


FUSED = ("relu6", "relu")
"""Activations that fuse into a convolution on every target we know."""

SEPARATE: dict[str, Layer] = {"hard_swish": HardSwish()}
"""Activations that are an operator of their own; some devices refuse them."""

ACTIVATIONS = (*FUSED, *SEPARATE)

LAYERS = (
    Input,
    Conv2D,
    DepthwiseConv2D,
    Pool2D,
    Add,
    Concat,
    GlobalAveragePool,
    Flatten,
    Dense,
    Softmax,
    HardSwish,
)
"""Every primitive layer; train/build.py and deploy/onnx.py must know each (test_agreement)."""
