"""RunFiles -> charts about rungs: do low rungs rank, and which learning curves were ended."""

from __future__ import annotations

from typing import Any

from edgeml.report import climb, figures, score_axis
from edgeml.report.plots import MAX_SERIES, Row, Spec, chart_data, finish
from edgeml.report.run_files import CandidateFile, RunFiles

LEAST_PAIRS = 3
"""Candidates on both rungs before they are drawn, as for their rank correlation."""
CHECKPOINTS = 10
"""Points of a whole learning curve (Watch of edgeml/train/watch.py), evenly spaced."""
FATES = ("trained to the end", "on the Pareto front", "ended early")
FATE_COLOURS = ("theme:other", "theme:front", "theme:knee")


def agreement(run: RunFiles) -> Spec | None:
    """Accuracy on lower rungs against that of full training; None where no rung has three pairs."""
    import altair as alt

    rows = [row for index in range(len(run.ladder) - 1) for row in _pairs(run, index)]
    if not rows:
        return None
    names = list(dict.fromkeys(str(row["rung"]) for row in rows))
    colours = ["theme:front", *(f"theme:series{i}" for i in range(2, MAX_SERIES))][: len(names)]
    chart = alt.Chart(chart_data(rows)).mark_point(filled=True, size=90, opacity=1)
    return finish(
        chart.encode(
            alt.X("low:Q")
            .title(f"int8 {run.goal.title} on the lower rung")
            .axis(score_axis.axis(run))
            .scale(score_axis.scale(run)),
            alt.Y("full:Q")
            .title(f"int8 {run.goal.title}, full training")
            .axis(score_axis.axis(run))
            .scale(score_axis.scale(run)),
            alt.Color("rung:N").scale(domain=names, range=colours),
            alt.Shape("rung:N").scale(domain=names),
            tooltip=[
                alt.Tooltip("key:N"),
                alt.Tooltip("rung:N").title("lower rung"),
                alt.Tooltip("low:Q").title("there").format(score_axis.tip_format(run)),
                alt.Tooltip("full:Q").title("full training").format(score_axis.tip_format(run)),
            ],
        )
    )


def _pairs(run: RunFiles, index: int) -> list[Row]:
    words = f"rung {index + 1}/{len(run.ladder)}"
    found = climb.both(run, index)
    rows = [
        {
            "key": c.key,
            "rung": words,
            "low": score_axis.value(run, low),
            "full": score_axis.value(run, full),
        }
        for c, low, full in found
    ]
    return rows if len(rows) >= LEAST_PAIRS else []


def curves(run: RunFiles) -> Spec | None:
    """Learning curve of every watched training, those ended early marked; None where none was watched."""
    import altair as alt

    watched = [(c, row) for c in run.candidates for row in c.rungs if row.get("curve")]
    watched.sort(key=lambda pair: _fate(run, pair[0], pair[1]))  # drawn last, on top: those ended early
    rows = [point for c, training in watched for point in _curve(run, c, training)]
    if not rows:
        return None
    fates = [fate for fate in FATES if any(row["fate"] == fate for row in rows)]
    colour = alt.Color("fate:N").scale(
        domain=fates, range=[FATE_COLOURS[FATES.index(fate)] for fate in fates]
    )
    colour = colour.legend(columns=2)  # three in a row are cut off on a phone
    x = alt.X("share:Q").title("share of the training").axis(format="~%").scale(domain=[0, 1], nice=False)
    y = alt.Y("accuracy:Q").title(f"float {run.goal.title}, validation").axis(score_axis.axis(run))
    y = y.scale(score_axis.scale(run, 0))
    tip = [
        alt.Tooltip("key:N"),
        alt.Tooltip("fate:N").title("what became of it"),
        alt.Tooltip("share:Q").title("share of the training").format(".0%"),
        alt.Tooltip("accuracy:Q").title(f"float {run.goal.title}").format(score_axis.tip_format(run)),
        alt.Tooltip("expected:N").title("expected at the end"),
    ]
    line = alt.Chart(chart_data(rows)).mark_line(strokeWidth=1.5, point={"size": 14, "opacity": 0.9})
    layers = [line.encode(x, y, colour, detail="line:N", tooltip=tip)]
    ends = [row for row in rows if row["last"] and row["fate"] == FATES[2]]
    if ends:
        cross = alt.Chart(chart_data(ends)).mark_point(
            shape="cross", angle=45, filled=True, size=130, opacity=1
        )
        layers.append(cross.encode(x, y, colour, tooltip=tip))
    return finish(alt.layer(*layers))


def _fate(run: RunFiles, candidate: CandidateFile, training: Any) -> int:
    return 2 if training.get("stopped") else 1 if candidate.key in run.front else 0


def _curve(run: RunFiles, candidate: CandidateFile, training: Any) -> list[Row]:
    values = training["curve"]
    planned = CHECKPOINTS if training.get("stopped") else len(values)
    return [
        {
            "key": candidate.key,
            "line": f"{candidate.key} {training.get('rung', 0)}",
            "fate": FATES[_fate(run, candidate, training)],
            "share": place / planned,
            "accuracy": score_axis.value(run, value),
            "expected": figures.score(run, training.get("expected")),
            "last": place == len(values),
        }
        for place, value in enumerate(values, start=1)
        if value is not None
    ]
