"""The fixed-point arithmetic of LiteRT's int8 reference kernels, in Python integers.

Sources: tflite/kernels/internal/common.h, quantization_util.cc, reference/*.h of LiteRT and gemmlowp's
fixedpoint.h (Apache-2.0), read for their rules; tests/test_c99.py holds every rule against LiteRT itself.
LiteRT's wheel rounds twice (TFLITE_SINGLE_ROUNDING is off).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

INT32_MAX, INT32_MIN = (1 << 31) - 1, -(1 << 31)


def float32(value: float) -> float:
    """The nearest float32, as a Python float."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def round_away(value: float) -> int:
    """Nearest integer, halves away from zero (C's round; value + 0.5 would itself be rounded)."""
    whole = math.floor(abs(value))
    nearest = whole + (abs(value) - whole >= 0.5)
    return nearest if value >= 0 else -nearest


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Positive real -> (Q31 mantissa in [2^30, 2^31), exponent): real = mantissa * 2^(exponent - 31)."""
    if real == 0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    mantissa = round_away(fraction * (1 << 31))
    if mantissa == 1 << 31:
        mantissa //= 2
        exponent += 1
    return (0, 0) if exponent < -31 else (mantissa, exponent)


def doubling_high_mul(a: int, b: int) -> int:
    """High half of 2ab, rounded to nearest, halves up; saturates where both are the smallest int32."""
    return INT32_MAX if a == b == INT32_MIN else (a * b + (1 << 30)) >> 31


def divide_by_pot(value: int, exponent: int) -> int:
    """Quotient value / 2^exponent, halves away from zero."""
    if exponent == 0:
        return value
    return (value + (1 << (exponent - 1)) - (value < 0)) >> exponent


def multiply(value: int, mantissa: int, exponent: int) -> int:
    """Product value * (mantissa, exponent) as MultiplyByQuantizedMultiplier does, rounding twice."""
    left, right = max(exponent, 0), max(-exponent, 0)
    return divide_by_pot(doubling_high_mul(value << left, mantissa), right)


def clamp(value: int, low: int, high: int) -> int:
    """The nearest value in low..high."""
    return max(low, min(high, value))


def hard_swish(scale: float, zero: int, out_scale: float, out_zero: int) -> Callable[[int], int]:
    """int8 HARD_SWISH (reference/hard_swish.h, HardSwishPrepare) as a function of one value."""
    hires = float32(1 / 128 * scale)
    mantissa, exponent = quantize_multiplier(float32(hires / out_scale))
    reluish, reluish_exponent = quantize_multiplier(float32(hires / float32(3 / 32768)))
    mantissa16, reluish16 = _to_int16(mantissa), _to_int16(reluish)

    def apply(value: int) -> int:
        high = (value - zero) * 128
        preshift = _high_mul16(high, mantissa16)
        gate = high
        if reluish_exponent > 0:
            gate = _shift16(gate, reluish_exponent - 1)
        gate = _high_mul16(gate, reluish16)
        if reluish_exponent > 0:
            gate = _shift16(gate, 1)
        if reluish_exponent < 0:
            gate = divide_by_pot(gate, -reluish_exponent)
        gate = (gate + (1 << 15)) >> 1
        product = abs(gate * preshift) >> 15
        product = product if gate * preshift >= 0 else -product
        return clamp(divide_by_pot(product, -exponent) + out_zero, -128, 127)

    return apply


def _to_int16(mantissa: int) -> int:
    """Q31 -> Q15 (DownScaleInt32ToInt16Multiplier)."""
    return (mantissa + (1 << 15)) >> 16 if mantissa < INT32_MAX - (1 << 15) else 32767


def _high_mul16(a: int, b: int) -> int:
    """High half on int16, gemmlowp's SaturatingRoundingDoublingHighMul on int16."""
    if a == b == -32768:
        return 32767
    product = a * b
    nudged = product + ((1 << 14) if product >= 0 else 1 - (1 << 14))
    return nudged >> 15 if nudged >= 0 else -(-nudged >> 15)


def _shift16(value: int, amount: int) -> int:
    return clamp(value << amount, -32768, 32767)


_EXP_STEPS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) in Q31."""


def exp_on_negative(value: int) -> int:
    """Exponential of a Q5.26 value <= 0, in Q31 (gemmlowp::exp_on_negative_values)."""
    if value == 0:
        return INT32_MAX
    quarter = 1 << 24
    part = (value & (quarter - 1)) - quarter
    result = _exp_near_zero(part << 5)
    remainder = part - value
    for step, factor in enumerate(_EXP_STEPS):
        if remainder & (1 << (24 + step)):
            result = doubling_high_mul(result, factor)
    return result


def _exp_near_zero(a: int) -> int:
    """Exponential of a Q31 value in [-1/4, 0): a Taylor series around -1/8."""
    constant = 1895147668
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3 = doubling_high_mul(x2, x)
    x4 = doubling_high_mul(x2, x2)
    inner = doubling_high_mul(divide_by_pot(x4, 2) + x3, 715827883) + x2
    return constant + doubling_high_mul(constant, x + divide_by_pot(inner, 1))


def softmax_table(beta: float, scale: float) -> list[int]:
    """Q31 values of exp(beta * scale * -d), d = 0, 1, ... while they count (reference/softmax.h)."""
    real = min(beta * scale * (1 << 26), float((1 << 31) - 1))
    mantissa, shift = quantize_multiplier(real)
    radius = math.floor(31 * (1 << 26) / (1 << shift))
    values = []
    for difference in range(min(radius, 255) + 1):
        values.append(exp_on_negative(doubling_high_mul(-difference << shift, mantissa)))
    return values
