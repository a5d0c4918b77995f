"""Raw sensor values -> uint8 by one affine map a channel, with the very arithmetic that a device repeats.

q = rint((x - offset) / scale) in float32, outside 0..255 clipped, NaN 0. There is no product that is added to
something, so that a compiler cannot contract it: C99 and NumPy give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

OUTLIERS = 0.1
"""Per cent at each end that may be clipped ..."""

REACH = 0.25
"""... where they lie further out than this share of the rest's span."""


@dataclass(frozen=True)
class Ranges:
    """raw = uint8 * scale + offset, by channel; float32 values as Python floats."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def to_uint8(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """(..., channels) raw values -> the same shape."""
        scale, offset = np.array(self.scale, np.float32), np.array(self.offset, np.float32)
        with np.errstate(over="ignore"):
            return rounded((float32s(values) - offset) / scale)


def rounded(levels: Values) -> NDArray[np.uint8]:
    """Halves to even, clipped to 0..255, NaN to 0."""
    with np.errstate(invalid="ignore"):
        inside = np.where(levels > 0, np.minimum(levels, np.float32(255)), np.float32(0))
    return np.asarray(np.rint(inside), np.uint8)


def fit_ranges(columns: Sequence[NDArray[Any]]) -> Ranges:
    """Finite training values of each channel -> the map.

    From the smallest to the largest value, but never further than REACH times the span of the 99.8 % in the
    middle beyond them: one spike must not cost everything else its resolution.
    """
    scales, offsets = [], []
    for column in columns:
        low, high = limits(column)
        scales.append(as_float32((high - low) / 255))
        offsets.append(as_float32(low))
    return Ranges(tuple(scales), tuple(offsets))


def limits(values: NDArray[Any]) -> tuple[float, float]:
    """Raw values that become 0 and 255; they differ."""
    wide = values.astype(np.float64)
    low, high = np.percentile(wide, [OUTLIERS, 100 - OUTLIERS])
    reach = REACH * (high - low)
    low, high = max(float(wide.min()), low - reach), min(float(wide.max()), high + reach)
    if not high - low > 1e-6 * max(abs(low), abs(high), 1e-30):  # below float32's resolution
        return low - 0.5 * max(1.0, abs(low) * 1e-3), low + 0.5 * max(1.0, abs(low) * 1e-3)
    return float(low), float(high)


def float32s(values: NDArray[Any]) -> Values:
    """Numbers as float32; those beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def as_float32(value: float) -> float:
    """The nearest float32, as a Python float that JSON keeps exactly."""
    return float(np.float32(value))
