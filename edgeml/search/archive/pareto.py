"""Pareto front, hypervolume, knee and crowding over points to be minimised. Plain Python, exact."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float]


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the non-dominated points, in order; of equal points the first."""
    order = sorted(range(len(points)), key=lambda i: (tuple(points[i]), i))
    kept: list[int] = []
    for index in order:
        point = points[index]
        if not any(all(a <= b for a, b in zip(points[k], point, strict=True)) for k in kept):
            kept.append(index)
    return sorted(kept)


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Volume dominated by `points` and bounded by `reference` (both minimised).

    Slices along the last axis (Fonseca et al. 2006); exact for any number of objectives.
    """
    inside = [tuple(p) for p in points if all(a < b for a, b in zip(p, reference, strict=True))]
    if len(reference) > 2:  # else the sweep passes over dominated points by itself
        inside = [inside[i] for i in front(inside)]
    return _volume(inside, tuple(reference))


def _volume(points: list[tuple[float, ...]], reference: tuple[float, ...]) -> float:
    if not points:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(p[0] for p in points)
    if len(reference) == 2:
        total, level = 0.0, reference[1]
        for x, y in sorted(points):
            if y < level:
                total += (reference[0] - x) * (level - y)
                level = y
        return total
    total, below = 0.0, list[tuple[float, ...]]()
    ordered = sorted(points, key=lambda p: p[-1])
    for index, point in enumerate(ordered):
        upper = ordered[index + 1][-1] if index + 1 < len(ordered) else reference[-1]
        below = _joined(below, point[:-1])
        if upper > point[-1]:
            total += _volume(below, reference[:-1]) * (upper - point[-1])
    return total


def _joined(members: list[tuple[float, ...]], point: tuple[float, ...]) -> list[tuple[float, ...]]:
    """A front with one more point, which joins it, takes the place of others, or changes nothing."""
    if any(all(a <= b for a, b in zip(one, point, strict=True)) for one in members):
        return members
    return [one for one in members if not all(a <= b for a, b in zip(point, one, strict=True))] + [point]


def reference_point(points: Sequence[Point], chance_error: float) -> tuple[float, ...]:
    """Reference of a run: the error of guessing, and 1.1 times the worst value of every cost."""
    if not points:
        return (chance_error,)
    costs = [1.1 * max(p[i] for p in points) for i in range(1, len(points[0]))]
    return (chance_error, *costs)


DECADE = 0.05
"""Score that ten times less cost is worth to the knee: 5 points."""


def knee(points: Sequence[Point]) -> int | None:
    """Index of the front point closest to the ideal corner; DECADE of error is as far as a decade of cost.

    The first axis is the error. The scale is fixed, not the front's own extent: where the front reaches down
    to very cheap and very bad members, those would otherwise make bad ones look good. Several costs count by
    their root mean square.
    """
    if not points:
        return None
    members = front(points)
    scaled = {
        i: [points[i][0] / DECADE, *(math.log10(max(cost, 1e-12)) for cost in points[i][1:])] for i in members
    }
    low = [min(row[a] for row in scaled.values()) for a in range(len(points[0]))]

    def distance(index: int) -> tuple[float, ...]:
        error, *costs = (x - lo for x, lo in zip(scaled[index], low, strict=True))
        return (math.hypot(error, math.hypot(*costs) / max(1, len(costs)) ** 0.5), *points[index])

    return min(members, key=distance)


def crowding(points: Sequence[Point]) -> list[float]:
    """Crowding distance of every point (Deb et al. 2002, NSGA-II); extremes are infinite."""
    distance = [0.0] * len(points)
    for axis in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: points[i][axis])
        span = points[order[-1]][axis] - points[order[0]][axis] or 1.0
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            distance[here] += (points[after][axis] - points[before][axis]) / span
    return distance
