"""RUN/diagnosis.json -> what the knee gets wrong: confusion, errors and the worst examples.

The search writes the file (search/finishing/diagnosis.py); a run that has none, or one that cannot be read,
has no such section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeml.errors import RunError
from edgeml.report import figures
from edgeml.report.example_pictures import drawn
from edgeml.report.markup import Child, Markup, join, tag
from edgeml.report.plots import Spec, chart_data, finish
from edgeml.report.run_files import RunFiles
from edgeml.report.run_json import read as read_json
from edgeml.report.run_shapes import DiagnosisShape
from edgeml.report.tables import row, table
from edgeml.search.finishing.diagnosis import FILE, LAYOUT

FULL = 55
"""Strongest tint of a cell of the matrix, per cent: letters stay readable on it."""


def read(run: RunFiles) -> Mapping[str, Any] | None:
    """The file; None where there is none for the knee that the run has now."""
    try:
        found = read_json(run.path / FILE, DiagnosisShape)
    except (FileNotFoundError, RunError):
        return None
    return found if found["layout"] == LAYOUT and found["key"] == run.knee else None


def sentence(found: Mapping[str, Any]) -> str:
    """On what, and what goes wrong most."""
    n, of = found["n"], found["of"]
    whole = f"{n} samples" if n == of else f"the first {n} of {of} samples"
    said = f"The knee's int8 artifact on {whole} of the validation split"
    if found["task"] == "regression":
        return f"{said}: on the mean {found['mean_error']:+.3g} off (given minus truth)."
    if found["task"] == "anomaly":
        return f"{said}: the larger the error, the stranger the sample is to the network."
    errors, pairs = found["errors"], found["pairs"]
    if not errors:
        return f"{said}: every one right."
    truth, called, times = pairs[0]
    pair = f"{_name(found, truth)} called {_name(found, called)}"
    one_each = "no two in the same way" if errors > 1 else pair
    return f"{said}: {errors} wrong, {f'most often {pair} ({times} times)' if times > 1 else one_each}."


def _name(found: Mapping[str, Any], label: object) -> str:
    classes: Sequence[Any] = found.get("classes") or ()
    known = isinstance(label, int) and 0 <= label < len(classes)
    return str(classes[label]) if known and isinstance(label, int) else f"class {label}"


def confusion(found: Mapping[str, Any]) -> Markup | None:
    """Rows are the truth, columns what was called; of many classes only the commonest mistakes."""
    if found["task"] != "classification":
        return None
    counts = found.get("confusion")
    if counts is None:
        rows = [row([_name(found, t), _name(found, c), times]) for t, c, times in found["pairs"]]
        return table("Classes that are confused most", ["truth", "called", "times"], rows) if rows else None
    names = [_name(found, i) for i in range(len(counts))]
    heads: list[Child] = ["truth / called", *names, "found"]
    rows = [
        tag("tr", tag("th", names[i], scope="row"), _cells(line, i), tag("td", _recall(line, i)))
        for i, line in enumerate(counts)
    ]
    return tag("div", table("Confusion matrix", heads, rows, tight=True), class_="confusion")


def _cells(line: Sequence[int], truth: int) -> list[Markup]:
    total = sum(line) or 1
    return [
        tag(
            "td",
            times or "",
            class_="hit" if place == truth else "miss",
            style=f"--tint:{FULL * times / total:.0f}%",
        )
        for place, times in enumerate(line)
    ]


def _recall(line: Sequence[int], truth: int) -> str:
    total = sum(line)
    return figures.percent(line[truth] / total, 0) if total else "-"


def errors(found: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """A chart of values against the truth, or of errors of normal and anomalous samples; with its title."""
    import altair as alt

    points = found.get("points")
    if not points:
        return None
    if found["task"] == "regression":
        rows = [{"truth": truth, "given": given} for truth, given in points]
        ends = [min(t for t, _ in points), max(t for t, _ in points)]
        line = [{"truth": end, "given": end} for end in ends]
        x = alt.X("truth:Q").title("truth").scale(zero=False, padding=12)
        y = alt.Y("given:Q").title("given by the knee").scale(zero=False, padding=12)
        tip = [alt.Tooltip("truth:Q").format(".4g"), alt.Tooltip("given:Q").format(".4g")]
        dots = alt.Chart(chart_data(rows)).mark_point(filled=True, size=40, opacity=0.7, color="theme:front")
        ideal = alt.Chart(chart_data(line)).mark_line(color="theme:knee", strokeDash=[6, 4])
        return "Given and true values", finish(alt.layer(ideal.encode(x, y), dots.encode(x, y, tooltip=tip)))
    kinds = ("normal", "anomalous")
    rows = [{"kind": kinds[min(1, int(kind))], "error": error} for kind, error in points]
    log = all(row["error"] > 0 for row in rows)
    x = alt.X("error:Q").title("reconstruction error").scale(type="log" if log else "linear", padding=12)
    y = alt.Y("kind:N").title(None).sort(list(kinds))
    colour = alt.Color("kind:N").scale(domain=list(kinds), range=["theme:front", "theme:knee"]).legend(None)
    marks = alt.Chart(chart_data(rows)).mark_tick(thickness=1.5, opacity=0.7, height=40)
    tip = [alt.Tooltip("kind:N"), alt.Tooltip("error:Q").format(".4g")]
    return "Errors of normal and anomalous samples", finish(marks.encode(x, y, colour, tooltip=tip), 180)


def gallery(found: Mapping[str, Any]) -> Markup | None:
    """The worst examples with what they are and what they were called."""
    items = [
        tag("li", drawn(one), tag("span", _caption(found, one)), class_="wrong" if one.get("wrong") else None)
        for one in found.get("worst") or ()
    ]
    return tag("ul", items, class_="gallery") if items else None


def _caption(found: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    if found["task"] == "regression":
        return f"{one['called']:.4g} given, {one['truth']:.4g} true (sample {one['index']})"
    if found["task"] == "anomaly":
        kind = "anomalous" if one["truth"] else "normal"
        rank = f"stranger than {100 * one['rank']:.0f} %"
        return f"{kind}, error {one['error']:.3g}: {rank} (sample {one['index']})"
    truth, called = _name(found, one["truth"]), _name(found, one["called"])
    sure = f"{100 * one['sure']:.0f} % sure (sample {one['index']})"
    return f"{truth} called {called}, {sure}" if one["wrong"] else f"{truth}, right but only {sure}"


def gallery_note(found: Mapping[str, Any]) -> str:
    """Which examples these are."""
    said = {
        "regression": "The largest errors.",
        "anomaly": "Anomalies that look most normal to the network, then normal samples that look strangest.",
    }
    wrong = "The wrong calls the network was surest of, then the right ones it was least sure of."
    first = said.get(found["task"], wrong)
    return f"{first} A label may be what is wrong. The samples are as the network reads them."


def shown(found: Mapping[str, Any]) -> Markup:
    """Matrix and gallery."""
    examples = gallery(found)
    head = [tag("h3", "Worst examples"), tag("p", gallery_note(found), class_="note")] if examples else None
    return join([confusion(found), head, examples])
