"""What is known of an exported model -> MODEL_CARD.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeml.export import card_history, card_input, card_scores
from edgeml.export.card_scores import table
from edgeml.export.literals import markdown_text as text
from edgeml.export.scores import Scores
from edgeml.export.spec import Spec
from edgeml.report import figures
from edgeml.report.run_files import Figure
from edgeml.report.tables import plain

NAME = "MODEL_CARD.md"


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
        card_input.read(spec),
        card_scores.scored(spec),
        card_scores.by_class(scores),
        _costs(metrics),
        card_history.data(spec),
        card_history.training(spec),
        card_history.search(spec),
        card_input.use(spec),
        card_history.again(spec),
    ]
    return ("\n\n".join(part for part in sections if part) + "\n").encode("utf-8", "backslashreplace")


def _head(spec: Spec, notes: Sequence[str]) -> str:
    targets = " and ".join(f"`{name}`" for name in spec.search.settings.targets)
    made = "trained again from scratch by `edgeml rebuild`" if spec.rebuilt else f"searched for {targets}"
    lines = [
        f"# Model card: {spec.key}",
        f"{card_input.what(spec)}, full int8, {made} by edgeml {spec.edgeml} on the data set "
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
