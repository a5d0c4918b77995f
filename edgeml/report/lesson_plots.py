"""RunFiles -> charts of what a run teaches: score and speed against size, trades, importance of decisions."""

from __future__ import annotations

import math
from typing import Any

from edgeml.report import convergence, cost_axis, figures, score_axis, size_effect, trades
from edgeml.report.importance import CLEAR_ERRORS, Importance
from edgeml.report.plots import Row, Spec, chart_data, finish, role, role_colour
from edgeml.report.run_files import RunFiles
from edgeml.report.trends import Trend

FIRST = 12
"""Decisions that are drawn."""
MOST_LABELS = 7
"""Steps of a front that are labelled; of more, the labels lie over each other."""
CURVE = 60


def size(run: RunFiles, name: str) -> Spec | None:
    """Score against parameters, MACs or channels, with the trend; None without two sizes."""
    import altair as alt

    taken = size_effect.sample(run)
    rows = [
        {
            "x": x,
            "y": score_axis.value(run, score),
            "role": role(run, c),
            "key": c.key,
            "size": figures.count(x),
            "score": figures.score(run, score, 2),
        }
        for c, x, score in size_effect.points(taken, name)
    ]
    if len({row["x"] for row in rows}) < 2:
        return None
    scale = alt.Scale(type="log", padding=12, nice=False)
    x = alt.X("x:Q").title(size_effect.TITLES[name]).scale(scale).axis(format="~s", tickCount=5)
    y = alt.Y("y:Q").title(f"int8 {run.goal.title}, {taken.training}").axis(score_axis.axis(run))
    y = y.scale(score_axis.scale(run))
    points = alt.Chart(chart_data(rows)).mark_point(filled=True, size=60, opacity=1)
    tip = [
        alt.Tooltip("key:N"),
        alt.Tooltip("size:N").title(size_effect.TITLES[name]),
        alt.Tooltip("score:N").title(f"int8 {run.goal.title}"),
    ]
    layers = [points.encode(x, y, role_colour(rows), tooltip=tip)]
    found = size_effect.trend(taken, name)
    if found is not None:
        line = [{"x": at, "y": score_axis.value(run, min(1.0, value))} for at, value in _line(found)]
        layers.append(_trend_line(line).encode(x, y))
    return finish(alt.layer(*layers))


def _line(found: Trend) -> list[tuple[float, float]]:
    """The trend at sizes spaced evenly in decades, and at its bend."""
    low, high = math.log(found.smallest), math.log(found.largest)
    places = {math.exp(low + (high - low) * i / (CURVE - 1)) for i in range(CURVE)} | {found.bend}
    return [(x, found.at(x)) for x in sorted(places)]


def _trend_line(rows: list[Row]) -> Any:
    import altair as alt

    return alt.Chart(chart_data(rows)).mark_line(color="theme:knee", strokeWidth=2, strokeDash=[6, 4])


def speed(run: RunFiles) -> Spec | None:
    """Epochs to 90 % of the final accuracy against parameters; None without two sizes."""
    import altair as alt

    rows = [
        {
            "x": one.params,
            "y": one.epochs,
            "how": one.beginning,
            "key": one.candidate.key,
            "size": figures.count(one.params),
        }
        for one in convergence.speeds(run)
    ]
    if len({row["x"] for row in rows}) < 2:
        return None
    log = alt.Scale(type="log", padding=12, nice=False)
    x = alt.X("x:Q").title("parameters").scale(log).axis(format="~s", tickCount=5)
    y = alt.Y("y:Q").title(f"epochs to 90 % of {convergence.final_words(run)}").scale(zero=False, padding=12)
    hows = [how for how in convergence.BEGINNINGS if any(row["how"] == how for row in rows)]
    shades = [
        {"began afresh": "theme:front", "began with inherited weights": "theme:other"}[how] for how in hows
    ]
    colour = alt.Color("how:N").scale(domain=hows, range=shades).legend(columns=1)
    tip = [
        alt.Tooltip("key:N"),
        alt.Tooltip("size:N").title("parameters"),
        alt.Tooltip("y:Q").title("epochs to 90 %").format(".3g"),
        alt.Tooltip("how:N").title("it"),
    ]
    points = alt.Chart(chart_data(rows)).mark_point(filled=True, size=60, opacity=1)
    layers = [points.encode(x, y, colour, tooltip=tip)]
    found = convergence.trend(run)
    if found is not None:
        layers.append(_trend_line([{"x": at, "y": 2**value} for at, value in _line(found)]).encode(x, y))
    return finish(alt.layer(*layers))


def trade(run: RunFiles, cost: str) -> Spec | None:
    """The front along one cost, every step with what it gains and what it costs; None without a step."""
    import altair as alt

    found = trades.trades(run, cost)
    if not found:
        return None
    factor = figures.scale(cost)
    members = [found[0].cheap, *(one.better for one in found)]
    rows: list[Row] = [
        {
            "x": c.figures[cost].value * factor,
            "y": score_axis.value(run, c.accuracy or 0.0),
            "key": c.key,
            "score": figures.score(run, c.accuracy, 2),
            "cost": f"{figures.shown(c.figures[cost])}, {c.figures[cost].kind}",
        }
        for c in members
    ]
    labels = [
        {
            "x": _middle(before["x"], after["x"]),
            "y": (before["y"] + after["y"]) / 2,
            "label": _label(run, one),
            "words": trades.sentence(run, one),
        }
        for one, before, after in zip(found, rows, rows[1:], strict=False)
    ]
    log = all(row["x"] > 0 for row in rows)
    scale = alt.Scale(type="log", padding=40, nice=False)
    if not log:
        scale = alt.Scale(zero=False, padding=40, nice=False)
    x = alt.X("x:Q").title(cost_axis.title(cost, {c.figures[cost].kind for c in members})).scale(scale)
    x = x.axis(format="~g" if figures.unit(cost) else "~s", tickCount=5)
    y = alt.Y("y:Q").title(f"int8 {run.goal.title}, validation").axis(score_axis.axis(run))
    y = y.scale(score_axis.scale(run, 24))
    line = alt.Chart(chart_data(rows)).mark_line(color="theme:front", strokeWidth=2).encode(x, y)
    tip = [
        alt.Tooltip("key:N"),
        alt.Tooltip("score:N").title(f"int8 {run.goal.title}"),
        alt.Tooltip("cost:N").title(figures.title(cost)),
    ]
    points = alt.Chart(chart_data(rows)).mark_point(filled=True, size=90, opacity=1, color="theme:front")
    layers = [line, points.encode(x, y, tooltip=tip)]
    if len(labels) <= MOST_LABELS:
        text = alt.Chart(chart_data(labels)).mark_text(
            align="left", baseline="top", dx=8, dy=4, lineBreak="\n", color="theme:ink", fontSize=11
        )
        layers.append(text.encode(x, y, text="label:N", tooltip=[alt.Tooltip("words:N").title("step")]))
    return finish(alt.layer(*layers))


def _middle(low: float, high: float) -> float:
    return math.sqrt(low * high) if low > 0 else (low + high) / 2


def _label(run: RunFiles, one: trades.Trade) -> str:
    gain = run.goal.gap(one.gain, sign=True)
    return gain if one.ratio is None else f"{gain}\n{one.ratio:.3g}x"


def decisions(found: Importance) -> Spec:
    """The most important decisions as bars with their errors."""
    import altair as alt

    rows = [
        {
            "name": d.name,
            "share": max(0.0, d.share),
            "low": max(0.0, d.share - CLEAR_ERRORS * d.error),
            "high": max(0.0, d.share + CLEAR_ERRORS * d.error),
            "best": "-" if d.best is None else d.best.name,
            "worst": "-" if d.worst is None else d.worst.name,
        }
        for d in found.decisions[:FIRST]
    ]
    y = alt.Y("name:N").sort([row["name"] for row in rows]).title(None)
    y = y.axis(labelLimit=150)
    x = alt.X("share:Q").title("share of the variance of the score").axis(format="~%", tickCount=5)
    tip = [
        alt.Tooltip("name:N").title("decision"),
        alt.Tooltip("share:Q").format(".1%"),
        alt.Tooltip("best:N").title("best on the mean"),
        alt.Tooltip("worst:N").title("worst on the mean"),
    ]
    bars = alt.Chart(chart_data(rows)).mark_bar(color="theme:front", height={"band": 0.6})
    rules = alt.Chart(chart_data(rows)).mark_rule(color="theme:muted", strokeWidth=1.5)
    return finish(
        alt.layer(
            bars.encode(x, y, tooltip=tip), rules.encode(alt.X("low:Q"), alt.X2("high:Q"), y, tooltip=tip)
        ),
        height=max(120, 26 * len(rows)),
    )
