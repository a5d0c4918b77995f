"""What a candidate is expected to add to the hypervolume, its costs being known and its error uncertain.

With one cost the expectation has a closed form: the front is a staircase, and every step of it that the
candidate may lower counts with its expected improvement (Jones et al. 1998), weighted by its width. With more
costs the hypervolume is averaged over random directions (Zhang & Golovin 2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DIRECTIONS = 64
WIDE = 50.0
"""Times the least cost. On NAS-Bench-201's tables, where latencies range over 5 to 35, the hypervolume that
is scored is linear in latency, and logarithms lose .005 of it (Raspberry Pi 4, CIFAR-100, 3 seeds)."""
QUANTILES = (-1.5, -0.75, 0.0, 0.75, 1.5)
"""In standard deviations; weights are those of the normal density at them."""


class Scale:
    """Costs -> what hypervolume is measured in: logarithms of those that range over more than WIDE.

    On a linear scale all that needs a tenth of the dearest network shares a tenth of the axis, and
    networks of 1 and of 10 ms count as equals beside one of 100 ms.

    Args:
        seen: costs of what was tried and of what could be next, (n, k).
    """

    def __init__(self, seen: Floats) -> None:
        least, most = np.maximum(seen.min(axis=0), 1e-12), seen.max(axis=0)
        self._least, self._wide = least, most > WIDE * least

    def __call__(self, costs: Floats) -> Floats:
        """(n, k) -> (n, k)."""
        ratio = np.maximum(costs, 1e-12) / self._least
        return np.where(self._wide, np.log(ratio), costs)


def draw_directions(axes: int, rng: np.random.Generator) -> Floats:
    """Unit vectors of the positive orthant, uniform, (DIRECTIONS, axes)."""
    drawn = np.abs(rng.normal(size=(DIRECTIONS, axes)))
    return np.asarray(np.maximum(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), 1e-3))


def expected_gain(
    mean: Floats, spread: Floats, costs: Floats, front: Floats, reference: Floats, directions: Floats
) -> Floats:
    """Expected gain of hypervolume, (n,).

    Args:
        mean: expected errors of the candidates, (n,).
        spread: their deviations, (n,).
        costs: of the candidates, (n, k).
        front: (m, 1 + k), error first; m may be 0.
        reference: (1 + k,).
        directions: from `draw_directions`, for several costs; gains are comparable where these are the same.
    """
    if costs.shape[1] == 1:
        return _staircase(mean, np.maximum(spread, 1e-9), costs[:, 0], front, reference)
    return _averaged(mean, spread, costs, front, reference, directions)


def expected_improvement(mean: Floats, spread: Floats, errors: Floats) -> Floats:
    """How far below the least of `errors` candidates are expected to come (Jones et al. 1998), (n,).

    Args:
        mean: expected errors of the candidates, (n,).
        spread: their deviations, (n,).
        errors: of what is there, (m,); where m is 0, the largest of `mean` stands for them.
    """
    return _improvement(mean, np.maximum(spread, 1e-9), errors.min() if len(errors) else mean.max())


def _staircase(mean: Floats, spread: Floats, costs: Floats, front: Floats, reference: Floats) -> Floats:
    inside = front[(front[:, 1] < reference[1]) & (front[:, 0] < reference[0])].reshape(-1, 2)
    inside = inside[np.lexsort((inside[:, 0], inside[:, 1]))]
    best = np.minimum.accumulate(inside[:, 0])
    members = inside[np.concatenate([[True], best[1:] < best[:-1]])[: len(inside)]]
    starts = np.concatenate([[-np.inf], members[:, 1]])
    ends = np.concatenate([members[:, 1], [reference[1]]])
    levels = np.concatenate([[reference[0]], members[:, 0]])
    width = np.maximum(0.0, ends[None] - np.maximum(starts[None], costs[:, None]))
    improvement = _improvement(mean[:, None], spread[:, None], levels[None])
    return np.asarray((width * improvement).sum(axis=1))


def _improvement(mean: Floats, spread: Floats, level: Floats | float) -> Floats:
    """E[max(0, level - error)] of normal errors; arrays of shapes that go together."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    z = (level - mean) / spread
    return np.asarray(spread * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)))


def _averaged(
    mean: Floats, spread: Floats, costs: Floats, front: Floats, reference: Floats, directions: Floats
) -> Floats:
    axes = len(reference)
    scale = np.where(reference > 0, reference, 1.0)

    def lengths(points: Floats) -> Floats:
        """How far each direction goes into what a point dominates, (points, directions)."""
        ways = (reference - points)[:, None, :] / scale / directions[None]
        return np.asarray(np.maximum(0.0, ways.min(axis=2)) ** axes)

    known = lengths(front).max(axis=0) if len(front) else np.zeros(len(directions))
    weights = np.exp(-0.5 * np.square(QUANTILES))
    total = np.zeros(len(mean))
    for quantile, weight in zip(QUANTILES, weights / weights.sum(), strict=True):
        points = np.column_stack([mean + quantile * spread, costs])
        total += weight * np.maximum(0.0, lengths(points) - known).mean(axis=1)
    return total
