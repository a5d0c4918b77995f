"""A column of times -> sampling rate, and where the recording is broken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import some
from edgeml.data.tables.delimited import MISSING
from edgeml.data.tables.roles import plain
from edgeml.data.tables.table import Column
from edgeml.errors import DataError

GAP = 2.5
"""Times the usual step: further apart, something is missing. Phones' jitter stays below 2."""

UNEVEN = 0.25
"""Share of the usual step that a step may be off ..."""

TOLERATED = 0.05
"""... in this share of all steps, before the user is told."""

MIXED = 0.2
"""Share by which rates of recordings may differ."""

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "micros": 1e-6,
    "ms": 1e-3,
    "millis": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
}
_EPOCHS = ((1e18, 1e-9), (1e15, 1e-6), (1e12, 1e-3), (1e9, 1.0))
"""Since 1970: from what number on, which unit."""


@dataclass(frozen=True, eq=False)
class Timing:
    """What the times say.

    Attributes:
        rate_hz: samples a second; None where it cannot be told.
        gaps: (n,) whether something is missing before this row.
        resets: (n,) whether time runs backwards to this row: another recording begins.
        warnings: sentences for the user.
    """

    rate_hz: float | None
    gaps: NDArray[np.bool_]
    resets: NDArray[np.bool_]
    warnings: tuple[str, ...] = ()


def seconds(column: Column, starts: NDArray[np.bool_]) -> tuple[NDArray[np.float64] | None, str]:
    """Times -> (seconds, warning); None where they are no times.

    The unit is that in the name (time_ms), else that which makes the numbers a date after 2001, else seconds
    for steps below 1 and milliseconds for larger ones.
    """
    values = column.numbers if column.numbers is not None else dates(column)
    if values is None or np.isfinite(values).sum() < 2:
        return (
            None,
            f"column {some([column.name])} holds no times that are understood; rows keep their order.",
        )
    unit, said = (1.0, "") if column.numbers is None else _unit(column.name, values, starts)
    return values * unit, said


def _unit(name: str, values: NDArray[np.float64], starts: NDArray[np.bool_]) -> tuple[float, str]:
    """(seconds of one step of the numbers, warning)."""
    told = _UNITS.get(plain(name).rsplit("_", 1)[-1])
    if told is not None:
        return told, ""
    largest = float(np.nanmax(np.abs(values)))
    since = next((unit for least, unit in _EPOCHS if largest >= least), None)
    if since is not None:
        return since, ""
    steps = np.diff(values)[~starts[1:]]
    steps = steps[steps >= 0]
    if len(steps) and float(np.median(steps)) >= 1:
        return 1e-3, (
            f"column {some([name])} does not say its unit; it was read as milliseconds (call it time_s for "
            "seconds)."
        )
    return 1.0, ""


def dates(column: Column) -> NDArray[np.float64] | None:
    """A column of texts -> seconds since 1970; None where one is no ISO date (2026-11-27 10:00:00.02)."""
    found = np.full(len(column.texts), np.nan)
    for index, text in enumerate(column.texts):
        bare = text.strip()
        if bare.lower() in MISSING:
            continue
        try:
            moment = datetime.fromisoformat(bare.replace("/", "-"))
        except ValueError:
            return None
        found[index] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return found[column.codes] if column.codes is not None and len(found) else None


def timing(
    where: str, times: NDArray[np.float64], starts: NDArray[np.bool_], names: NDArray[np.str_]
) -> Timing:
    """Times by row -> Timing.

    Args:
        where: shown path, for messages.
        times: (n,) seconds; NaN where missing.
        starts: (n,) whether a recording starts in this row.
        names: (n,) its name.

    Raises:
        DataError: recordings of different rates.
    """
    inside = np.r_[False, ~starts[1:]]
    step = np.r_[0.0, np.diff(times)]
    resets = inside & (step < 0)
    forward = inside & (step >= 0)
    if not forward.any():
        return Timing(None, np.zeros(len(times), np.bool_), resets)
    usual = float(np.median(step[forward]))
    if usual == 0:  # a clock coarser than the samples
        return _coarse(times, starts | resets, resets)
    _check_rates(where, step, forward, names)
    gaps = inside & ((step > GAP * usual) | np.isnan(step))
    warnings = []
    if gaps.any():
        first = int(np.argmax(gaps))
        warnings.append(
            f"{int(gaps.sum())} gaps in the times, the first of {step[first]:.3g} s in recording "
            f"{some([str(names[first])])}; no window reaches across one."
        )
    even = np.abs(step - usual) <= UNEVEN * usual
    rest = forward & ~gaps
    off = float((~even[rest]).mean()) if rest.any() else 0.0
    if off > TOLERATED:
        warnings.append(
            f"{100 * off:.0f} % of the samples come more than {100 * UNEVEN:.0f} % too early or too late "
            f"(usually every {1000 * usual:.3g} ms); they were taken as evenly spaced, resample them for "
            "better results."
        )
    return Timing(round(1 / usual, 3), gaps, resets, tuple(warnings))


def _coarse(times: NDArray[np.float64], starts: NDArray[np.bool_], resets: NDArray[np.bool_]) -> Timing:
    none = np.zeros(len(times), np.bool_)
    first = np.flatnonzero(starts)
    last = np.r_[first[1:], len(times)] - 1
    span = float((times[last] - times[first]).sum())
    rate = round(float((last - first).sum()) / span, 3) if span > 0 else None
    return Timing(
        rate, none, resets, ("most samples share a time with the one before; gaps cannot be seen.",)
    )


def _check_rates(
    where: str, step: NDArray[np.float64], forward: NDArray[np.bool_], names: NDArray[np.str_]
) -> None:
    if len(np.unique(names)) < 2:
        return
    order = np.argsort(names[forward], kind="stable")
    listed, steps = names[forward][order], step[forward][order]
    first = np.flatnonzero(np.r_[True, listed[1:] != listed[:-1]])
    medians = {
        str(listed[at]): float(np.median(part))
        for at, part in zip(first, np.split(steps, first[1:]), strict=True)
        if len(part) >= 8
    }
    medians = {name: value for name, value in medians.items() if value > 0}
    if not medians:
        return
    slow, fast = max(medians, key=lambda n: medians[n]), min(medians, key=lambda n: medians[n])
    if medians[slow] > (1 + MIXED) * medians[fast]:
        raise DataError(
            f"{where}: recording {some([slow])} has {1 / medians[slow]:.4g} samples a second and "
            f"{some([fast])} {1 / medians[fast]:.4g}, expected one rate; resample them alike."
        )
