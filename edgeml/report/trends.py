"""Score against size over a run's candidates -> a fitted trend that levels off, and how sure it is.

Three models of increasing freedom, in doublings of the size x; that of the best AICc (Hurvich & Tsai 1989),
or flat where that is within 2 of it (Burnham & Anderson 2002):

    flat    score = top
    line    score = a + slope * log2(x)
    bend    score = top - slope * max(0, log2(bend) - log2(x)), slope >= 0
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 8
"""Fewer points are shown without a trend."""
BEND_LEAST, BEND_SIDE = 3, 0.2
"""A bend needs this many points, and this share of them, on either side."""
UPPER_LEAST = 5
"""Points of the upper half by size, below which nobody can tell whether it still rises."""
AS_GOOD = 2.0
RESAMPLES = 400
LEAST_RATIO = 1.3
"""Sizes that differ by less than this factor say nothing about size."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """A fit.

    Attributes:
        form: "flat", "line" or "bend".
        slope: change of y by doubling x, below the bend; 0 where flat.
        low, high: its 95 % interval: percentiles over candidates drawn anew with replacement, in
            which a bend may move by one doubling (Efron & Tibshirani 1993).
        bend: where it levels off; the largest x where it does not.
        level: y at the bend.
        spread: standard deviation of y around the trend.
        n: points; smallest, largest: their x.
        still_rising: whether y clearly rises over the upper half of the points too.
    """

    form: str
    slope: float
    low: float
    high: float
    bend: float
    level: float
    spread: float
    n: int
    smallest: float
    largest: float
    still_rising: bool = False

    @property
    def clear(self) -> bool:
        """Whether the interval of the slope leaves out 0."""
        return self.form != "flat" and (self.low > 0 or self.high < 0)

    def at(self, x: float) -> float:
        """The fitted y at x."""
        return self.level - self.slope * max(0.0, math.log2(self.bend / x))


def fit(xs: list[float], ys: list[float], bends: bool = True) -> Trend | None:
    """Sizes (above 0) and scores -> Trend; None where there are fewer than LEAST, or they are of one size.

    Args:
        xs: sizes.
        ys: scores, or the logarithm of what depends on size.
        bends: whether a trend that levels off is among the models.
    """
    if len(xs) < LEAST or max(xs) < LEAST_RATIO * min(xs):
        return None
    x, y = np.log2(np.asarray(xs, float)), np.asarray(ys, float)
    n, top = len(x), float(x.max())
    found = {"flat": (_aicc(float(((y - y.mean()) ** 2).sum()), n, 2), 0.0, float(y.mean()), top)}
    for form, places in (("line", [top]), ("bend", _bends(x) if bends else [])):
        tried = [(*_hinge(x, y, place), place) for place in places]
        if form == "bend":
            tried = [one for one in tried if one[1] > 0]
        if tried:
            rss, slope, level, place = min(tried)
            found[form] = (_aicc(rss, n, 3 if form == "line" else 4), slope, level, place)
    form = min(found, key=lambda name: found[name][0])
    if found["flat"][0] <= found[form][0] + AS_GOOD:
        form = "flat"
    _, slope, level, place = found[form]
    low, high = _interval(x, y, place, form == "bend") if form != "flat" else (0.0, 0.0)
    left = y - (level - slope * np.maximum(0.0, place - x))
    spread = float(np.sqrt((left**2).sum() / max(1, n - 2)))
    rising = form == "line" and _rises(x, y)
    return Trend(form, slope, low, high, float(2**place), level, spread, n, min(xs), max(xs), rising)


def _rises(x: Array, y: Array) -> bool:
    """Whether the upper half of the points rises by itself."""
    upper = x >= np.median(x)
    if upper.sum() < UPPER_LEAST or np.ptp(x[upper]) < math.log2(LEAST_RATIO):
        return False
    return _interval(x[upper], y[upper], float(x.max()), False)[0] > 0


def _hinge(x: Array, y: Array, place: float) -> tuple[float, float, float]:
    """Least squares of y = level - slope * max(0, place - x): rss, slope, level."""
    below = np.maximum(0.0, place - x)
    centred = below - below.mean()
    power = float((centred**2).sum())
    slope = -float((centred * (y - y.mean())).sum()) / power if power else 0.0
    level = float(y.mean() + slope * below.mean())
    return float(((y - level + slope * below) ** 2).sum()), slope, level


def _bends(x: Array) -> list[float]:
    """Places for a bend with enough points below and above, 20 or so."""
    side = max(BEND_LEAST, BEND_SIDE * len(x))
    inner = [p for p in np.unique(x) if (x < p).sum() >= side and (x > p).sum() >= side]
    step = max(1, len(inner) // 20)
    return [float(p) for p in inner[::step]]


def _aicc(rss: float, n: int, parameters: int) -> float:
    """Akaike's criterion for small samples; `parameters` counts the variance."""
    correction = 2 * parameters * (parameters + 1) / (n - parameters - 1)
    return n * math.log(max(rss, 1e-12) / n) + 2 * parameters + correction


def _interval(x: Array, y: Array, place: float, bent: bool) -> tuple[float, float]:
    """95 % interval of the slope; a bend may move by one doubling."""
    rng, slopes = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, len(x), len(x))
        u, v = x[chosen], y[chosen]
        near = [other for other in _bends(u) if abs(other - place) <= 1] if bent else []
        slopes.append(min(_hinge(u, v, other) for other in near or [place])[1])
    low, high = np.percentile(slopes, [2.5, 97.5])
    return float(low), float(high)
