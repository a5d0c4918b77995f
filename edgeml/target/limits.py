"""Limits a user states: `--limit size_kb=100` -> {"size_bytes": 100000.0}, and how far costs exceed them.

With several targets `--limit ram_kb@mcu-m7=64` holds for one of them, without "@" for all.
"""

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
    "flash_bytes": ("flash_bytes", 1),
    "flash_kb": ("flash_bytes", 1e3),
    "flash_kib": ("flash_bytes", 1024),
    "flash_mb": ("flash_bytes", 1e6),
    "streamed_bytes": ("streamed_bytes", 1),
    "host_ops": ("host_ops", 1),
    "macs": ("macs", 1),
    "kmacs": ("macs", 1e3),
    "mmacs": ("macs", 1e6),
    "params": ("params", 1),
    "latency_ms": ("latency_ms", 1),
    "latency_us": ("latency_ms", 1e-3),
}
"""What may stand before the "=": metric and factor."""

MAY_BE_NOTHING = ("host_ops", "streamed_bytes")
"""Metrics whose limit may be 0: all on the accelerator, nothing streamed to it."""

Limits = Mapping[str, float]


def parse_limits(texts: Iterable[str]) -> dict[str, float]:
    """["size_kb=100"] -> {"size_bytes": 100000.0}; the smaller wins where one is given twice.

    Raises:
        ConfigError: no "=", or the value is not a positive number (of MAY_BE_NOTHING, 0 is one too).
        UnknownNameError: the name is not in UNITS.
    """
    limits: dict[str, float] = {}
    for text in texts:
        said, equals, number = text.partition("=")
        if not equals:
            raise ConfigError(f"--limit {text!r}: expected NAME=NUMBER, for example size_kb=100.")
        name, at, target = said.strip().partition("@")
        if name not in UNITS:
            raise UnknownNameError("limit", name, UNITS)
        base, factor = UNITS[name]
        metric = f"{base}{at}{target}"
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        may_be_0 = base in MAY_BE_NOTHING
        if not (value > 0 or (may_be_0 and value == 0)) or math.isinf(value):
            expected = "0 or a positive number" if may_be_0 else "a positive number"
            raise ConfigError(f"--limit {text!r}: found {number!r}, expected {expected}.")
        limits[metric] = min(value * factor, limits.get(metric, math.inf))
    return limits


def violations(costs: Mapping[str, float], limits: Limits) -> dict[str, float]:
    """Relative excess of every limit that is broken: 0.25 is a quarter too much. Unknown costs pass.

    Where the limit is 0 (host_ops), the excess is the cost itself.
    """
    return {
        metric: costs[metric] / limit - 1 if limit else costs[metric]
        for metric, limit in limits.items()
        if metric in costs and costs[metric] > limit
    }


def describe(metric: str, value: float) -> str:
    """A cost in units people read: "size_bytes", 23456 -> "23.5 kB"."""
    base = metric.partition("@")[0]
    if base.endswith("_bytes"):
        return f"{value / 1e3:.1f} kB"
    if base.endswith("_ms"):
        return f"{value:.3g} ms"
    if base == "host_ops":
        return f"{value:.0f} operators"
    for factor, letter in ((1e6, "M "), (1e3, "k ")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}{base}"
    return f"{value:.3g} {base}"
