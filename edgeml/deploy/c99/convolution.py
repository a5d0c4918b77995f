"""CONV_2D and DEPTHWISE_CONV_2D -> C."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.c99 import text
from edgeml.deploy.c99.fixed import clamp, multiply, quantize_multiplier
from edgeml.deploy.c99.step import Step
from edgeml.deploy.c99.tensors import MAX_SIZE, SUM_LIMIT, Activation, Place

FAST_SHIFT = 22
"""With it, 257 << (shift - 1) and a product below 2^30 add up within int32 (requant.h)."""

_STEPS = ("stride", "dilation")

MAX_SHIFT = 30
"""A multiplier below 2^-30 makes every output the zero point; nothing trained has one."""


def conv(place: Place) -> Step:
    """CONV_2D."""
    source, output = place.input(), place.output()
    height, width, channels = place.image(source)
    weights = place.weights(4)
    filters, kernel_height, kernel_width, depth = weights.shape
    if depth != channels:
        raise place.refuse(f"its weights take {depth} channels, its input has {channels}")
    fields = _window(place, source, output, kernel_height, kernel_width)
    _, _, out_channels = place.image(output)
    if out_channels != filters:
        raise place.refuse(f"its output has {out_channels} channels, its weights {filters}")
    window = _padded(kernel_height * kernel_width * channels)
    if window > MAX_SIZE:
        raise place.refuse(f"its window has {window} values")
    name = f"conv_{place.number}"
    table = _pairs(weights.reshape(filters, -1), window)
    rows = _channels(place, source, output, weights.reshape(filters, -1))
    low, high = place.limits(output)
    fields |= {"in_channels": channels, "out_channels": filters, "depth": window}
    fields |= _quantisation(source, output, low, high)
    lean = Step(
        call=f"conv_lean(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("conv_parameters", "conv_lean"),
        declarations=_declare("conv", name, fields, table, rows + [(0, 0, 1)] * (filters % 2)),
        constant_bytes=table.size + 12 * len(rows),
    )
    gathers = channels % 4 or fields["dilation_width"] > 1
    kernels: tuple[str, ...] = ("conv",)
    if fields["dilation_width"] > 1:
        kernels = ("conv_dilated",)
    elif not _plain(rows, low, high):
        kernels = ("conv_any",)
    elif (
        not gathers
        and weights.shape[1:3] == (1, 1)
        and (height, width) == (fields["out_height"], fields["out_width"])
    ):
        kernels = ("conv_point",)
    step = replace(
        lean,
        call=f"{kernels[0]}(&{name}, {{0}}, {{out}}, (int16_t *){{scratch}});",
        kernels=("conv_parameters", "conv_body", *kernels),
        scratch_bytes=4 * window + (window if gathers else 0),
        lean=None if gathers else lean,
    )
    # Two pixels are read before their outputs are written, which do not reach the next ones.
    in_place = kernels == ("conv_point",) and filters <= channels
    return replace(step, compact=replace(step, lean=None, over=(source.index,)) if in_place else None)


def depthwise(place: Place) -> Step:
    """DEPTHWISE_CONV_2D."""
    source, output = place.input(), place.output()
    _, _, channels = place.image(source)
    weights = place.weights(4)
    _, kernel_height, kernel_width, filters = weights.shape
    multiplier = filters // channels
    _, _, out_channels = place.image(output)
    if weights.shape[0] != 1 or multiplier * channels != filters or filters != out_channels:
        raise place.refuse(
            f"its weights {list(weights.shape)} do not fit {channels} to {out_channels} channels"
        )
    fields = _window(place, source, output, kernel_height, kernel_width)
    flat = weights.reshape(-1, filters)
    rows = _channels(place, source, output, flat.T)
    low, high = place.limits(output)
    fields |= {"in_channels": channels, **_quantisation(source, output, low, high)}
    grouped = multiplier == 1 and channels >= 4
    kind = ("depthwise" if _plain(rows, low, high) else "depthwise_limits") if grouped else "depthwise_any"
    table = flat
    if grouped:
        starts = _group_starts(channels)
        table = np.concatenate([flat[:, start : start + 4].reshape(-1) for start in starts])
        rows = [rows[start + lane] for start in starts for lane in range(4)]
    else:
        fields["multiplier"] = multiplier
    name = f"depthwise_{place.number}"
    step = Step(
        call=f"{kind}(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("depthwise_body", kind) if grouped else (kind,),
        declarations=_declare("depthwise" if grouped else kind, name, fields, table, rows),
        constant_bytes=table.size + 12 * len(rows),
    )
    same = kind == "depthwise" and source.shape == output.shape
    if not same or any(fields[f"{option}_{side}"] != 1 for option in _STEPS for side in ("height", "width")):
        return step
    compact = replace(
        step,
        call=f"depthwise_in_place(&{name}, {{out}}, {{scratch}});",
        kernels=("depthwise_body", "depthwise_in_place"),
        scratch_bytes=kernel_height * source.shape[2] * channels,
        over=(source.index,),
    )
    return replace(step, compact=compact)


def _declare(
    kind: str, name: str, fields: dict[str, Any], table: NDArray[Any], rows: list[tuple[int, int, int]]
) -> str:
    fields = fields | {"weights": f"{name}_weights", "channels": f"{name}_channels"}
    return (
        text.array(f"{name}_weights", table)
        + text.channels(f"{name}_channels", rows)
        + text.struct(kind, name, fields)
    )


def _window(place: Place, source: Activation, output: Activation, tall: int, wide: int) -> dict[str, Any]:
    height, width, _ = place.image(source)
    out_height, out_width, _ = place.image(output)
    stride_height, stride_width = place.positive("stride_h"), place.positive("stride_w")
    dilation_height = place.positive("dilation_h", 1) if tall > 1 else 1
    dilation_width = place.positive("dilation_w", 1) if wide > 1 else 1
    if dilation_height > height or dilation_width > width:
        raise place.refuse(f"its dilation {dilation_height}x{dilation_width} is larger than its input")
    return {
        "in_height": height, "in_width": width, "out_height": out_height, "out_width": out_width,
        "kernel_height": tall, "kernel_width": wide,
        "stride_height": stride_height, "stride_width": stride_width,
        "dilation_height": dilation_height, "dilation_width": dilation_width,
        "pad_top": place.window(height, tall, stride_height, out_height, dilation_height),
        "pad_left": place.window(width, wide, stride_width, out_width, dilation_width),
    }  # fmt: skip


def _quantisation(source: Activation, output: Activation, low: int, high: int) -> dict[str, Any]:
    return {"in_zero": source.zero, "out_zero": output.zero, "low": low, "high": high}


def _channels(
    place: Place, source: Activation, output: Activation, weights: NDArray[np.int8]
) -> list[tuple[int, int, int]]:
    """(bias, multiplier, shift) of each row of weights; refuses sums that could leave 30 bits.

    A multiplier of 2^30 and a shift of 1 give a quarter of a sum.
    """
    count = len(weights)
    scales, bias = place.scales(place.tensor(1)), place.bias(count)
    if len(scales) not in (1, count):
        raise place.refuse(f"its weights have {len(scales)} scales for {count} channels")
    reach = np.abs(weights.astype(np.int64)).sum(1) * 255
    low, high = place.limits(output)
    rows = []
    for index in range(count):
        mantissa, exponent = quantize_multiplier(source.scale * scales[index % len(scales)] / output.scale)
        middle, around = int(bias[index]), int(reach[index])
        if around == 0:
            # A dead channel: trained networks give it biases and scales at the ends of their types.
            value = clamp(multiply(middle, mantissa, exponent), low - output.zero, high - output.zero)
            rows.append((4 * value, 1 << 30, 1))
            continue
        if -exponent > MAX_SHIFT or (abs(middle) + around) << max(0, min(exponent, 31)) >= SUM_LIMIT:
            raise place.refuse(f"the sums of channel {index} could overflow 30 bits")
        rows.append((middle, mantissa, -exponent))
    return rows


def _plain(rows: list[tuple[int, int, int]], low: int, high: int) -> bool:
    """The fast requantisation holds: no left shift, room for the zero point, the whole int8 range."""
    return (low, high) == (-128, 127) and all(1 <= shift <= FAST_SHIFT for _, _, shift in rows)


def _padded(count: int) -> int:
    return -(-count // 4) * 4


def _pairs(weights: NDArray[np.int8], depth: int) -> NDArray[np.int8]:
    """Rows of weights -> two rows interleaved in groups of four, zeros where there is none."""
    filters, count = weights.shape
    padded = np.zeros((filters + filters % 2, depth), np.int8)
    padded[:filters, :count] = weights
    return padded.reshape(-1, 2, depth // 4, 4).transpose(0, 2, 1, 3).copy()


def _group_starts(channels: int) -> list[int]:
    starts = list(range(0, channels - 3, 4))
    return starts if channels % 4 == 0 else [*starts, channels - 4]
