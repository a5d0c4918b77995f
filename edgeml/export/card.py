"""What is known of an exported model -> MODEL_CARD.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeml.export import card_history
from edgeml.export.literals import markdown_text as text
from edgeml.export.scores import ClassScore, Scores
from edgeml.export.spec import Share, Spec
from edgeml.report import figures
from edgeml.report.run_files import Figure
from edgeml.report.tables import plain
from edgeml.search.compression import points

NAME = "MODEL_CARD.md"
MOST_CLASSES = 100
"""With more classes the card lists those of the lowest recall; model.json has all."""


@dataclass(frozen=True)
class Handed:
    """One file that is handed over: its format ("" for what is no model) and what the proof said."""

    name: str
    size: int
    format: str
    proof: str


def card(
    spec: Spec,
    scores: Scores,
    metrics: Mapping[str, Mapping[str, Any]],
    handed: Sequence[Handed],
    notes: Sequence[str],
) -> bytes:
    """MODEL_CARD.md of one model.

    Args:
        spec: what it is and how it was found.
        scores: on the test split, by class.
        metrics: Measurement dicts by metric.
        handed: the files.
        notes: sentences that a reader must not miss.
    """
    sections = [
        _head(spec, notes),
        _files(handed),
        _accuracy(spec),
        _classes(scores),
        _costs(metrics),
        card_history.data(spec),
        card_history.training(spec),
        card_history.search(spec),
        _use(spec),
        card_history.again(spec),
    ]
    return ("\n\n".join(part for part in sections if part) + "\n").encode("utf-8", "backslashreplace")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells, already Markdown -> a table; nothing where there are no rows."""
    lines = ["| " + " | ".join(cell or "-" for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines]) if lines else ""


def _head(spec: Spec, notes: Sequence[str]) -> str:
    height, width, channels = spec.architecture.input_shape
    what = "RGB" if channels == 3 else "grey"
    targets = " and ".join(f"`{text(str(name))}`" for name in spec.search.settings.targets)
    made = "trained again from scratch by `edgeml rebuild`" if spec.rebuilt else f"searched for {targets}"
    lines = [
        f"# Model card: {spec.key}",
        f"An image classifier of {len(spec.data.classes):,} classes for {width} x {height} {what} images "
        f"(raw values 0 to 255, batch of 1), full int8, {made} by edgeml {spec.edgeml} on the data set "
        f"{text(spec.data.name)}.",
    ]
    return "\n\n".join([*lines, *(f"**Note:** {text(note, 2000)}" for note in notes)])


def _files(handed: Sequence[Handed]) -> str:
    rows = [(f"`{one.name}`", f"{one.size:,}", one.format, text(one.proof, 500)) for one in handed]
    return (
        "## Files\n\nThe last column says what came of opening a file with its real runtime, in a process of "
        "its own, and comparing it with what was scored. `sha256sum -c SHA256SUMS` checks that no file has "
        "changed since.\n\n" + table(("file", "bytes", "format", "proof"), rows)
    )


def percent_with(share: Share) -> str:
    """A share with its interval: "97.8 % (95.2 % to 99.0 %, n = 269)"."""
    low, high = figures.percent(max(0.0, share.low)), figures.percent(min(1.0, share.high))
    return f"{figures.percent(share.value)} ({low} to {high}, n = {share.n:,})"


def _accuracy(spec: Spec) -> str:
    scored = spec.scored
    before = " before compression" if spec.search.lineage.compression else ""
    rows = [
        ("int8 artifact, test split", percent_with(scored.test)),
        ("int8 artifact, validation split", percent_with(scored.validation)),
        (f"float network{before}, validation split", figures.percent(scored.validation_float)),
    ]
    if scored.validation_float is not None:
        drop = points(scored.validation_float, scored.validation.value)
        rows.append(("drop from float to int8, validation split", f"{drop:.1f} percentage points"))
    confirmed = spec.search.lineage.confirmed
    if confirmed and confirmed.test_accuracy and not spec.rebuilt:
        again = percent_with(Share.model_validate(confirmed.test_accuracy))
        rows.append(("the same network trained from scratch, int8, test split", again))
    return (
        "## Accuracy\n\nIn brackets the 95 % Wilson interval and the number of images. The test split had no "
        "part in training or in the search; the validation split steered the search, so its figure "
        "flatters.\n\n" + table(("what", "top-1 accuracy"), rows)
    )


def _classes(scores: Scores) -> str:
    rows = list(scores.classes)
    note = "The int8 artifact on the test split."
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda row: (row.recall is None, row.recall))[:MOST_CLASSES]
        note += (
            f" The {MOST_CLASSES} of {len(scores.classes):,} classes with the lowest recall; `model.json` "
            "(`per_class`) has all."
        )
    shown = table(("class", "precision", "recall", "n"), (_class_row(row) for row in rows))
    mixed = "; ".join(f"{text(a)} taken for {text(b)}: {n}" for a, b, n in scores.confusions)
    return f"## By class\n\n{note}\n\n{shown}" + (f"\n\nMost frequent mistakes: {mixed}." if mixed else "")


def _class_row(row: ClassScore) -> tuple[str, ...]:
    return text(row.name), figures.percent(row.precision), figures.percent(row.recall), str(row.n)


def _costs(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    found = [Figure(**{**dict(value), "metric": name}) for name, value in metrics.items()]
    rows = [
        (
            figures.title(figure.metric),
            figures.shown(figure),
            figures.interval(figure),
            f"**{figure.kind}**",
            text(figure.tool),
            "" if figure.n is None else str(figure.n),
            text(plain(figure.conditions), 400) if figure.conditions else "",
        )
        for figure in found
    ]
    return (
        "## Costs\n\nmeasured: read off the file or timed; compiled: a vendor's compiler said so; estimated: "
        "a model of edgeml's; counted: an exact property of the architecture.\n\n"
        + table(("what", "value", "interval", "kind", "tool", "readings", "conditions"), rows)
    )


def _use(spec: Spec) -> str:
    height, width, _ = spec.data.input_shape
    items = [
        f"Meant for: images like those of {text(spec.data.name)} (resized to {width} x {height}), one object "
        "an image, on devices of the kind searched for.",
        'It knows no "none of these": whatever the image shows, one of the classes gets the largest share.',
        "Its probabilities are the softmax of a quantised network in steps of 1/256; nobody calibrated them.",
        f"Accuracy was measured on {spec.scored.test.n:,} images of the same source as the training images. "
        "Other cameras, light or people were not tried, nor was fairness between groups of people.",
        "Not for decisions about people's safety, health or rights without an evaluation for that use.",
        "What the costs table calls estimated was not measured on a device.",
    ]
    return "## Intended use and limitations\n\n" + "\n".join(f"- {item}" for item in items)
