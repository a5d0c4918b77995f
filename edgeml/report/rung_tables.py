"""RunFiles -> the tables about rungs: the ladder, trainings ended early, and whose weights each one had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.report import climb, figures
from edgeml.report.markup import Child, Markup, tag
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.report.tables import row, table

VERDICTS = {True: "yes", False: "NO", None: "too few to judge"}
"""`ranks` of state.json in words."""


def ladder(run: RunFiles) -> Markup:
    """One row a rung, from the cheapest to full training, and the sum."""
    climbed = len(run.ladder) > 1
    heads = ["rung", "training", *(["share"] if climbed else []), "trainings", "cost", "ended early"]
    heads += ["on both", "Spearman", "ranks"] if climbed else []
    counted = {int(one["rung"]): one for one in run.state.get("rungs") or () if "rung" in one}
    numbers = range(run.first_rung, run.first_rung + len(run.ladder))
    found = [counted.get(number) or _counted(run, number) for number in numbers]
    rows = [_rung(run, *of, climbed) for of in zip(numbers, run.ladder, found, strict=True)]
    if climbed:
        early = len(climb.ended(run))
        sums = [sum(one.get(name) or 0 for one in found) for name in ("trained", "cost")]
        rows.append(row(["all", "", "", sums[0], f"{sums[1]:.2f}", early, "", "", ""]))
    return table("Rungs", heads, rows, tight=True)


def _counted(run: RunFiles, number: int) -> dict[str, Any]:
    """What a run that has no state.json yet has trained on a rung."""
    own = [one for c in run.candidates for one in c.rungs if one.get("rung") == number]
    return {"trained": len(own), "cost": sum(one.get("cost") or 0.0 for one in own)}


def _rung(
    run: RunFiles, number: int, rung: Mapping[str, Any], found: Mapping[str, Any], climbed: bool
) -> Markup:
    early = sum(c.ended is not None and c.ended.get("rung") == number for c in run.candidates)
    cells: list[Child] = [
        climb.place(run, number),
        climb.share(rung),
        *([figures.percent(rung.get("share", 1.0), 0)] if climbed else []),
        found.get("trained", 0),
        f"{found.get('cost') or 0.0:.2f}",
        early,
    ]
    if climbed and "pairs" in found:
        value, ranks = found.get("spearman"), found.get("ranks")
        verdict = VERDICTS.get(ranks, "-")
        cells += [found["pairs"], "-" if value is None else f"{value:.2f}"]
        cells.append(tag("strong", verdict) if ranks is False else verdict)
    elif climbed:
        cells += ["-"] * 3
    return row(cells)


def endings(run: RunFiles) -> Markup | None:
    """Trainings that their learning curves ended, and why; None where none was."""
    found = [_ending(run, c, c.ended) for c in climb.ended(run) if c.ended]
    heads = ["key", "rung", "int8 then", "expected at the end", "reason"]
    return table("Trainings ended early", heads, found) if found else None


def _ending(run: RunFiles, c: CandidateFile, training: Mapping[str, Any]) -> Markup:
    accuracy, expected = training.get("accuracy"), training.get("expected")
    rung = training.get("rung")
    place = climb.place(run, c.rung if rung is None else int(rung))
    cells = [place, figures.score(run, accuracy), figures.score(run, expected), c.reason or "-"]
    return row([tag("code", c.key), *cells])


def lineage(run: RunFiles) -> Markup | None:
    """Candidates that began with another's weights, by trial; None where all began afresh."""
    born = sorted((c for c in run.trials if c.parent or c.source), key=lambda c: c.number)
    rows = [
        row(
            [
                tag("code", c.key),
                tag("code", c.parent) if c.parent else "-",
                c.source or "-",
                figures.percent(c.inherited_fraction, 0),
                c.lineage or "-",
            ]
        )
        for c in born
    ]
    heads = ["key", "weights from", "how", "carried", "what differs from it"]
    return table("Inheritance", heads, rows) if rows else None
