"""RunFiles -> what --compress did: in words for the summary, as a table for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.data.metrics import METRICS
from edgeml.report import figures
from edgeml.report.markup import Markup, tag
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.search.finishing.compression import DEFAULT_MAX_DROP, points

METHODS = {
    "ptq": "other calibration",
    "qat": "quantisation-aware training",
    "prune": "pruned",
    "cluster": "clustered",
}


def drop(candidate: CandidateFile) -> float | None:
    """Points of its score that int8 loses against float; of a variant, against the float network it is of."""
    if candidate.accuracy is None or candidate.accuracy_float is None:
        return None
    return points(candidate.accuracy_float, candidate.accuracy)


def shown_drop(run: RunFiles, candidate: CandidateFile, digits: int = 1) -> str:
    """The drop as a number: in points, 0..1, or in the label's unit how much larger the error became."""
    lost = drop(candidate)
    return "-" if lost is None else run.goal.gap(lost / 100, digits=digits).partition(" ")[0]


def drop_unit(run: RunFiles) -> str:
    """What a drop is counted in."""
    if not METRICS[run.goal.metric].higher_is_better:
        return f"how much more {run.goal.title} int8 has than float"
    points = ", in percentage points" if METRICS[run.goal.metric].unit == "%" else ""
    return f"float minus int8{points}"


def method(candidate: CandidateFile) -> str:
    """A variant's method in words."""
    name = str((candidate.compression or {}).get("method", ""))
    words = next((words for start, words in METHODS.items() if name.startswith(start)), name)
    if name.startswith("prune"):
        pattern = (candidate.compression or {}).get("pattern")
        share = (candidate.compression or {}).get("sparsity") or 0.0
        return f"{words} ({pattern or f'{100 * share:g} %'})"
    if name.startswith("cluster"):
        return f"{words} ({(candidate.compression or {}).get('clusters')} values a kernel)"
    return words


def warning(run: RunFiles, candidate: CandidateFile) -> str | None:
    """A sentence where a candidate loses more at int8 than it may; None where it does not."""
    record = candidate.compression or {}
    if not record.get("warning"):
        return None
    allowed = _allowed_drop(run) if record.get("max_drop") is None else record["max_drop"]
    lost, most = (run.goal.gap(points / 100) for points in (float(record.get("drop") or 0.0), allowed))
    what = f" ({method(candidate)})" if candidate.is_variant else ""
    said = (
        f"WARNING: {candidate.key}{what} is {lost} worse at int8 than as float, more than {most} "
        f"(--max-drop {allowed:g})"
    )
    if candidate.is_variant:
        return f"{said}."
    if any(row.get("method") == "qat" and not row.get("failure") for row in record.get("tried") or ()):
        return f"{said}, quantisation-aware training included; train longer (--epochs) or pick another."
    return f"{said}; --compress auto or qat trains it quantisation-aware."


def _allowed_drop(run: RunFiles) -> float:
    """The run's --max-drop, in points."""
    said = (run.run.get("settings") or {}).get("max_drop")
    return DEFAULT_MAX_DROP if said is None else float(said)


def warnings(run: RunFiles) -> list[str]:
    """One sentence for every finalist and variant that loses too much at int8, or could not be compressed."""
    found = [warning(run, candidate) for candidate in run.scored]
    return [sentence for sentence in found if sentence] + [
        f"WARNING: {what} was not made: {str(why).rstrip('.')}."
        for candidate in run.scored
        for what, why in _failures(candidate)
    ]


def _failures(candidate: CandidateFile) -> list[tuple[str, object]]:
    """Variants of a finalist that could not be made, and why."""
    record = candidate.compression or {}
    whole = [(f"a variant of {candidate.key}", record["failure"])] if record.get("failure") else []
    return whole + [
        (f"{candidate.key}-{row.get('method')}", row["failure"])
        for row in record.get("tried") or ()
        if row.get("failure")
    ]


def sentences(run: RunFiles) -> list[str]:
    """One sentence on the variants that were made; nothing where none was."""
    made = [candidate for candidate in run.scored if candidate.is_variant]
    if not made:
        return []
    parts = [
        f"{c.key} {figures.score(run, c.accuracy)} (drop {run.goal.gap((drop(c) or 0.0) / 100)})"
        for c in made
    ]
    return [f"Compressed variants (int8, validation): {', '.join(parts)}."]


def rows(run: RunFiles) -> list[list[Any]]:
    """Finalists that went through --compress, each followed by its variants: cells of the table."""
    found = []
    for finalist in (c for c in run.scored if c.compression and not c.is_variant):
        found.append(_row(run, finalist, "as searched"))
        variants = [c for c in run.candidates if c.is_variant and c.parent == finalist.key]
        found += [_row(run, variant, method(variant)) for variant in variants]
    return found


HEADS = [
    "key",
    "what",
    "int8",
    "drop",
    "size, kB",
    "zipped, kB",
    "calibration kept of those tried",
    "seconds",
]


def _row(run: RunFiles, candidate: CandidateFile, what: str) -> list[Any]:
    record = candidate.compression or {}
    seconds = record.get("compress_s", record.get("seconds"))
    return [
        tag("code", candidate.key),
        what if candidate.status == "complete" else f"{what}: {candidate.status}, {candidate.reason}",
        figures.score(run, candidate.accuracy, 2),
        shown_drop(run, candidate, 2),
        _kilobytes(candidate, "size_bytes"),
        _kilobytes(candidate, "size_zip_bytes"),
        _calibration(run, record),
        "-" if seconds is None else f"{seconds:.1f}",
    ]


def _kilobytes(candidate: CandidateFile, metric: str) -> str:
    figure = candidate.figures.get(metric)
    return "-" if figure is None else figures.number(figure.value / 1e3)


def _calibration(run: RunFiles, record: Mapping[str, Any]) -> str:
    """The calibration kept and the others that were tried, each with its accuracy."""
    tried = [row for row in record.get("calibrations") or () if row.get("accuracy") is not None]
    if not tried:
        return "-"
    kept = [_choice(run, row) for row in tried if row.get("kept")]
    others = [_choice(run, row) for row in tried if not row.get("kept")]
    return "; ".join(["".join(kept), *([f"tried {', '.join(others)}"] if others else [])])


def _choice(run: RunFiles, row: Mapping[str, Any]) -> str:
    share = f" {row['percentile']:g}" if row.get("percentile") else ""
    images = f", {row['images']} images" if row.get("images") else ""
    return f"{row.get('rule')}{share}{images}: {figures.score(run, row['accuracy'], 2)}"


def note(run: RunFiles) -> Markup:
    """What the table's columns are."""
    return tag(
        "p",
        "int8 accuracies are on the validation split, which also chose the calibration, so the best of "
        f"several is a little too good; the test split chose nothing. Drop: {drop_unit(run)}.",
        class_="note",
    )
