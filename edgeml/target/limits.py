"""Limits a user states: `--limit size_kb=100` -> {"size_bytes": 100000.0}, and how far costs exceed them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from edgeml.errors import ConfigError, UnknownNameError

UNITS: dict[str, tuple[str, float]] = {
    "size_bytes": ("size_bytes", 1),
    "size_kb": ("size_bytes", 1e3),
    "size_kib": ("size_bytes", 1024),
    "size_mb": ("size_bytes", 1e6),
    "ram_bytes": ("ram_bytes", 1),
    "ram_kb": ("ram_bytes", 1e3),
    "ram_kib": ("ram_bytes", 1024),
    "ram_mb": ("ram_bytes", 1e6),
    "macs": ("macs", 1),
    "kmacs": ("macs", 1e3),
    "mmacs": ("macs", 1e6),
    "params": ("params", 1),
    "latency_ms": ("latency_ms", 1),
    "latency_us": ("latency_ms", 1e-3),
}
"""What may stand before the "=": metric and factor."""

Limits = Mapping[str, float]


def parse_limits(texts: Iterable[str]) -> dict[str, float]:
    """["size_kb=100"] -> {"size_bytes": 100000.0}; the smaller wins where one is given twice.

    Raises:
        ConfigError: no "=", or the value is not a positive number.
        UnknownNameError: the name is not in UNITS.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if not equals:
            raise ConfigError(f"--limit {text!r}: expected NAME=NUMBER, for example size_kb=100.")
        if name.strip() not in UNITS:
            raise UnknownNameError("limit", name.strip(), UNITS)
        metric, factor = UNITS[name.strip()]
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"--limit {text!r}: found {number!r}, expected a positive number.")
        limits[metric] = min(value * factor, limits.get(metric, math.inf))
    return limits


def violations(costs: Mapping[str, float], limits: Limits) -> dict[str, float]:
    """Relative excess of every limit that is broken: 0.25 is a quarter too much. Unknown costs pass."""
    return {
        metric: costs[metric] / limit - 1
        for metric, limit in limits.items()
        if metric in costs and costs[metric] > limit
    }


def describe(metric: str, value: float) -> str:
    """A cost in units people read: "size_bytes", 23456 -> "23.5 kB"."""
    if metric.endswith("_bytes"):
        return f"{value / 1e3:.1f} kB"
    if metric.endswith("_ms"):
        return f"{value:.3g} ms"
    return f"{value / 1e6:.3g} M {metric}" if value >= 1e6 else f"{value / 1e3:.3g} k {metric}"
