"""Measurement: a number that says what it is, how it was got and how far to trust it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "measured": "read off the artifact or timed on the device",
    "compiled": "a vendor's compiler said so",
    "estimated": "a model of ours predicts it",
    "counted": "exact property of the architecture",
}
"""What `kind` may be; nothing ever shows one as another."""


@dataclass(frozen=True)
class Measurement:
    """One figure about one model on one target.

    Attributes:
        metric: name with its unit, for example "latency_ms".
        value, low, high: the figure and the interval it lies in (equal where exact).
        unit: "ms", "bytes", "MACs", "cycles", "instructions", "operators" or "parameters".
        n: how many readings.
        kind: one of KINDS.
        tool: what gave it, with its version.
        conditions: threads, runtime and whatever else it depends on.
    """

    metric: str
    value: float
    unit: str
    kind: str
    tool: str
    low: float
    high: float
    n: int = 1
    conditions: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}, expected one of {', '.join(KINDS)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def exact(metric: str, value: float, unit: str, kind: str, tool: str) -> Measurement:
    """A Measurement without spread."""
    return Measurement(metric, value, unit, kind, tool, low=value, high=value)
