"""Tables of sensor readings -> unbroken stretches of one label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.options import ReadOptions
from edgeml.data.sensors.ranges import float32s
from edgeml.data.sensors.timing import Timing, seconds, timing
from edgeml.data.sensors.windows import Segment
from edgeml.data.source import readable, some
from edgeml.data.tables import roles
from edgeml.data.tables.delimited import as_number
from edgeml.data.tables.table import Column, Table
from edgeml.errors import DataError


@dataclass(frozen=True)
class Roles:
    """Which column of a table is what; None where there is none."""

    label: str | None
    person: str | None
    recording: str | None
    time: str | None
    channels: tuple[str, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """What the place of a file says of its rows; None leaves it to its columns."""

    label: str | None = None
    recording: str = ""
    person: str = ""
    part: str = "train"


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a table holds."""

    segments: tuple[Segment, ...]
    channels: tuple[str, ...]
    rate_hz: float | None
    persons: bool
    warnings: tuple[str, ...]


def find_roles(table: Table, options: ReadOptions, place: Place) -> Roles:
    """Roles of columns, by their names or as the user said.

    Raises:
        DataError: a column that the user named is not there, no label, or no channel.
    """
    names = list(table.columns)
    label = roles.asked(table.where, names, options.label, "--label") if options.label else None
    person = roles.asked(table.where, names, options.group, "--group") if options.group else None
    if label is None:  # where the folder says it, y is a reading
        label = roles.label(names, roles.LABELS if place.label is None else roles.LABELS[:-1])
    if person is not None and person == label:
        raise DataError(
            f"{table.where}: {some([person])} is the label and the group, expected two columns; name another "
            "with --group."
        )
    if place.label is None and label is None:
        last = names[-1]
        if table.columns[last].numbers is not None:
            raise DataError(
                f"{table.where}: found the columns {some(names, 20)} and no label, expected one called "
                "label; name it with --label."
            )
        label = last
    rest = [name for name in names if name not in (label, person)]
    person = person or roles.named(rest, roles.PERSONS)
    recording = roles.named([name for name in rest if name != person], roles.RECORDINGS)
    time = roles.named([name for name in rest if name not in (person, recording)], roles.TIMES)
    channels, dropped = _channels(table, [n for n in rest if n not in (person, recording, time)])
    if not channels:
        raise DataError(
            f"{table.where}: found the columns {some(names, 20)} and no sensor readings among them, expected "
            "columns of numbers; check --label and --group."
        )
    return Roles(label, person, recording, time, channels, dropped)


def _channels(table: Table, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kept, dropped = [], []
    for name in names:
        column = table.columns[name]
        if column.numbers is None:
            refuse_stray_text(table.where, column)
            dropped.append(f"column {some([name])} holds texts and was left out.")
        elif _counts_rows(column.numbers, name):
            dropped.append(f"column {some([name])} counts the rows and was left out.")
        elif np.isnan(column.numbers).all():
            dropped.append(f"column {some([name])} is empty and was left out.")
        else:
            kept.append(name)
    return tuple(kept), tuple(dropped)


def _counts_rows(values: NDArray[np.float64], name: str) -> bool:
    usual = roles.plain(name) in roles.ROW_NUMBERS or name == "column1"
    with np.errstate(invalid="ignore"):  # infinite cells, one after the other
        return usual and len(values) > 2 and bool((np.diff(values)[:-1] == 1).mean() > 0.9)


def refuse_stray_text(where: str, column: Column) -> None:
    """A column of which nearly all are numbers is a column of numbers with mistakes in it.

    Raises:
        DataError: says how many cells, and the first.
    """
    numbers = np.array([as_number(text) is not None for text in column.texts])
    assert column.codes is not None
    bad = ~numbers[column.codes]
    known = ~column.missing
    if (bad & known).sum() < 0.5 * known.sum():
        first = int(np.argmax(bad))
        raise DataError(
            f"{where}: column {some([column.name])} holds text in {int(bad.sum())} of {len(bad)} rows, the "
            "first "
            f"{some([column.texts[column.codes[first]]])} in row {first + 1}, expected numbers; correct "
            "them, or empty the cells."
        )


def record(table: Table, options: ReadOptions, place: Place) -> Recorded:
    """A table -> its segments.

    Args:
        table: one recording or many.
        options: label and group.
        place: what the file's place says.

    Raises:
        DataError: columns cannot be found or used, or rates are mixed.
    """
    if options.label:  # the user's word, not the folder's
        place = replace(place, label=None)
    found = find_roles(table, options, place)
    persons = _keys(table, found.person, place.person)
    recordings = _keys(table, found.recording, place.recording)
    if found.recording and place.recording:  # a number that every file may have
        file = f"{readable(place.recording)} "
        recordings = np.char.add(file, recordings)
    labels = _labels(table, found, place)
    order = np.lexsort((np.arange(table.rows), recordings, persons))
    persons, recordings, labels = persons[order], recordings[order], labels[order]
    starts = _changes(persons) | _changes(recordings)
    clock, warnings = _clock(table, found, order, starts, recordings)
    values = float32s(np.stack([_numbers(table, name)[order] for name in found.channels], axis=1))
    whole: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=1))
    if not whole.all():
        at = int(np.argmin(whole))
        warnings = (
            *warnings,
            f"{int((~whole).sum())} rows lack a value or hold an infinite one, the first in recording "
            f"{some([str(recordings[at]) or table.where])}; no window reaches across them.",
        )
    if (labels == "").any():
        warnings = (*warnings, f"{int((labels == '').sum())} rows have no label and were left out.")
    bare = found.recording is None and not place.recording
    breaks = starts | clock.gaps | clock.resets | _changes(labels) | _changes(whole) | ~whole
    # without recordings of its own in the table, a stretch of one label is one
    own = starts | clock.resets | (_changes(labels) if bare else np.zeros(len(labels), np.bool_))
    number = np.cumsum(own)
    edges = np.flatnonzero(breaks)
    segments = []
    for first, end in pairwise([*edges.tolist(), len(labels)]):
        if whole[first] and labels[first]:
            name = f"{recordings[first]}" if not bare else f"stretch {number[first]}"
            name += f" #{number[first]}" if clock.resets.any() and not bare else ""
            part = Segment(values[first:end], str(labels[first]), name, str(persons[first]), place.part)
            segments.append(part)
    return Recorded(
        tuple(segments),
        found.channels,
        clock.rate_hz,
        bool(found.person or place.person),
        (*table.warnings, *found.dropped, *warnings),
    )


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    values = table.columns[name].numbers
    assert values is not None
    return values


def _keys(table: Table, name: str | None, otherwise: str) -> NDArray[np.str_]:
    if name is None:
        return np.full(table.rows, readable(otherwise))
    column = table.columns[name]
    if column.missing.any():
        first = int(np.argmax(column.missing))
        raise DataError(
            f"{table.where}: column {some([name])} lacks {int(column.missing.sum())} values, the first in "
            f"row {first + 1}, expected every row to say whose it is; fill them, or leave those rows out."
        )
    return column.as_texts()


def _labels(table: Table, found: Roles, place: Place) -> NDArray[np.str_]:
    if place.label is not None:
        return np.full(table.rows, readable(place.label))
    assert found.label is not None
    return table.columns[found.label].as_texts()


def _changes(keys: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.ones(len(keys), np.bool_)
    found[1:] = keys[1:] != keys[:-1]
    return found


def _clock(
    table: Table, found: Roles, order: NDArray[np.int64], starts: NDArray[np.bool_], names: NDArray[np.str_]
) -> tuple[Timing, tuple[str, ...]]:
    none = Timing(None, np.zeros(table.rows, np.bool_), np.zeros(table.rows, np.bool_))
    if found.time is None:
        return none, ()
    column = table.columns[found.time]
    ordered = replace(column)
    if column.numbers is not None:
        ordered.numbers = column.numbers[order]
    else:
        assert column.codes is not None
        ordered.codes = column.codes[order]
    times, said = seconds(ordered, starts)
    if times is None:
        return none, (said,)
    clock = timing(table.where, times, starts, names)
    return clock, (*([said] if said else []), *clock.warnings)
