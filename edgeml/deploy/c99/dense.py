"""FULLY_CONNECTED -> C, with a rounding that is proven equal to LiteRT's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.c99 import text
from edgeml.deploy.c99.fixed import clamp, quantize_multiplier, round_away
from edgeml.deploy.c99.step import Step
from edgeml.deploy.c99.tensors import SUM_LIMIT, Place


def dense(place: Place) -> Step:
    """FULLY_CONNECTED."""
    source, output = place.input(), place.output()
    weights = place.weights(2)
    outputs, inputs = weights.shape
    rows = source.elements // inputs
    if rows * inputs != source.elements or rows * outputs != output.elements:
        raise place.refuse(
            f"{source.elements} to {output.elements} values do not fit its weights {list(weights.shape)}"
        )
    if place.operator.options.get("weights_format", "DEFAULT") != "DEFAULT":
        raise place.refuse("its weights are shuffled")
    scales, bias = place.scales(place.tensor(1)), place.bias(outputs)
    if len(scales) not in (1, outputs):
        raise place.refuse(f"its weights have {len(scales)} scales for {outputs} outputs")
    wide = weights.astype(np.int64)
    reach = np.abs(wide).sum(1) * 255 + np.abs(bias)
    if int(reach.max()) >= SUM_LIMIT:
        raise place.refuse("its sums could overflow 30 bits")
    folded = bias - source.zero * wide.sum(1)
    low, high = place.limits(output)
    found: dict[tuple[float, int], tuple[int, int]] = {}
    channels = []
    for index in range(outputs):
        scale = source.scale * scales[index % len(scales)] / output.scale
        if not wide[index].any():  # a dead unit, whose scale can be anything
            value = clamp(round_away(int(bias[index]) * scale), low - output.zero, high - output.zero)
            channels.append((value, 1 << 30, 30))
            continue
        bound = int(reach.max()) if len(scales) == 1 else int(reach[index])
        if (scale, bound) not in found:
            rule = single_rounding(scale, bound, low - output.zero, high - output.zero)
            if rule is None:
                raise place.refuse(f"no integer multiplication rounds as the scale {scale:g} does")
            found[scale, bound] = rule
        channels.append((int(folded[index]), *found[scale, bound]))
    name = f"dense_{place.number}"
    table = _fours(weights)
    fields = {
        "rows": rows, "inputs": inputs, "outputs": outputs, "out_zero": output.zero, "low": low, "high": high,
        "weights": f"{name}_weights", "channels": f"{name}_channels",
    }  # fmt: skip
    padded = channels + [(0, 1, 1)] * (-outputs % 4)
    return Step(
        call=f"dense(&{name}, {{0}}, {{out}});",
        inputs=(source.index,),
        output=output.index,
        kernels=("dense",),
        declarations=text.array(f"{name}_weights", table)
        + text.channels(f"{name}_channels", padded)
        + text.struct("dense", name, fields),
        constant_bytes=table.size + 12 * len(padded),
    )


def single_rounding(scale: float, reach: int, low: int, high: int) -> tuple[int, int] | None:
    """(m, s) with clamp(floor(sum * m / 2^s + 1/2)) = clamp(round(sum * scale)) for every |sum| <= reach.

    LiteRT's reference multiplies by a double and rounds halves away from zero
    (integer_ops/fully_connected.h). Both rules are monotonic in the sum, so they agree where they step at the
    same sums: each step within low..high bounds m from both sides.

    Returns:
        m in 31 bits and s in 1..62; None where there is no such pair.
    """
    mantissa, exponent = quantize_multiplier(scale)
    shift = 31 - exponent
    if not mantissa or not 1 <= shift <= 62:
        return None
    half = 1 << (shift - 1)
    least, most = 1, (1 << 31) - 1
    for value in range(low + 1, high + 1):
        step = _first_sum(scale, value)
        goal = (value << shift) - half  # step * m >= goal and (step - 1) * m < goal
        for total, reached in ((step, True), (step - 1, False)):
            if abs(total) > reach:
                continue
            at_least = reached == (total > 0)
            if total == 0:
                if (goal <= 0) != reached:
                    return None
            elif at_least and reached:  # total > 0: m >= goal / total
                least = max(least, -(-goal // total))
            elif at_least:  # total < 0, m > goal / total
                least = max(least, goal // total + 1)
            elif reached:  # total < 0: m <= goal / total
                most = min(most, goal // total)
            else:  # total > 0: m < goal / total
                most = min(most, -(-goal // total) - 1)
    return (min(max(mantissa, least), most), shift) if least <= most else None


def _first_sum(scale: float, value: int) -> int:
    """Smallest sum that rounds to at least `value`."""
    total = math.ceil((value - 0.5) / scale)
    while round_away(total * scale) >= value:
        total -= 1
    while round_away(total * scale) < value:
        total += 1
    return total


def _fours(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Rows of weights -> four rows interleaved in groups of four, zeros where there is none."""
    outputs, inputs = weights.shape
    padded = np.zeros((-(-outputs // 4) * 4, -(-inputs // 4) * 4), np.int8)
    padded[:outputs, :inputs] = weights
    return padded.reshape(-1, 4, padded.shape[1] // 4, 4).transpose(0, 2, 1, 3).copy()
