"""RunFiles -> leaderboard: plain rows for programs, a table for terminals.

Both hold the candidates whose int8 accuracy is known: the Pareto front, then the other fully trained ones by
accuracy, then those that stayed on lower rungs or were ended early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeml.report import climb, compression, figures
from edgeml.report.headline import as_good_as_the_best
from edgeml.report.run_files import CandidateFile, Figure, RunFiles

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

PLAIN = ("size_bytes", "ram_bytes", "macs", "params")
"""Metrics that a row holds as plain numbers, under these names."""


def ranked(run: RunFiles) -> list[CandidateFile]:
    """Scored candidates: the front, those trained fully, then higher rungs first; each by int8 accuracy."""

    def place(candidate: CandidateFile) -> tuple[bool, int]:
        trained = len(run.ladder) if run.fully_trained(candidate) else candidate.rung
        return candidate.key not in run.front, -trained

    return sorted(run.scored, key=place)


def rows(run: RunFiles) -> list[dict[str, Any]]:
    """RunFiles -> one JSON object per scored candidate, in the leaderboard's order.

    Each holds key, number, status, accuracy and accuracy_float (scores 0..1, validation), drop (points:
    hundredths of the score that int8 loses against float, whatever the metric), compression (of finalists and
    variants, see search/finishing/compressing.py), warning (a sentence where the drop is above --max-drop,
    else null), test_accuracy (an object with value, low, high, n; null off the front), latency_ms (an object
    with value, low, high, kind, tool; null when the target has none), size_bytes, ram_bytes, macs, params
    (numbers or null), kinds (metric to kind), pareto, knee, tie (its split cannot tell it from the most
    accurate), fidelity, rung (index of the highest it was trained on), rungs (one object a training), reason
    (of what was stopped early, failed or broke a limit), parent, source, lineage, inherited_fraction; further
    (one object a training) where it was trained further as a member of the front, confirmed where from
    scratch too; and, under its own name, an object like latency_ms for every other metric, such as
    "latency_ms@coral".
    """
    same = as_good_as_the_best(run)
    return [_row(run, candidate, candidate.key in same) for candidate in ranked(run)]


def _row(run: RunFiles, candidate: CandidateFile, tie: bool) -> dict[str, Any]:
    found = candidate.figures
    further = {name: _measured(f) for name, f in found.items() if name not in (*PLAIN, "latency_ms")}
    return {
        "key": candidate.key,
        "number": candidate.number,
        "status": candidate.status,
        "accuracy": candidate.accuracy,
        "accuracy_float": candidate.accuracy_float,
        "drop": compression.drop(candidate),
        "compression": None if candidate.compression is None else dict(candidate.compression),
        "warning": compression.warning(run, candidate),
        "test_accuracy": candidate.test_accuracy,
        "latency_ms": _measured(found["latency_ms"]) if "latency_ms" in found else None,
        **{name: _agreed(candidate, name) for name in PLAIN},
        "kinds": {name: figure.kind for name, figure in found.items()},
        "pareto": candidate.key in run.front,
        "knee": candidate.key == run.knee,
        "tie": tie,
        "fidelity": dict(candidate.fidelity),
        "parent": candidate.parent,
        "inherited_fraction": candidate.inherited_fraction,
        "rung": candidate.rung,
        "rungs": [dict(one) for one in candidate.rungs],
        "reason": candidate.reason,
        "source": candidate.source,
        "lineage": candidate.lineage,
        **({"further": [dict(one) for one in candidate.further]} if candidate.further else {}),
        **({"confirmed": dict(candidate.confirmed)} if candidate.confirmed else {}),
        **further,
    }


def _measured(figure: Figure) -> dict[str, Any]:
    return {name: getattr(figure, name) for name in ("value", "low", "high", "kind", "tool")}


def _agreed(candidate: CandidateFile, metric: str) -> float | None:
    """The metric's value; of several targets', the one they agree on, or None."""
    figure = _agreed_figure(candidate, metric)
    return None if figure is None else figure.value


def _agreed_figure(candidate: CandidateFile, metric: str) -> Figure | None:
    if metric in candidate.figures:
        return candidate.figures[metric]
    found = [f for name, f in candidate.figures.items() if name.partition("@")[0] == metric]
    return found[0] if len({figure.value for figure in found}) == 1 else None


def latencies(run: RunFiles) -> list[str]:
    """Names of the latency metrics that occur: one per target, none for a target without latency."""
    names = {name for c in run.scored for name in c.figures if name.partition("@")[0] == "latency_ms"}
    return sorted(names)


def columns(run: RunFiles) -> list[str]:
    """Metrics with a column: latencies, size, RAM (one a target where they differ), other objectives."""
    names = {name for candidate in run.scored for name in candidate.figures}
    rams = sorted(name for name in names if name.partition("@")[0] == "ram_bytes")
    agreed = all(_agreed_figure(candidate, "ram_bytes") for candidate in run.scored)
    shown = [*latencies(run), "size_bytes", *(["ram_bytes"] if agreed or not rams else rams)]
    return list(dict.fromkeys([*shown, *(name for name in run.costs if name != "macs")]))


def table(run: RunFiles) -> Table:
    """RunFiles -> a table that fits 100 columns when there is one target."""
    from rich.table import Table
    from rich.text import Text

    metrics, single = columns(run), len(latencies(run)) < 2
    caption = f"{figures.legend(_marked_kinds(run, metrics))}; MACs counted; * Pareto front, K knee; "
    caption += _scores(run)
    top, climbed = len(run.ladder), climb.has_rungs(run)
    if climbed:
        caption += f"; rung {top}/{top} is full training"
    same = as_good_as_the_best(run)
    caption += "; = as accurate as the best, as far as its split can show" if same else ""
    caption += "; ! ended early by its learning curve" if climb.ended(run) else ""
    result = Table(title=Text(run.name), caption=Text(caption), box=None, padding=(0, 1, 0, 0), expand=False)
    result.add_column("key", no_wrap=True)
    if climbed:
        result.add_column("rung", no_wrap=True)
    for name in ("int8", "float", "drop", "test"):
        result.add_column(name, justify="right")
    for metric in metrics:
        result.add_column(Text(f"{figures.title(metric)} {figures.unit(metric)}".strip()), justify="right")
    for name in ("MACs", "front"):
        result.add_column(name, justify="right" if name != "front" else "left")
    for candidate in ranked(run):
        costs = [_cost(_agreed_figure(candidate, metric), single) for metric in metrics]
        result.add_row(*_cells(run, candidate, costs, candidate.key in same))
    return result


def _marked_kinds(run: RunFiles, metrics: list[str]) -> set[str]:
    """Kinds of the figures that stand in the table with a mark."""
    found = (_agreed_figure(c, name) for c in run.scored for name in metrics)
    return {figure.kind for figure in found if figure is not None}


def _cells(run: RunFiles, candidate: CandidateFile, costs: list[str], tie: bool) -> list[Text]:
    from rich.text import Text

    test = candidate.test_accuracy or {}
    front = "*" if candidate.key in run.front else "!" if candidate.ended else ""
    texts = [
        candidate.key,
        *([climb.label(run, candidate)] if climb.has_rungs(run) else []),
        *(_bare(run, value) for value in (candidate.accuracy, candidate.accuracy_float)),
        compression.shown_drop(run, candidate),
        _bare(run, test.get("value")),
        *costs,
        figures.count(_agreed(candidate, "macs")),
        front + ("K" if candidate.key == run.knee else "") + ("=" if tie else ""),
    ]
    return [Text(text, style="bold" if candidate.key == run.knee else "") for text in texts]


def _scores(run: RunFiles) -> str:
    """What int8, float and test are."""
    title = run.goal.title
    many = f"{title.removesuffix('y')}ies" if title.endswith("y") else title
    unit = {"%": "in %", "target": "in the unit of the label"}.get(str(run.metric["unit"]), "0 to 1")
    return f"{many} {unit}"


def _bare(run: RunFiles, score: float | None) -> str:
    """A score without its unit, which stands below the table."""
    return figures.score(run, score).removesuffix(" %")


def _cost(figure: Figure | None, single: bool) -> str:
    """A figure without its unit, which the head of the column says; a single latency with its interval."""
    if figure is None:
        return "-"
    timed = figure.metric.partition("@")[0].endswith("_ms")
    spread = figures.interval(figure).replace(" to ", "-") if timed and single else ""
    value = figures.shown(figure).removesuffix(f" {figures.unit(figure.metric)}")
    return f"{value}{f' ({spread})' if spread else ''} {figures.mark(figure.kind)}"
