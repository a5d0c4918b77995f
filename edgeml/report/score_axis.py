"""Scores on axes and in sentences, in the unit of the run's metric: errors run downwards."""

from __future__ import annotations

from typing import Any

from edgeml.data.metrics import METRICS
from edgeml.report.run_files import RunFiles


def _unit(run: RunFiles) -> str:
    return METRICS[run.goal.metric].unit


def value(run: RunFiles, score: float) -> float:
    """A score -> what an axis shows: itself, or the error in the label's unit."""
    return run.goal.value_of(score)


def axis(run: RunFiles) -> Any:
    """Axis of scores: per cent where the metric is a share, and no label where a share cannot be."""
    import altair as alt

    if _unit(run) != "%":
        return alt.Axis(format="~g")
    return alt.Axis(format="~%", labelExpr="datum.value < 0 || datum.value > 1 ? '' : datum.label")


def scale(run: RunFiles, padding: int = 12) -> Any:
    """Scale of scores: better is up, so that errors run downwards."""
    import altair as alt

    reverse = not METRICS[run.goal.metric].higher_is_better
    return (
        alt.Scale(zero=False, padding=padding, reverse=True)
        if reverse
        else alt.Scale(zero=False, padding=padding)
    )


def upwards(run: RunFiles, low: float, high: float) -> tuple[float, float]:
    """Ends of an interval of scores, in the order in which they grow in the metric's unit."""
    return (low, high) if METRICS[run.goal.metric].higher_is_better else (high, low)


def tip_format(run: RunFiles) -> str:
    """d3 format of a score in a tooltip."""
    return ".2%" if _unit(run) == "%" else ".4g"
