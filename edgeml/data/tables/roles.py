"""Names of columns -> what they are: label, person, recording, time, row number; or what the user said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgeml.data.anomaly import normal_and_rest
from edgeml.data.source import some
from edgeml.errors import DataError

LABELS = ("label", "labels", "target", "class", "activity", "gesture", "state", "condition", "category", "y")
IN_TABLES = ("label", "labels", "target", "class", "y")
"""Those that are looked for in tables of features; a table's `state` may be where someone lives."""

PERSONS = (
    "subject", "subject_id", "person", "person_id", "user", "user_id", "participant", "participant_id",
    "volunteer", "patient", "patient_id", "driver", "wearer", "who",
)  # fmt: skip
RECORDINGS = (
    "recording", "recording_id", "rec", "rec_id", "session", "session_id", "trial", "trial_id", "sequence",
    "sequence_id", "seq", "series", "series_id", "run", "run_id", "file", "filename", "gesture_id",
    "measurement_number", "id",
)  # fmt: skip
TIMES = (
    "time", "timestamp", "t", "ts", "time_s", "time_ms", "time_us", "time_ns", "timestamp_ms", "timestamp_us",
    "timestamp_ns", "timestamp_s", "ms", "millis", "seconds", "seconds_elapsed", "elapsed", "elapsed_ms",
    "date", "datetime",
)  # fmt: skip
ROW_NUMBERS = ("index", "idx", "row", "row_id", "unnamed_0", "sample", "sample_id", "no", "nr", "rownames")


def plain(name: str) -> str:
    """A name as words: "Time (ms)" becomes "time_ms"."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def named(columns: Iterable[str], known: Sequence[str]) -> str | None:
    """The column whose name is the earliest of the known ones, whatever its case."""
    found = {plain(column): column for column in reversed(list(columns))}
    return next((found[name] for name in known if name in found), None)


def label(columns: Iterable[str], known: Sequence[str] = LABELS) -> str | None:
    """The column with the label; beside a z, y is an axis of a sensor."""
    listed = list(columns)
    axes = "z" in map(plain, listed)
    return named([name for name in listed if not (axes and plain(name) == "y")], known)


def asked(where: str, columns: Sequence[str], name: str, option: str) -> str:
    """The column that the user named; its case does not matter.

    Raises:
        DataError: there is none; the message lists the columns.
    """
    exact = [column for column in columns if column == name]
    alike = exact or [column for column in columns if column.strip().lower() == name.strip().lower()]
    if len(alike) != 1:
        raise DataError(
            f"{where}: {option} {name!r}: found the columns {some(columns, 20)}, expected one of that name; "
            "check the spelling."
        )
    return alike[0]


def alike_classes(names: Sequence[str]) -> list[str]:
    """Warnings for classes whose names differ in case or blanks alone (Dog, dog)."""
    by: dict[str, list[str]] = {}
    for name in names:
        by.setdefault(" ".join(name.lower().split()), []).append(name)
    return [
        f"the classes {some(group)} differ in case or blanks only and were kept apart; is one a misspelling?"
        for group in by.values()
        if len(group) > 1
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Classes sorted: numbers by value, texts by letters."""
    listed = sorted(set(names))
    try:
        return sorted(listed, key=float)
    except ValueError:
        return listed


def anomaly_classes(where: str, names: Sequence[str]) -> tuple[tuple[str, str], list[int]]:
    """Classes -> (names of the normal one and of the rest, 0 or 1 for each class).

    Raises:
        DataError: not exactly one is called as normal ones are, or there is no other.
    """
    found = normal_and_rest(names)
    if found is None:
        raise DataError(
            f"{where}: --task anomaly: found the classes {some(names, 12)}, expected one called 'normal' (or "
            "ok, good, healthy, 0) and at least one more; rename the class that is normal."
        )
    return found
