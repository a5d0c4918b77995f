"""A network -> the int8 TfliteModel it converts to, without weights and without converting it.

What reads a TfliteModel (rules, estimators) reads an architecture the same way, before it is trained.
tests/test_tflite_outline.py holds that `outline` lists the operators that deploy.convert writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    Shape,
    Softmax,
    window,
)
from edgeml.deploy.tflite import Operator, OptionValue, Quantization, Tensor, TfliteModel
from edgeml.deploy.tflite_macs import count_macs

_NOTHING = memoryview(b"")
_PLAIN = Quantization((1.0,), (0,), 0)

Pair = int | tuple[int, int]


def _pair(value: Pair) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


class Outline:
    """Collects operators with their shapes, batch 1; `finish` gives the model.

    Args:
        per_channel: weights have a scale a channel (today's converters) or one (before 2020).
    """

    def __init__(self, per_channel: bool = True) -> None:
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs: list[int] = []
        self._per_channel = per_channel

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor with its batch."""
        return self._tensors[tensor].shape

    def size(self, tensor: int) -> Shape:
        """(height, width, channels) of a tensor of rank 4."""
        _, height, width, channels = self.shape(tensor)
        return height, width, channels

    def _tensor(
        self, shape: tuple[int, ...], dtype: str = "INT8", constant: bool = False, scales: int = 1
    ) -> int:
        quantization = _PLAIN if scales == 1 else Quantization((1.0,) * scales, (0,) * scales, 0)
        data = _NOTHING if constant else None
        self._tensors.append(Tensor("", shape, shape, dtype, quantization, 0, data, False))
        return len(self._tensors) - 1

    def input(self, *shape: int, dtype: str = "INT8") -> int:
        """An input of the model."""
        tensor = self._tensor((1, *shape), dtype)
        self._inputs.append(tensor)
        return tensor

    def constant(self, *shape: int, dtype: str = "INT8", scales: int = 1) -> int:
        """A constant of which only the shape is known."""
        return self._tensor(shape, dtype, True, scales)

    def add(
        self,
        name: str,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        options: Mapping[str, OptionValue] | None = None,
        dtype: str = "INT8",
        custom: str = "",
    ) -> int:
        """Append any operator with one output; returns the output tensor."""
        output = self._tensor(shape, dtype)
        macs = count_macs(name, [self.shape(tensor) for tensor in inputs], [shape])
        operator = Operator(name, 1, custom, tuple(inputs), (output,), options or {}, macs)
        self._operators.append(operator)
        return output

    def _weighted(
        self,
        name: str,
        source: int,
        kernel: tuple[int, ...],
        shape: tuple[int, ...],
        options: Mapping[str, OptionValue],
    ) -> int:
        channels = shape[-1]
        scales = channels if self._per_channel else 1
        weights = self.constant(*kernel, scales=scales)
        bias = self.constant(channels, dtype="INT32", scales=scales)
        return self.add(name, (source, weights, bias), shape, options)

    def _slide(self, source: int, kernel: Pair, stride: int, padding: str) -> tuple[int, int]:
        """Height and width after a window slid over a tensor."""
        _, height, width, _ = self.shape(source)
        tall, wide = _pair(kernel) if padding == "VALID" else (1, 1)
        return -(-(height - tall + 1) // stride), -(-(width - wide + 1) // stride)

    def conv(
        self,
        source: int,
        filters: int,
        kernel: Pair = 1,
        stride: int = 1,
        padding: str = "SAME",
        dilation: int = 1,
    ) -> int:
        """Convolution with bias and whatever is folded into it."""
        size = self._slide(source, kernel, stride, padding)
        options = _strides(stride, padding) | {"dilation_h": dilation, "dilation_w": dilation}
        weights = (filters, *_pair(kernel), self.shape(source)[3])
        return self._weighted("CONV_2D", source, weights, (1, *size, filters), options)

    def depthwise(
        self, source: int, kernel: Pair = 3, stride: int = 1, multiplier: int = 1, dilation: int = 1
    ) -> int:
        """Depthwise convolution with bias."""
        channels = self.shape(source)[3] * multiplier
        size = self._slide(source, kernel, stride, "SAME")
        options = _strides(stride, "SAME") | {"depth_multiplier": multiplier}
        options |= {"dilation_h": dilation, "dilation_w": dilation}
        shape = (1, *size, channels)
        return self._weighted("DEPTHWISE_CONV_2D", source, (1, *_pair(kernel), channels), shape, options)

    def upconv(self, source: int, filters: int, kernel: int, stride: int) -> int:
        """Transposed convolution."""
        _, height, width, channels = self.shape(source)
        weights = self.constant(filters, kernel, kernel, channels, scales=filters if self._per_channel else 1)
        inputs = (self.constant(4, dtype="INT32"), weights, source)
        shape = (1, height * stride, width * stride, filters)
        return self.add("TRANSPOSE_CONV", inputs, shape, _strides(stride, "SAME"))

    def pool(self, source: int, size: Pair, stride: int, mode: str = "MAX", padding: str = "SAME") -> int:
        """Pooling; `mode` is "MAX" or "AVERAGE"."""
        shape = (1, *self._slide(source, size, stride, padding), self.shape(source)[3])
        tall, wide = _pair(size)
        options = _strides(stride, padding) | {"filter_h": tall, "filter_w": wide}
        return self.add(f"{mode}_POOL_2D", (source,), shape, options)

    def join(self, *sources: int) -> int:
        """Concatenation along channels."""
        *size, _ = self.shape(sources[0])
        channels = sum(self.shape(source)[-1] for source in sources)
        return self.add("CONCATENATION", sources, (*size, channels), {"axis": -1})

    def mean(self, source: int) -> int:
        """Mean over height and width, (1, channels)."""
        axes = self._tensor((2,), "INT32", True)
        self._tensors[axes] = _AXES
        return self.add("MEAN", (source, axes), (1, self.shape(source)[3]))

    def reshape(self, source: int, shape: tuple[int, ...]) -> int:
        """The same values in another shape."""
        wanted = self._tensor((len(shape),), "INT32", True)
        content = memoryview(b"".join(side.to_bytes(4, "little") for side in shape))
        self._tensors[wanted] = Tensor("", (len(shape),), (len(shape),), "INT32", None, 0, content, False)
        return self.add("RESHAPE", (source, wanted), shape)

    def dense(self, source: int, units: int) -> int:
        """Fully connected layer; its weights have one scale (see deploy.convert)."""
        weights = self.constant(units, self.shape(source)[-1])
        bias = self.constant(units, dtype="INT32")
        return self.add("FULLY_CONNECTED", (source, weights, bias), (1, units), {})

    def same(self, name: str, *sources: int, dtype: str = "INT8") -> int:
        """An operator whose output has the shape of its first input, for example ADD or SOFTMAX."""
        return self.add(name, sources, self.shape(sources[0]), dtype=dtype)

    def finish(self, *outputs: int) -> TfliteModel:
        """The model that ends in these tensors."""
        return TfliteModel(
            tensors=tuple(self._tensors),
            operators=tuple(self._operators),
            inputs=tuple(self._inputs),
            outputs=outputs,
            subgraphs=1,
            metadata=(),
            description="outline",
            file_bytes=0,
        )


_AXES = Tensor("", (2,), (2,), "INT32", None, 0, memoryview(b"\x01\0\0\0\x02\0\0\0"), False)


def _strides(stride: int, padding: str) -> dict[str, OptionValue]:
    return {"padding": padding, "stride_h": stride, "stride_w": stride}


def outline(graph: Graph) -> TfliteModel:
    """Graph -> the int8 model that deploy.convert would write: uint8 in and out, weights left out."""
    build = Outline()
    tensors: list[int] = []
    for node in graph.nodes:
        tensors.append(_LAYERS[type(node.layer)](build, node, [tensors[source] for source in node.inputs]))
    return build.finish(build.same("QUANTIZE", tensors[-1], dtype="UINT8"))


def _input(build: Outline, node: Node, sources: list[int]) -> int:
    return build.same("QUANTIZE", build.input(*node.shape, dtype="UINT8"))


def _conv(build: Outline, node: Node, sources: list[int]) -> int:
    layer = node.layer
    assert isinstance(layer, Conv2D)
    tall, wide = window(layer.kernel, build.size(sources[0]))
    return build.conv(sources[0], layer.filters, (tall, wide), layer.stride)


def _depthwise(build: Outline, node: Node, sources: list[int]) -> int:
    layer = node.layer
    assert isinstance(layer, DepthwiseConv2D)
    return build.depthwise(sources[0], window(layer.kernel, build.size(sources[0])), layer.stride)


def _pool(build: Outline, node: Node, sources: list[int]) -> int:
    layer = node.layer
    assert isinstance(layer, Pool2D)
    size = window(layer.size, build.size(sources[0]))
    return build.pool(sources[0], size, layer.stride, "AVERAGE" if layer.mode == "avg" else "MAX")


def _dense(build: Outline, node: Node, sources: list[int]) -> int:
    assert isinstance(node.layer, Dense)
    return build.dense(sources[0], node.layer.units)


_LAYERS: dict[type[Layer], Callable[[Outline, Node, list[int]], int]] = {
    Input: _input,
    Conv2D: _conv,
    DepthwiseConv2D: _depthwise,
    Pool2D: _pool,
    Add: lambda build, node, sources: build.same("ADD", *sources),
    Concat: lambda build, node, sources: build.join(*sources),
    GlobalAveragePool: lambda build, node, sources: build.mean(sources[0]),
    Flatten: lambda build, node, sources: build.reshape(sources[0], (1, *node.shape)),
    Dense: _dense,
    Softmax: lambda build, node, sources: build.same("SOFTMAX", *sources),
    HardSwish: lambda build, node, sources: build.same("HARD_SWISH", *sources),
}
"""How each primitive layer becomes an operator."""
