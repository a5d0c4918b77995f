"""RunFiles -> Vega-Lite charts, as plain specifications for the page's one copy of Vega.

Colours are written as "theme:NAME"; the page replaces them by its CSS variables, light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeml.report import cost_axis, figures, score_axis
from edgeml.report.run_files import CandidateFile, Figure, RunFiles

Spec = dict[str, Any]
Row = dict[str, Any]

ROLES = ("candidate", "Pareto front", "knee", "not trained fully")
DRAWN = (ROLES[3], *ROLES[:3])
"""From the back to the front."""
ROLE_COLOURS = ("theme:other", "theme:front", "theme:knee", "theme:lower")
MAX_SERIES = 8
HEIGHT = 300

AXIS = {
    "labelColor": "theme:muted",
    "titleColor": "theme:ink",
    "gridColor": "theme:line",
    "domainColor": "theme:line",
    "tickColor": "theme:line",
    "titleFontWeight": "normal",
    "titlePadding": 8,
    "labelFontSize": 12,
    "titleFontSize": 13,
}
LEGEND = {
    "labelColor": "theme:ink",
    "titleColor": "theme:ink",
    "orient": "top",
    "title": None,
    "labelFontSize": 12,
    "symbolSize": 90,
    "labelLimit": 220,
}
CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "axis": AXIS,
    "legend": LEGEND,
    "view": {"stroke": None},
    "text": {"color": "theme:ink", "fontSize": 12},
}


def pair(run: RunFiles, cost: str) -> Spec | None:
    """Accuracy against one cost, the front highlighted; None where no candidate has that cost."""
    import altair as alt

    rows = [_point(run, c, c.figures[cost]) for c in run.scored if cost in c.figures]
    if not rows:
        return None
    rows.sort(key=lambda row: DRAWN.index(row["role"]))
    x = cost_axis.horizontal(rows, cost_axis.title(cost, {row["kind"] for row in rows}))
    y = alt.Y("y:Q").title(f"int8 {run.goal.title}, validation")
    y = y.axis(score_axis.axis(run)).scale(score_axis.scale(run))
    shown = len(ROLES) - all(row["role"] != ROLES[3] for row in rows)
    colour = alt.Color("role:N").scale(domain=list(ROLES[:shown]), range=list(ROLE_COLOURS[:shown]))
    if shown == len(ROLES):
        colour = colour.legend(columns=2)  # four in a row are cut off on a phone
    tip = [alt.Tooltip(f"{name}:N").title(title) for name, title in _tip(run, cost).items()]
    spread = [row for row in rows if row["low"] is not None]
    layers = (
        [
            alt.Chart(chart_data(spread))
            .mark_rule(strokeWidth=1.5)
            .encode(alt.X("low:Q"), alt.X2("high:Q"), y, colour)
        ]
        if spread
        else []
    )
    stairs = alt.Chart(chart_data(_staircase(rows))).mark_line(
        interpolate="step-after", color="theme:front", strokeWidth=1.5, opacity=0.7
    )
    layers.append(stairs.encode(x, y))
    for filled in (True, False):
        chosen = [row for row in rows if (row["kind"] != "estimated") is filled]
        points = alt.Chart(chart_data(chosen)).mark_point(filled=filled, size=90, opacity=1, strokeWidth=2)
        layers += [points.encode(x, y, colour, tooltip=tip)] if chosen else []
    return finish(alt.layer(*layers))


def _tip(run: RunFiles, cost: str) -> dict[str, str]:
    """Fields of a point's tooltip with their titles."""
    fixed = {"key": "key", "accuracy": f"int8 {run.goal.title}", "float": f"float {run.goal.title}"}
    costs = {"latency": "latency_ms", "size": "size_bytes", "ram": "ram_bytes", "macs": "macs"}
    own = {} if cost in costs.values() else {"cost": figures.title(cost)}
    return {**fixed, **own, **{name: figures.title(metric) for name, metric in costs.items()}}


def role(run: RunFiles, candidate: CandidateFile) -> str:
    """One of ROLES."""
    if candidate.key == run.knee:
        return ROLES[2]
    if candidate.key in run.front:
        return ROLES[1]
    return ROLES[0] if run.fully_trained(candidate) else ROLES[3]


def role_colour(rows: list[Row]) -> Any:
    """Colour by role, of the roles that occur in the rows."""
    import altair as alt

    there = [i for i, name in enumerate(ROLES) if any(row["role"] == name for row in rows)]
    scale = alt.Scale(domain=[ROLES[i] for i in there], range=[ROLE_COLOURS[i] for i in there])
    return alt.Color("role:N").scale(scale).legend(columns=2)


def _point(run: RunFiles, candidate: CandidateFile, figure: Figure) -> Row:
    factor = figures.scale(figure.metric)
    bounded = bool(figures.interval(figure))
    return {
        "x": figure.value * factor,
        "y": score_axis.value(run, candidate.accuracy or 0.0),
        "score": candidate.accuracy,
        "low": figure.low * factor if bounded and figure.low is not None else None,
        "high": figure.high * factor if bounded and figure.high is not None else None,
        "kind": figure.kind,
        "role": role(run, candidate),
        "key": candidate.key,
        "accuracy": figures.score(run, candidate.accuracy, 2),
        "float": figures.score(run, candidate.accuracy_float, 2),
        "cost": in_words(figure),
        "latency": in_words(candidate.figures.get("latency_ms")),
        "size": in_words(candidate.figures.get("size_bytes")),
        "ram": in_words(candidate.figures.get("ram_bytes")),
        "macs": in_words(candidate.figures.get("macs")),
    }


def in_words(figure: Figure | None) -> str:
    """A figure with its interval and its kind."""
    if figure is None:
        return "-"
    spread = figures.interval(figure)
    return f"{figures.shown(figure)}{f' ({spread})' if spread else ''}, {figure.kind}"


def hollow_note(run: RunFiles, cost: str) -> str:
    """What to say under a chart in which estimates stand beside figures of other kinds."""
    kinds = {c.figures[cost].kind for c in run.scored if cost in c.figures}
    return "Hollow points are estimates." if "estimated" in kinds and len(kinds) > 1 else ""


def _staircase(rows: list[Row]) -> list[Row]:
    """The front's points that no cheaper one equals in accuracy, cheapest first."""
    steps: list[Row] = []
    for row in sorted((r for r in rows if r["role"] in ROLES[1:3]), key=lambda r: (r["x"], -r["score"])):
        if not steps or row["score"] > steps[-1]["score"]:
            steps.append(row)
    return [{"x": row["x"], "y": row["y"]} for row in steps]


def hypervolume(run: RunFiles) -> Spec | None:
    """Hypervolume after every trial; None before the first."""
    import altair as alt

    rows = [
        {"trial": t, "elapsed": f"{s:.0f} s", "volume": v} for t, s, v in run.state.get("hypervolume") or ()
    ]
    if not rows:
        return None
    chart = alt.Chart(chart_data(rows)).encode(
        alt.X("trial:Q")
        .title("trial")
        .axis(tickMinStep=1, format="d", labelExpr="datum.value % 1 ? '' : datum.label")
        .scale(zero=False, nice=False, padding=8),
        alt.Y("volume:Q").title("hypervolume").scale(zero=False),
        tooltip=[alt.Tooltip("trial:Q"), alt.Tooltip("elapsed:N"), alt.Tooltip("volume:Q").format(".5g")],
    )
    line = chart.mark_line(interpolate="step-after", color="theme:front", strokeWidth=2)
    return finish(alt.layer(line, chart.mark_point(filled=True, size=40, color="theme:front", opacity=1)))


def learning(run: RunFiles) -> Spec | None:
    """Training accuracy by epoch of every candidate on the front; None where no history was kept."""
    import altair as alt

    trained = {_network(c) for c in run.front_candidates}
    knee = None if run.knee_candidate is None else _network(run.knee_candidate)
    ordered = sorted((c for c in run.trials if c.key in trained), key=lambda c: c.key != knee)
    told_apart = len(ordered) <= MAX_SERIES
    curves = [_curve(candidate, candidate.key == knee, told_apart) for candidate in ordered]
    rows = [row for curve in curves for row in curve]
    if not rows:
        return None
    names = list(dict.fromkeys(row["series"] for row in rows))
    first = "theme:knee" if rows[0]["key"] == knee else "theme:series0"
    rest = [f"theme:series{i}" for i in range(1, MAX_SERIES)]
    colour = alt.Color("series:N").scale(domain=names, range=[first, *rest][: len(names)]).legend(columns=2)
    classes = run.goal.task == "classification"
    drawn_last_on_top = [row for curve in reversed(curves) for row in curve]
    chart = alt.Chart(chart_data(drawn_last_on_top)).mark_line(
        strokeWidth=2, point={"size": 14, "opacity": 0.9}
    )
    return finish(
        chart.encode(
            alt.X("epoch:Q").title("epoch").axis(tickMinStep=1, format="~r").scale(nice=False),
            _learnt(run),
            colour,
            detail="key:N",
            tooltip=[
                alt.Tooltip("key:N"),
                alt.Tooltip("epoch:Q").format(".3g"),
                *([alt.Tooltip("accuracy:Q").title("training accuracy").format(".2%")] if classes else []),
                alt.Tooltip("loss:Q").format(".4g"),
            ],
        )
    )


def _learnt(run: RunFiles) -> Any:
    """The axis of learning: accuracy where there are classes, else the loss."""
    import altair as alt

    if run.goal.task == "classification":
        return alt.Y("accuracy:Q").title("training accuracy").axis(format="~%").scale(zero=False)
    return alt.Y("loss:Q").title("training loss").axis(format="~g").scale(zero=False)


def _network(candidate: CandidateFile) -> str:
    """Key of the trial that trained it: a compressed variant is its finalist's network."""
    return str((candidate.compression or {}).get("of") or candidate.key)


def _curve(candidate: CandidateFile, knee: bool, told_apart: bool) -> list[Row]:
    series = (
        candidate.key + (" (knee)" if knee else "") if told_apart else ("knee" if knee else "other front")
    )
    return [
        {
            "key": candidate.key,
            "series": series,
            "epoch": epoch,
            "loss": row.get("loss"),
            "accuracy": accuracy,
        }
        for epoch, row in continued(candidate)
        if (accuracy := row.get("accuracy")) is not None
    ]


def continued(candidate: CandidateFile) -> Iterator[tuple[float, Mapping[str, Any]]]:
    """(epochs trained so far, row) of a history in which every rung's and further training counts from 0.

    Trainings whose weights were not carried to the next rung are left out.
    """
    kept = [row for row in candidate.further if row.get("kept")]
    ends = [float(row.get("epochs") or 0.0) for row in (*candidate.rungs, *kept)]
    before = min(0.0, (candidate.fidelity.get("epochs") or sum(ends)) - sum(ends)) if ends else 0.0
    for row in candidate.history:
        epoch = row.get("epoch")
        if epoch is None:
            continue
        if before + epoch > 1e-2:  # both sums are of rounded figures
            yield before + epoch, row
        if len(ends) > 1 and epoch >= ends[0] - 1e-3:  # rungs round to 3 digits
            before += ends.pop(0)


def chart_data(rows: list[Row]) -> Any:
    """Rows -> what altair draws."""
    import altair as alt

    return alt.Data(values=rows)


def finish(chart: Any, height: int = HEIGHT) -> Spec:
    """Chart -> a specification as wide as its place on the page, in the page's colours."""
    sized = chart.properties(
        width="container", height=height, autosize={"type": "fit-x", "contains": "padding"}
    )
    spec: Spec = sized.to_dict(validate=False)  # which takes longer than all else; tests draw them
    return {**spec, "config": CONFIG}
