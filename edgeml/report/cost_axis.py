"""A chart's axis of costs: scale, title, how many labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeml.report import figures

LOG_FROM_RATIO = 20
LABELS = 6
"""About; with twice as many, those of three digits run into each other on half a page."""


def horizontal(rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Column "x" of the rows, in the unit of the title."""
    import altair as alt

    return alt.X("x:Q").title(title).scale(_scale([row["x"] for row in rows])).axis(tickCount=LABELS)


def vertical(rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Column "y" of the rows, in the unit of the title."""
    import altair as alt

    return alt.Y("y:Q").title(title).scale(_scale([row["y"] for row in rows])).axis(tickCount=LABELS)


def title(metric: str, kinds: Iterable[str]) -> str:
    """Metric, unit and the kinds of its figures."""
    return f"{figures.heading(metric)} ({', '.join(sorted(kinds))})"


def _scale(values: Sequence[float]) -> Any:
    """Logarithmic where they span much."""
    import altair as alt

    wide = min(values) > 0 and max(values) / min(values) > LOG_FROM_RATIO
    return (
        alt.Scale(type="log", padding=12, nice=False)
        if wide
        else alt.Scale(zero=False, padding=12, nice=False)
    )
