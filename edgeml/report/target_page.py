"""Target -> what `edgeml targets NAME` prints: what it allows, costs and refuses, and from where it knows."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeml.target.limits import describe as amount
from edgeml.target.meter_table import METERS
from edgeml.target.profile import Target
from edgeml.target.rule_sets import refusals


def describe(target: Target) -> dict[str, Any]:
    """The profile with the state of its meters here and its refusals, as plain JSON values."""
    return {**target.model_dump(), "meter_states": _meters(target), "refusals": refusals(target)}


def page(target: Target) -> Group:
    """The same for people."""
    parts: list[RenderableType] = [Text(f"{target.name}: {target.description}", style="bold")]
    limits = [f"{name} at most {amount(name, value)}" for name, value in target.limit_values().items()]
    parts += _block("Allows", [[line] for line in limits or ["no limits of its own"]])
    parts += _block("Minimises beside the error", [[", ".join(target.objectives)]])
    parts += _block(
        "Figures come from the first of these that can be used",
        [[m["name"], METERS[m["name"]].gives, m["missing"] or "usable here"] for m in _meters(target)],
    )
    parts += _block("Refuses", [[r["says"], r["instead"]] for r in refusals(target)])
    parts += _block("The device", [[f.what, f.value, f.source] for f in target.facts])
    rows = [[n, f"{c.value:g} {c.unit}", c.error, c.source] for n, c in target.coefficients.items()]
    parts += _block("Coefficients of the estimators: value, error, source", rows)
    parts += _block("Notes", [[note] for note in target.notes])
    return Group(*parts)


def _meters(target: Target) -> list[dict[str, Any]]:
    entries = [(name, METERS[name]) for name in target.meters]
    return [
        {
            "name": name,
            "kinds": dict(entry.kinds),
            "does": entry.does,
            "before_training": entry.before_training,
            "missing": entry.missing(target),
        }
        for name, entry in entries
    ]


def _block(title: str, rows: list[list[str]]) -> list[RenderableType]:
    """A title and its rows; nothing where there are none."""
    if not rows:
        return []
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for row in rows:
        table.add_row(Text("-"), *(Text(cell) for cell in row))
    return [Text(""), Text(title, style="bold"), table]
