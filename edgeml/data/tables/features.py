"""Columns of a table -> uint8 features, by maps fixed on training rows and written down for devices.

A number goes through a piecewise-linear map: between points[i] and points[i + 1], q = rint((x - points[i]) /
scale[i] + level[i]) in float32 (no product that is added to something: C99 and NumPy give the same numbers).
A category becomes one feature a value, 0 or 255.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.sensors.ranges import as_float32, float32s, limits, rounded
from edgeml.data.tables.table import Column

Spec = Mapping[str, Any]

CATEGORIES = 16
"""Values of a column that get a feature each; the rest share one, `other`."""

PIECES = 17
"""Of the quantile map: 17 pieces of 15 levels."""

LEAST_LEVELS = 16
"""Of 256 that the middle half of a column's values must keep (bench/table_maps.py has the figures)."""

LEAST_MISSING = 0.01
"""Share of missing values from which on a column gets a feature that says so."""


def fit_number(column: Column, rows: NDArray[np.int64], quantiles: bool | None = None) -> dict[str, Any]:
    """A column of numbers, training rows -> its map.

    Args:
        column: numbers; infinite ones count as missing.
        rows: of the training part.
        quantiles: as many training values between any two points, in place of a straight line; None: where
            the line would leave the middle half of the values fewer than LEAST_LEVELS.
    """
    assert column.numbers is not None
    values = float32s(column.numbers[rows])
    known = values[np.isfinite(values)]
    if not len(known):
        known = np.zeros(1, np.float32)
    low, high = limits(known)
    points, levels = [low, high], [0, 255]
    if quantiles is None:
        quarter, three = np.quantile(known.astype(np.float64), [0.25, 0.75])
        quantiles = bool(0 < 255 * (three - quarter) / (high - low) < LEAST_LEVELS)
    if quantiles:
        points, levels = _quantile_points(known, low, high)
    points = [as_float32(point) for point in points]
    scales = [
        as_float32((b - a) / (to - start))
        for (a, b), (start, to) in zip(pairwise(points), pairwise(levels), strict=True)
    ]
    return {
        "name": column.name,
        "kind": "number",
        "points": points,
        "scale": scales,
        "level": levels,
        "fill": as_float32(float(known.astype(np.float64).mean())),
        "missing": bool((~np.isfinite(values)).mean() >= LEAST_MISSING),
    }


def _quantile_points(known: NDArray[np.float32], low: float, high: float) -> tuple[list[float], list[int]]:
    """Points of equal share, those that coincide once; the ends are those of the straight line."""
    inner = np.quantile(known.astype(np.float64), np.linspace(0, 1, PIECES + 1))
    inner[0], inner[-1] = low, high
    step = 255 // PIECES
    points, levels = [low], [0]
    for index in range(1, PIECES):
        point = float(inner[index])
        least = 1e-5 * abs(point)  # above float32's resolution
        if point - points[-1] > least and high - point > least:
            points.append(point)
            levels.append(step * index)
    return [*points, high], [*levels, 255]


def fit_category(column: Column, rows: NDArray[np.int64]) -> dict[str, Any]:
    """A column of texts, training rows -> its values, the most frequent first."""
    texts = column.as_texts()[rows][~column.missing[rows]]
    values, counts = np.unique(texts, return_counts=True)
    order = np.lexsort((values, -counts))
    kept = [str(values[index]) for index in order[:CATEGORIES]]
    return {"name": column.name, "kind": "category", "categories": kept, "other": len(values) > CATEGORIES}


def width(spec: Spec) -> int:
    """Features that a column becomes."""
    if spec["kind"] == "number":
        return 1 + bool(spec["missing"])
    return len(spec["categories"]) + bool(spec["other"])


def feature_names(specs: Sequence[Spec]) -> list[str]:
    """One name a feature, in their order."""
    found: list[str] = []
    for spec in specs:
        if spec["kind"] == "number":
            found += [spec["name"], *([f"{spec['name']} is missing"] if spec["missing"] else [])]
        else:
            found += [f"{spec['name']} = {value}" for value in spec["categories"]]
            found += [f"{spec['name']} = other"] if spec["other"] else []
    return found


def to_features(specs: Sequence[Spec], columns: Mapping[str, Column]) -> NDArray[np.uint8]:
    """Columns by name -> (n, features)."""
    parts = [
        _number(spec, columns[spec["name"]])
        if spec["kind"] == "number"
        else _category(spec, columns[spec["name"]])
        for spec in specs
    ]
    return np.concatenate(parts, axis=1)


def _number(spec: Spec, column: Column) -> NDArray[np.uint8]:
    assert column.numbers is not None
    values = float32s(column.numbers)
    gone = ~np.isfinite(values)
    found = map_number(spec, np.where(gone, np.float32(spec["fill"]), values))
    marks = [np.where(gone, 255, 0).astype(np.uint8)] if spec["missing"] else []
    return np.stack([found, *marks], axis=1)


def map_number(spec: Spec, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n,) finite raw values -> (n,) levels."""
    points, scale = (np.array(spec[name], np.float32) for name in ("points", "scale"))
    level = np.array(spec["level"], np.float32)
    piece = np.clip(np.searchsorted(points, values, side="right") - 1, 0, len(scale) - 1)
    with np.errstate(over="ignore"):
        return rounded((values - points[piece]) / scale[piece] + level[piece])


def _category(spec: Spec, column: Column) -> NDArray[np.uint8]:
    texts = column.as_texts()
    columns = [texts == value for value in spec["categories"]]
    if spec["other"]:
        columns.append(~np.any(columns, axis=0) & ~column.missing)
    return np.stack(columns, axis=1).astype(np.uint8) * np.uint8(255)
