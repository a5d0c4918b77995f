"""Guardrails on the cells of a table, which are gone once its columns are features."""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.data.guardrails.finding import Finding
from edgeml.data.source import shown
from edgeml.data.tables.table import Column

MANY = 0.3
"""Share of missing cells of a column from which on its mean says little."""


def missing_cells(columns: Sequence[Column]) -> tuple[Finding, ...]:
    """Columns of the training part -> a finding where cells are missing."""
    gone = [(int(column.missing.sum()), column) for column in columns]
    some = sorted(((count, column) for count, column in gone if count), key=lambda one: -one[0])
    if not some:
        return ()
    many = any(count >= MANY * len(column) for count, column in some)
    return (
        Finding(
            "warning" if many else "note",
            "missing-values",
            sum(count for count, _ in some),
            f"cells of {len(some)} of {len(gone)} columns have no value.",
            "takes the mean of the column, and where 1 % and more are missing a feature that says so.",
            tuple(f"{shown(column.name)} ({count} of {len(column)})" for count, column in some),
        ),
    )
