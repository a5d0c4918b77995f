"""RunFiles -> the tables of the page, each in a box that scrolls by itself on a narrow screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeml.report import climb, compression, figures, score_axis
from edgeml.report.headline import as_good_as_the_best
from edgeml.report.leaderboard import ranked
from edgeml.report.markup import Child, Markup, join, tag
from edgeml.report.noise import OF_ONE_READING
from edgeml.report.run_files import CandidateFile, Figure, RunFiles
from edgeml.report.summary import duration, headline_metrics

LOST = ("failed", "infeasible")
COST_ORDER = ("latency_ms", "size_bytes", "ram_bytes", "macs", "params")


def table(label: str, head: Sequence[Child], rows: Iterable[Markup], *, tight: bool = False) -> Markup:
    """A table in a scroll box that a keyboard can reach; a tight one breaks no lines."""
    body = tag("tbody", rows)
    titles = tag("thead", tag("tr", (tag("th", title, scope="col") for title in head)))
    return _scroll(tag("table", titles, body), label, "scroll tight" if tight else "scroll")


def _scroll(content: Markup, label: str, class_: str) -> Markup:
    return tag("div", content, class_=class_, role="region", aria_label=label, tabindex=0)


def row(cells: Sequence[Child], class_: str | None = None) -> Markup:
    """A row; the first cell heads it."""
    first = tag("th", cells[0], scope="row")
    return tag("tr", first, (tag("td", cell) for cell in cells[1:]), class_=class_)


def pairs(values: Mapping[str, Any], label: str) -> Markup:
    """A mapping as a two-column table; nested values become text."""
    rows = [
        row([name.replace("_", " "), plain(value)])
        for name, value in values.items()
        if value not in (None, "")
    ]
    return _scroll(tag("table", tag("tbody", rows)), label, "scroll pairs")


def plain(value: Any) -> str:
    """A JSON value in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items() if v is not None) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def kind_tag(kind: str) -> Markup:
    """The kind of a figure, as a word that cannot be overlooked when it is an estimate."""
    return tag("span", kind, class_="kind estimate" if kind == "estimated" else "kind")


def metric_names(run: RunFiles) -> list[str]:
    """Metrics that occur, in the order of the columns."""
    names = {name for candidate in run.scored for name in candidate.figures}
    bases = [*COST_ORDER, *sorted({name.partition("@")[0] for name in names} - set(COST_ORDER))]
    return sorted(names, key=lambda name: (bases.index(name.partition("@")[0]), name))


def leaderboard(run: RunFiles) -> Markup:
    """Every scored candidate, fully trained ones first; a column's kind is in its head where all agree."""
    metrics = metric_names(run)
    kinds = {m: {c.figures[m].kind for c in run.scored if m in c.figures} for m in metrics}
    climbed = ["rung"] if climb.has_rungs(run) else []
    scratch = any(c.confirmed for c in run.scored)
    heads: list[Child] = ["key", "front", *climbed, "int8", "float", "drop", "test, int8"]
    heads += ["from scratch, int8"] if scratch else []
    for metric in metrics:
        only = kind_tag(next(iter(kinds[metric]))) if len(kinds[metric]) == 1 else None
        heads.append([figures.heading(metric), only])
    heads += ["epochs", "inherited", "from"]
    mixed = {metric for metric in metrics if len(kinds[metric]) > 1}
    same = as_good_as_the_best(run)
    rows = [_leaderboard_row(run, c, metrics, mixed, scratch, c.key in same) for c in ranked(run)]
    return table("Leaderboard", heads, rows, tight=True)


def front(run: RunFiles) -> Markup:
    """The front's members with their scores and the figures that matter most: where no chart can be."""
    names = headline_metrics(run)
    rows = [
        row(
            [
                [tag("code", c.key), " (knee)" if c.key == run.knee else None],
                figures.score(run, c.accuracy),
                _test(run, c.test_accuracy),
                *(_said(c.figures.get(name)) for name in names),
            ]
        )
        for c in run.front_candidates
    ]
    heads = ["key", f"int8 {run.goal.title}, validation", "test", *map(figures.title, names)]
    return table("Pareto front", heads, rows)


def _said(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figures.shown(figure)} {figure.kind}"


def _leaderboard_row(
    run: RunFiles, c: CandidateFile, metrics: list[str], mixed: set[str], scratch: bool, tie: bool
) -> Markup:
    knee, on_front = c.key == run.knee, c.key in run.front
    badges = [tag("span", "front", class_="badge")] if on_front else []
    badges += [tag("span", "knee", class_="badge knee")] if knee else []
    badges += [tag("span", "tie", class_="badge")] if tie else []
    said = "ended early" if c.ended else c.status
    badges += [tag("span", said, class_="badge")] if said not in ("complete", "stopped") else []
    cells: list[Child] = [
        tag("code", c.key),
        badges,
        *([climb.label(run, c)] if climb.has_rungs(run) else []),
        figures.score(run, c.accuracy),
        figures.score(run, c.accuracy_float),
        compression.shown_drop(run, c),
        _test(run, c.test_accuracy),
        *([_scratch(run, c)] if scratch else []),
        *(_cost(c.figures.get(metric), metric in mixed) for metric in metrics),
        plain(c.fidelity.get("epochs", "-")),
        figures.percent(c.inherited_fraction, 0) if c.parent else "-",
        tag("code", c.parent) if c.parent else "-",
    ]
    return row(cells, "knee" if knee else "front" if on_front else None)


def _scratch(run: RunFiles, c: CandidateFile) -> Child:
    if not c.confirmed:
        return "-"
    value = c.confirmed.get("accuracy")
    return "failed" if value is None else figures.score(run, value)


def _test(run: RunFiles, test: Mapping[str, Any] | None) -> Child:
    if not test:
        return "-"
    ends = score_axis.upwards(run, test["low"], test["high"])
    spread = " to ".join(figures.score(run, end).removesuffix(" %") for end in ends)
    return [figures.score(run, test["value"]), tag("small", spread)]


def _cost(figure: Figure | None, tell_kind: bool) -> Child:
    if figure is None:
        return "-"
    value = figures.number(figure.value * figures.scale(figure.metric))
    shown = value if figures.unit(figure.metric) else figures.count(figure.value)
    spread = figures.interval(figure)
    return [shown, tag("small", spread) if spread else None, kind_tag(figure.kind) if tell_kind else None]


def origins(run: RunFiles) -> Markup:
    """Where every figure comes from: metric, kind, tool, number of readings, conditions."""
    found = {
        (name, f.kind, f.tool, "" if f.n is None else str(f.n), plain(_shared(f.conditions))): None
        for c in run.scored
        for name, f in c.figures.items()
    }
    merged: dict[tuple[str, str, str, str], set[str]] = {}
    for name, kind, tool, readings, conditions in found:
        merged.setdefault((name, kind, tool, conditions), set()).add(readings)
    rows = [
        row([figures.title(name), kind_tag(kind), tool, _range(readings), conditions])
        for (name, kind, tool, conditions), readings in merged.items()
    ]
    return table("Origin of the figures", ["figure", "kind", "tool", "readings", "conditions"], rows)


def _shared(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions without what differs from reading to reading, which `noise` sums up."""
    return {name: value for name, value in conditions.items() if name not in OF_ONE_READING}


def _range(readings: set[str]) -> str:
    numbers = sorted(int(text) for text in readings if text.isdigit())
    if not numbers:
        return "-"
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


def times(run: RunFiles) -> Markup | None:
    """Seconds by stage, longest first, with shares as bars."""
    found = {str(name): float(value) for name, value in (run.state.get("time_s") or {}).items() if value}
    total = sum(found.values())
    if not total:
        return None
    rows = [
        row([name, duration(value), f"{100 * value / total:.1f} %", _bar(value / max(found.values()))])
        for name, value in sorted(found.items(), key=lambda item: -item[1])
    ]
    return table("Where the time went", ["stage", "time", "share", ""], rows, tight=True)


def _bar(fraction: float) -> Markup:
    return tag("div", tag("i", style=f"width:{100 * fraction:.1f}%"), class_="bar", aria_hidden="true")


def losses(run: RunFiles) -> Markup | None:
    """Candidates that failed or broke a limit, with the reason."""
    lost = sorted((c for c in run.candidates if c.status in LOST), key=lambda c: c.number)
    if not lost:
        return None
    rows = [row([c.number, tag("code", c.key), c.status, c.reason or "-"]) for c in lost]
    return table("Failed and infeasible candidates", ["trial", "key", "status", "reason"], rows)


def _reason(name: str) -> str:
    """A metric over its limit, or what a device says of an operator ("coral: HARD_SWISH: ...")."""
    return name if ":" in name else f"{figures.title(name)} ({name})"


def refusals(run: RunFiles) -> Markup:
    """Choices taken away, proposals turned down before training by reason, and those known already."""
    items = [
        f"taken out of the space: {one.get('decision')} = {one.get('choice')}, refused by "
        f"{'; '.join(map(str, one.get('reasons') or ()))}"
        for one in run.run.get("pruned") or ()
    ]
    refused = run.state.get("refused") or {}
    items += [f"{number} refused by {_reason(str(name))}" for name, number in refused.items()]
    duplicates = run.state.get("duplicates_avoided")
    if duplicates:
        what = (
            "1 proposal was an architecture"
            if duplicates == 1
            else f"{duplicates} proposals were architectures"
        )
        items.append(f"{what} seen before and cost nothing")
    return tag("ul", (tag("li", item) for item in items)) if items else join(None)
