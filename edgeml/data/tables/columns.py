"""Which columns of a table are features: no constants, numbers of rows, free texts or dates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeml.data.sensors.ranges import float32s
from edgeml.data.sensors.recordings import refuse_stray_text
from edgeml.data.sensors.timing import dates
from edgeml.data.source import some
from edgeml.data.tables import roles
from edgeml.data.tables.table import Column, Table
from edgeml.errors import DataError

MOST_FEATURES = 4096
"""Columns; more than that is no table for a microcontroller, and mostly an image."""


def usable(table: Table, names: Sequence[str]) -> tuple[list[Column], list[str]]:
    """Columns that are features, and a sentence for each that is not.

    Raises:
        DataError: none is left, too many, or one is nearly all numbers.
    """
    found: list[Column] = []
    said: dict[str, list[str]] = {}
    for name in names:
        column = table.columns[name]
        reason = _reason(table, column)
        if reason:
            said.setdefault(reason, []).append(name)
        else:
            found.append(column)
    dropped = [f"left out {some(which)}: {reason}." for reason, which in said.items()]
    if not found or len(found) > MOST_FEATURES:
        raise DataError(
            f"{table.where}: found {len(found)} columns that can be features, expected 1 to {MOST_FEATURES}; "
            + (dropped[0] if dropped else "check the delimiter and --label.")
        )
    infinite = [c.name for c in found if c.numbers is not None and np.isinf(float32s(c.numbers)).any()]
    if infinite:
        dropped.append(f"infinite values of {some(infinite)} count as missing.")
    gaps = {c.name: float(c.missing.mean()) for c in found if c.missing.any()}
    if gaps:
        worst = max(gaps, key=lambda name: gaps[name])
        dropped.append(
            f"{len(gaps)} of {len(found)} columns lack values, {some([worst])} {100 * gaps[worst]:.1f} %; "
            "numbers are filled with the training mean, and a feature says so where 1 % or more lack them."
        )
    return found, dropped


def _reason(table: Table, column: Column) -> str:
    """Why a column is no feature; "" where it is one."""
    known = ~column.missing
    if not known.any():
        return "holds no value"
    if column.numbers is not None:
        return _no_number(column)
    values = np.unique(column.as_texts()[known])
    if len(values) == 1 and known.all():
        return f"is always {some([str(values[0])])}"
    if dates(column) is not None:
        return "holds dates (write what matters of them, such as the hour or the age, as numbers)"
    refuse_stray_text(table.where, column)
    if len(values) > 0.5 * known.sum() and len(values) > 20:
        return "holds a text of its own in most rows, as names and notes do"
    return ""


def _no_number(column: Column) -> str:
    values = column.numbers
    assert values is not None
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "holds no finite value"
    if finite.min() == finite.max() and len(finite) == len(values):
        return f"is always {finite[0]:g}"
    name = roles.plain(column.name)
    with np.errstate(invalid="ignore"):  # infinite cells, one after the other
        steps = np.diff(values)
    counting = len(values) > 10 and (abs(steps) == 1).mean() > 0.95 and abs(steps.sum()) > 0.9 * len(steps)
    distinct = len(np.unique(finite)) == len(values) and bool((finite == np.rint(finite)).all())
    called = name in roles.ROW_NUMBERS or name == "id" or name.endswith("_id")
    return "numbers the rows" if counting or (distinct and called and len(values) > 10) else ""
