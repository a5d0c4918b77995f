"""RunFiles -> how candidates were trained: what all have in common, and a table of what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.report import figures
from edgeml.report.leaderboard import ranked
from edgeml.report.markup import Markup, join, tag
from edgeml.report.run_files import RunFiles
from edgeml.report.tables import plain, row, table


def settings(run: RunFiles) -> tuple[dict[str, Any], list[str]]:
    """(settings that all scored candidates share, names of those that differ)."""
    found = [c.recipe for c in run.scored if c.recipe]
    names = list(dict.fromkeys(name for recipe in found for name in recipe))
    values = {name: {plain(recipe.get(name)) for recipe in found} for name in names}
    common = {name: found[0].get(name) for name in names if len(values[name]) == 1}
    return common, [name for name in names if name not in common]


def common_words(common: Mapping[str, Any]) -> str:
    """Shared settings in one line: "learning rate 0.008, optimiser adam"."""
    return ", ".join(f"{name.replace('_', ' ')} {_said(value)}" for name, value in common.items())


def _said(value: Any) -> str:
    return "by the data" if value is None else plain(value)


def shown(run: RunFiles) -> Markup | None:
    """Shared settings in words, the others as a table; None where no candidate has a recipe."""
    common, differing = settings(run)
    if not common and not differing:
        return None
    whole = "Every candidate was trained with" if not differing else "All were trained with"
    words = tag("p", f"{whole}: {common_words(common)}.") if common else None
    if not differing:
        return join([words])
    rows = [
        row(
            [
                tag("code", c.key),
                figures.score(run, c.accuracy),
                plain(c.fidelity.get("epochs", "-")),
                *(_said(c.recipe.get(name)) for name in differing),
            ]
        )
        for c in ranked(run)
        if c.recipe
    ]
    heads = ["key", f"int8 {run.goal.title}", "epochs", *(name.replace("_", " ") for name in differing)]
    return join([words, table("Training settings that differ", heads, rows, tight=True)])
