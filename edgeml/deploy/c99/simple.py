"""Operators without weights -> C."""

from __future__ import annotations

import math

import numpy as np

from edgeml.deploy.c99 import text
from edgeml.deploy.c99.fixed import (
    clamp,
    float32,
    hard_swish,
    multiply,
    quantize_multiplier,
    softmax_table,
)
from edgeml.deploy.c99.step import Step
from edgeml.deploy.c99.tensors import SUM_LIMIT, Activation, Place, fused_limits


def quantize(place: Place) -> Step:
    """QUANTIZE between uint8 and int8."""
    source, output = place.input(0, "INT8|UINT8"), place.output("INT8|UINT8")
    low = 0 if output.dtype == "UINT8" else -128
    if (
        source.scale == output.scale
        and source.zero - output.zero in (128, -128)
        and source.dtype != output.dtype
    ):
        _same_size(place, source, output)
        return Step(
            call=f"flip({{0}}, {{out}}, {source.elements});",
            inputs=(source.index,),
            output=output.index,
            kernels=("flip",),
            over=(source.index,),
        )
    mantissa, exponent = quantize_multiplier(source.scale / output.scale)
    _fits(place, 255, exponent)

    def apply(value: int) -> int:
        return clamp(multiply(value - source.zero, mantissa, exponent) + output.zero, low, low + 255)

    return _lookup(place, source, output, [apply(v) for v in _bytes(source)])


def relu(place: Place) -> Step:
    """RELU, RELU6 and RELU_N1_TO_1 on their own."""
    source, output = place.input(), place.output()
    mantissa, exponent = quantize_multiplier(float32(source.scale / output.scale))
    _fits(place, 255, exponent)
    low, high = fused_limits(place, output, place.operator.name)

    def apply(value: int) -> int:
        return clamp(multiply(value - source.zero, mantissa, exponent) + output.zero, low, high)

    return _lookup(place, source, output, [apply(v) for v in _bytes(source)])


def swish(place: Place) -> Step:
    """HARD_SWISH."""
    source, output = place.input(), place.output()
    if quantize_multiplier(float32(float32(source.scale / 128) / output.scale))[1] > 0:
        raise place.refuse("its output's scale is much smaller than its input's")
    function = hard_swish(source.scale, source.zero, output.scale, output.zero)
    return _lookup(place, source, output, [function(v) for v in _bytes(source)])


def _bytes(source: Activation) -> list[int]:
    """Values in the order of their bytes 0..255."""
    return [v - 256 if v > 127 and source.dtype == "INT8" else v for v in range(256)]


def _lookup(place: Place, source: Activation, output: Activation, values: list[int]) -> Step:
    _same_size(place, source, output)
    name = f"lookup_{place.number}"
    return Step(
        call=f"lookup({name}, {{0}}, {{out}}, {source.elements});",
        inputs=(source.index,),
        output=output.index,
        kernels=("lookup",),
        declarations=text.array(name, np.array(values, np.int16).astype(np.int8)),
        over=(source.index,),
        constant_bytes=256,
    )


def _same_size(place: Place, *activations: Activation) -> None:
    if len({activation.elements for activation in activations}) > 1:
        raise place.refuse(f"sizes {[activation.elements for activation in activations]} differ")


def _fits(place: Place, reach: int, exponent: int) -> None:
    if exponent < -31 or (exponent > 0 and reach << min(exponent, 40) >= SUM_LIMIT):
        raise place.refuse("the scales of its input and output are too far apart")


def pool(place: Place) -> Step:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    source, output = place.input(), place.output()
    if (source.scale, source.zero) != (output.scale, output.zero):
        raise place.refuse("its input and output have different scales")
    height, width, channels = place.image(source)
    out_height, out_width, out_channels = place.image(output)
    if channels != out_channels:
        raise place.refuse(f"it turns {channels} channels into {out_channels}")
    tall, wide = place.positive("filter_h"), place.positive("filter_w")
    stride_height, stride_width = place.positive("stride_h"), place.positive("stride_w")
    low, high = place.limits(output)
    name = f"pool_{place.number}"
    fields = {
        "in_height": height, "in_width": width, "channels": channels, "out_height": out_height,
        "out_width": out_width, "kernel_height": tall, "kernel_width": wide,
        "stride_height": stride_height, "stride_width": stride_width,
        "pad_top": place.window(height, tall, stride_height, out_height),
        "pad_left": place.window(width, wide, stride_width, out_width),
        "low": low, "high": high,
    }  # fmt: skip
    kernel = "average_pool" if place.operator.name == "AVERAGE_POOL_2D" else "max_pool"
    return Step(
        call=f"{kernel}(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("pool_body", kernel),
        declarations=text.struct("pool", name, fields),
        constant_bytes=26,
    )


def mean(place: Place) -> Step:
    """MEAN over neighbouring dimensions, in practice height and width."""
    source, output = place.input(), place.output()
    axes = place.tensor(1).integers()
    rank = len(source.shape)
    if axes is None or not axes or any(not -rank <= axis < rank for axis in axes):
        raise place.refuse("its axes are no constant within its input's dimensions")
    chosen = sorted({axis % rank for axis in axes})
    first, end = chosen[0], chosen[-1] + 1
    if chosen != list(range(first, end)):
        raise place.refuse(f"its axes {chosen} are not next to each other")
    batches, count = math.prod(source.shape[:first]), math.prod(source.shape[first:end])
    channels = math.prod(source.shape[end:])
    if batches * channels != output.elements:
        raise place.refuse(f"its output has {output.elements} values, {batches * channels} are expected")
    mantissa, exponent = quantize_multiplier(source.scale / output.scale)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    mantissa, exponent = (mantissa << shift) // count, exponent - shift
    _fits(place, 255 * count, exponent)
    if 255 * count >= SUM_LIMIT:
        raise place.refuse(f"it sums {count} values")
    name = f"mean_{place.number}"
    fields = {
        "batches": batches, "count": count, "channels": channels, "in_sum": source.zero * count,
        "out_zero": output.zero, "multiplier": mantissa, "shift": -exponent,
    }  # fmt: skip
    return Step(
        call=f"mean(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("mean",),
        declarations=text.struct("mean", name, fields),
        constant_bytes=28,
    )


def softmax(place: Place) -> Step:
    """SOFTMAX over the last dimension."""
    source, output = place.input(), place.output()
    _same_size(place, source, output)
    if (output.scale, output.zero) != (1 / 256, -128):
        raise place.refuse("its output's scale is not 1/256 with zero point -128")
    beta = place.operator.options.get("beta", 0.0)
    if not isinstance(beta, float) or not math.isfinite(beta) or not beta * source.scale * (1 << 26) > 1:
        raise place.refuse(f"its beta is {beta}")
    values = softmax_table(beta, source.scale)
    columns = source.shape[-1] if source.shape else 1
    if columns >= 1 << 12:
        raise place.refuse(f"it has {columns} classes, which overflow its sum")
    name = f"softmax_{place.number}"
    fields: dict[str, int | str] = {
        "rows": source.elements // columns, "columns": columns, "count": len(values),
        "exponentials": f"{name}_exponentials",
    }  # fmt: skip
    return Step(
        call=f"softmax(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("softmax",),
        declarations=text.array(f"{name}_exponentials", np.array(values, np.int32))
        + text.struct("softmax", name, fields),
        over=(source.index,),
        constant_bytes=4 * len(values),
    )


def concat(place: Place) -> Step:
    """CONCATENATION of tensors of one scale."""
    output = place.output()
    sources = [place.input(position) for position in range(len(place.operator.inputs))]
    rank, axis = len(output.shape), place.operator.integer("axis")
    if not -rank <= axis < rank or any(len(source.shape) != rank for source in sources):
        raise place.refuse(f"its axis is {axis} for a tensor of {rank} dimensions")
    axis %= rank
    if any((source.scale, source.zero) != (output.scale, output.zero) for source in sources):
        raise place.refuse("its inputs and its output have different scales")
    if place.operator.activation != "NONE":
        raise place.refuse(f"its activation is {place.operator.activation}")
    rows, stride = math.prod(output.shape[:axis]), math.prod(output.shape[axis:])
    calls, at = [], 0
    for number, source in enumerate(sources):
        size = source.elements // rows
        if size * rows != source.elements:
            raise place.refuse(f"its input {number} has shape {list(source.shape)}")
        calls.append(f"concat({{{number}}}, {{out}} + {at}, {rows}, {size}, {stride});")
        at += size
    if at != stride:
        raise place.refuse(f"its inputs have {at} values a row, its output {stride}")
    return Step(
        call=" ".join(calls),
        inputs=tuple(source.index for source in sources),
        output=output.index,
        kernels=("concat",),
    )


def pad(place: Place) -> Step:
    """PAD with the zero point, up to four dimensions."""
    source, output = place.input(), place.output()
    if (source.scale, source.zero) != (output.scale, output.zero):
        raise place.refuse("its input and output have different scales")
    amounts, rank = place.tensor(1).integers(), len(source.shape)
    if amounts is None or len(amounts) != 2 * rank or rank > 4 or min(amounts) < 0:
        raise place.refuse("its paddings are no constant for up to four dimensions")
    before, after = [0] * (4 - rank) + list(amounts[::2]), [0] * (4 - rank) + list(amounts[1::2])
    shape = [1] * (4 - rank) + list(source.shape)
    out = [sum(sizes) for sizes in zip(shape, before, after, strict=True)]
    if out[4 - rank :] != list(output.shape):
        raise place.refuse(f"its output has shape {list(output.shape)}, {out[4 - rank :]} is expected")
    name = f"pad_{place.number}"
    fields: dict[str, int | str] = {
        key: "{" + ", ".join(map(str, sizes)) + "}"
        for key, sizes in (("in", shape), ("before", before), ("out", out))
    }
    return Step(
        call=f"pad(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("pad",),
        declarations=text.struct("pad", name, {**fields, "value": output.zero}),
        constant_bytes=26,
    )
