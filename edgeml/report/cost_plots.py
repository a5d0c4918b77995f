"""RunFiles -> charts of one cost objective against another: the pairs that leave accuracy out."""

from __future__ import annotations

from itertools import combinations

from edgeml.report import cost_axis, figures
from edgeml.report.plots import (
    DRAWN,
    Spec,
    chart_data,
    finish,
    in_words,
    role,
    role_colour,
)
from edgeml.report.run_files import RunFiles


def pairs(run: RunFiles) -> list[tuple[str, str]]:
    """Every two cost objectives."""
    return list(combinations(run.costs, 2))


def pair(run: RunFiles, one: str, other: str) -> Spec | None:
    """One cost against another, the front highlighted; None where no candidate has both."""
    import altair as alt

    rows = [
        {
            "x": c.figures[one].value * figures.scale(one),
            "y": c.figures[other].value * figures.scale(other),
            "estimated": "estimated" in (c.figures[one].kind, c.figures[other].kind),
            "role": role(run, c),
            "key": c.key,
            "score": figures.score(run, c.accuracy, 2),
            "one": in_words(c.figures[one]),
            "other": in_words(c.figures[other]),
        }
        for c in run.scored
        if one in c.figures and other in c.figures
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: DRAWN.index(str(row["role"])))
    kinds = [{c.figures[name].kind for c in run.scored if name in c.figures} for name in (one, other)]
    x = cost_axis.horizontal(rows, cost_axis.title(one, kinds[0]))
    y = cost_axis.vertical(rows, cost_axis.title(other, kinds[1]))
    tip = [
        alt.Tooltip("key:N"),
        alt.Tooltip("score:N").title(f"int8 {run.goal.title}"),
        alt.Tooltip("one:N").title(figures.title(one)),
        alt.Tooltip("other:N").title(figures.title(other)),
    ]
    layers, colour = [], role_colour(rows)
    for filled in (True, False):
        chosen = [row for row in rows if row["estimated"] is not filled]
        points = alt.Chart(chart_data(chosen)).mark_point(filled=filled, size=90, opacity=1, strokeWidth=2)
        layers += [points.encode(x, y, colour, tooltip=tip)] if chosen else []
    return finish(alt.layer(*layers))
