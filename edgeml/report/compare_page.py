"""Compared -> one self-contained HTML page: fronts over each other, and the tables."""

from __future__ import annotations

from pathlib import Path

from edgeml.report import cost_axis, figures, score_axis
from edgeml.report.charts import Charts, section
from edgeml.report.compare import Compared, kinds
from edgeml.report.compare_fronts import Point
from edgeml.report.compare_tables import shown, tables
from edgeml.report.markup import tag, with_options
from edgeml.report.page import document, write_whole
from edgeml.report.plots import MAX_SERIES, Row, Spec, chart_data, finish
from edgeml.report.tables import row, table

NOTE = (
    "Lines join what each run has best at a cost or below it, of fully trained candidates (int8, "
    "validation). A hypervolume is the share of the box between a constant guess and a perfect "
    "score, and nothing and 1.1 times the highest cost of any front, that a front dominates. Runs with other "
    "seeds differ by chance: one run of each is no proof."
)


def write_comparison(found: Compared, target: Path) -> Path:
    """Write the page.

    Raises:
        StorageError: it cannot be written.
    """
    return write_whole(target, page(found))


def page(found: Compared) -> str:
    """Compared -> the page's HTML."""
    charts = Charts()
    title = " and ".join(found.names) if len(found.names) == 2 else f"{len(found.names)} runs compared"
    notes = [tag("p", with_options(note), class_="warning") for note in found.notes]
    drawn = [charts.place(f"Fronts over {figures.title(cost)}", fronts(found, cost)) for cost in found.costs]
    body = [
        tag("header", tag("h1", title), notes, tag("p", NOTE, class_="note")),
        section("Fronts", tag("div", drawn, class_="charts")),
        *(
            section(name, table(name, heads, [row(list(cells)) for cells in rows]))
            for name, heads, rows in tables(found)
        ),
    ]
    return document(f"{title} - edgeml compare", body, charts)


def fronts(found: Compared, cost: str) -> Spec:
    """Every front over one cost."""
    import altair as alt

    names = [f"{i + 1}: {name}" for i, name in enumerate(found.names)]
    colours = ["theme:front", "theme:knee", *(f"theme:series{i}" for i in range(2, MAX_SERIES))]
    lines = [_point(found, cost, i, point) for i in range(len(names)) for point in found.fronts[cost][i]]
    x = cost_axis.horizontal(lines, cost_axis.title(cost, kinds(found, cost)))
    y = alt.Y("y:Q").title(f"int8 {found.runs[0].goal.title}, validation")
    y = y.axis(score_axis.axis(found.runs[0])).scale(score_axis.scale(found.runs[0]))
    scale = alt.Scale(domain=names, range=[colours[i % len(colours)] for i in range(len(names))])
    colour = alt.Color("run:N").scale(scale).legend(columns=1)
    tip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("key:N"),
        alt.Tooltip("score:N").title(f"int8 {found.runs[0].goal.title}"),
        alt.Tooltip("cost:N").title(figures.title(cost)),
    ]
    line = alt.Chart(chart_data(lines)).mark_line(interpolate="step-after", strokeWidth=2)
    dots = alt.Chart(chart_data(lines)).mark_point(filled=True, size=80, opacity=1)
    return finish(
        alt.layer(
            line.encode(x, y, colour),
            dots.encode(x, y, colour, alt.Shape("run:N").scale(domain=names), tooltip=tip),
        )
    )


def _point(found: Compared, cost: str, index: int, point: Point) -> Row:
    candidate, value, score = point
    return {
        "x": value * figures.scale(cost),
        "y": score_axis.value(found.runs[0], score),
        "run": f"{index + 1}: {found.names[index]}",
        "key": candidate.key,
        "score": figures.score(found.runs[0], score, 2),
        "cost": shown(found, cost, value),
    }
