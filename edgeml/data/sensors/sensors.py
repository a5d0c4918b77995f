"""Folders and tables of sensor recordings, and arrays of windows -> Source of (n, T, 1, channels) uint8."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.class_folders import Filed, class_names, endings, given_parts, list_classes
from edgeml.data.images.pixels import SUFFIXES as PICTURES
from edgeml.data.lending import lender, lending_said, lent
from edgeml.data.options import ReadOptions
from edgeml.data.sensors.grouping import group
from edgeml.data.sensors.ranges import Ranges, fit_ranges
from edgeml.data.sensors.recordings import Place, Recorded, record
from edgeml.data.sensors.timing import MIXED
from edgeml.data.sensors.windows import Segment, Windows, check_lengths, cut, default_window, gather
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.data.split import PARTS, train_positions
from edgeml.data.tables import roles
from edgeml.data.tables.delimited import SUFFIXES
from edgeml.data.tables.table import Table, read_table
from edgeml.errors import DataError

TABLES = SUFFIXES | {".txt", ".parquet"}
"""Files that are looked for in class folders."""


def holds_recordings(folder: Path) -> bool:
    """Whether a folder has class folders with tables in them; or loose tables alone, to be told of it.

    Beside images they are recordings (with a picture of each) where there are as many of them, notes (.txt)
    not counted.
    """
    found = endings(folder)
    pictures = sum(suffix in PICTURES for suffix in found)
    tables = sum(suffix in TABLES and not (pictures and suffix == ".txt") for suffix in found)
    return (tables > 0 and tables >= pictures) or _is_loose(folder)


def _is_loose(folder: Path) -> bool:
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if any(entry.stem.lower() in ("train", "training") for entry in entries):
        return False  # a table in parts
    return bool(entries) and all(e.is_file() and e.suffix.lower() in SUFFIXES for e in entries)


def read_recordings(path: Path, options: ReadOptions) -> Source:
    """A folder of class folders of recordings -> Source.

    FOLDER/CLASS/REC.csv or FOLDER/CLASS/PERSON/REC.csv, also inside train, val and test.

    Raises:
        DataError: no recordings, none that can be read, columns that differ, or windows that do not fit.
    """
    found: list[tuple[Path, Recorded]] = []
    skipped: list[str] = []
    reasons: list[str] = []
    listing = list_classes(path, TABLES, "recordings", "RECORDING.csv")
    depth = 2 if given_parts(path) else 1  # folders above a file that are its part and its class
    for file in listing.files:
        try:
            found.append((file.path, record(_table(file.path), options, _place(path, file, depth))))
        except (DataError, OSError) as error:
            if options.strict or (isinstance(error, DataError) and options.label):
                raise
            skipped.append(readable(str(file.path.relative_to(path))))
            reasons.append(str(error))
    if not found:
        raise DataError(f"{shown(path)}: none of its {len(skipped)} recordings can be read; {reasons[0]}")
    _check_columns(path, found)
    _check_rates(path, found)
    warnings = list(dict.fromkeys(warning for _, one in found for warning in one.warnings))
    warnings = [*warnings[:5], *([f"and {len(warnings) - 5} more like these."] if len(warnings) > 5 else [])]
    warnings += listing.warnings
    if skipped:
        warnings.append(f"{len(skipped)} recordings could not be read and were left out: {reasons[0]}")
    rates = [one.rate_hz for _, one in found if one.rate_hz]
    whole = Recorded(
        tuple(segment for _, one in found for segment in one.segments),
        found[0][1].channels,
        float(np.median(rates)) if rates else None,
        any(one.persons for _, one in found),
        tuple(warnings),
    )
    source = windowed(shown(path), readable(path.resolve().name), whole, options)
    return replace(source, skipped=tuple(skipped))


def _table(file: Path) -> Table:
    if not file.is_file():  # a pipe would be waited for
        raise DataError(f"{shown(file)}: not a regular file, expected a recording; remove it.")
    return read_table(file)


def _place(root: Path, file: Filed, depth: int) -> Place:
    """What the place of a file says: folders within the class folder are a person."""
    names = file.path.relative_to(root).parts
    person = readable("/".join(names[depth:-1]))
    return Place(readable(file.label), readable("/".join(names)), person, file.part)


def _check_columns(path: Path, found: Sequence[tuple[Path, Recorded]]) -> None:
    first, expected = found[0][0], found[0][1].channels
    for file, one in found:
        if one.channels != expected:
            raise DataError(
                f"{shown(path)}: {shown(file.relative_to(path))} has the channels {some(one.channels, 12)} "
                "and "
                f"{shown(first.relative_to(path))} {some(expected, 12)}, expected the same columns in every "
                "recording; save them alike."
            )


def _check_rates(path: Path, found: Sequence[tuple[Path, Recorded]]) -> None:
    rated = [(one.rate_hz, file) for file, one in found if one.rate_hz]
    if rated:
        (slow, where), (fast, other) = min(rated), max(rated)
        if fast > (1 + MIXED) * slow:
            raise DataError(
                f"{shown(path)}: {shown(where.relative_to(path))} has {slow:g} samples a second and "
                f"{shown(other.relative_to(path))} {fast:g}, expected one rate; resample them alike."
            )


def from_table(path: Path, table: Table, options: ReadOptions) -> Source:
    """One table of many recordings -> Source.

    Raises:
        DataError: columns cannot be found or used, or windows do not fit.
    """
    return windowed(table.where, readable(path.stem), record(table, options, Place()), options)


def windowed(where: str, name: str, found: Recorded, options: ReadOptions) -> Source:
    """Segments -> windows -> Source.

    Raises:
        DataError: no segment is as long as the window, or a part has a class that train lacks.
    """
    if not found.segments:
        raise DataError(
            f"{where}: found no row with a label and all values, expected recordings; check them."
        )
    found = _without_constant(found)
    pairs = ((segment.part, segment.label) for segment in found.segments)
    names = roles.in_order(class_names(where, pairs, options.task))
    task, classes, of = classes_of(where, names, options.task)
    meant = {label: classes[of[index]] for index, label in enumerate(names)}
    if task == "anomaly":
        found = _with_lent(found, {label for label in names if meant[label] == classes[1]})
        # groups are looked for in all that is anomalous, not in every way to be so
        found = replace(found, segments=tuple(replace(s, label=meant[s.label]) for s in found.segments))
    window = options.window or default_window(where, found.segments, found.rate_hz)
    warnings = (*found.warnings, *check_lengths(where, found.segments, window))
    own = options.stride or max(1, window // 2)
    segments, numbers, said = group(found, window, options.group is not None)
    warnings = (*warnings, *said, *roles.alike_classes(names))
    cuts = {part: cut(segments, window, own, part) for part in PARTS if any(s.part == part for s in segments)}
    of_segment = np.array([classes.index(segment.label) for segment in segments], np.int64)
    targets = {part: of_segment[cuts[part].segment] for part in cuts}
    groups = {part: numbers[cuts[part].segment] for part in cuts}
    used = train_positions(targets, classes, options.seed, where, task, groups["train"])
    ranges = fit_ranges(_covered(segments, cuts["train"], used, window))
    raw = [ranges.to_uint8(segment.values) for segment in segments]
    parts = {part: Split(gather(raw, cuts[part], window), targets[part]) for part in cuts}
    about = preprocessing(found.channels, ranges, window, own, found.rate_hz)
    return Source(
        name,
        "sensors",
        where,
        classes,
        parts,
        task,
        groups,
        about,
        warnings=(*warnings, *_told(about, parts)),
    )


def _with_lent(found: Recorded, anomalous: Collection[str]) -> Recorded:
    """Anomalous recordings moved to train, where it has none and another part would have none either."""
    odd = [segment for segment in found.segments if segment.label in anomalous]
    of_parts = {segment.part for segment in odd}
    part = lender({segment.part: segment.part in of_parts for segment in found.segments})
    lending = [segment for segment in odd if segment.part == part]
    gone = lent((s.label for s in lending), ((s.person, s.recording) for s in lending))
    if not gone:
        return found
    moved = {id(segment) for segment in lending if (segment.person, segment.recording) in gone}
    segments = tuple(replace(s, part="train") if id(s) in moved else s for s in found.segments)
    said = lending_said(len(gone), "recordings", str(part))
    return replace(found, segments=segments, warnings=(*found.warnings, said))


def classes_of(where: str, labels: Sequence[str], task: str | None) -> tuple[str, tuple[str, ...], list[int]]:
    """Names of classes -> (task, names of what the labels mean, label of each class)."""
    if task != "anomaly":
        return "classification", tuple(labels), list(range(len(labels)))
    classes, of = roles.anomaly_classes(where, labels)
    return "anomaly", classes, of


def preprocessing(
    channels: Sequence[str], ranges: Ranges, window: int, stride: int | None, rate_hz: float | None
) -> dict[str, Any]:
    """What a device does to its readings, JSON-able."""
    return {
        "kind": "sensor",
        "channels": list(channels),
        "scale": list(ranges.scale),
        "offset": list(ranges.offset),
        "window": window,
        "stride": stride,
        "rate_hz": rate_hz,
    }


def _told(about: Mapping[str, Any], parts: Mapping[str, Split]) -> tuple[str, ...]:
    rate = (
        f" ({about['window'] / about['rate_hz']:.3g} s at {about['rate_hz']:g} Hz)"
        if about["rate_hz"]
        else ""
    )
    count = sum(len(part) for part in parts.values())
    return (
        f"read as sensor recordings: {count} windows of {about['window']} samples{rate}, one every "
        f"{about['stride']}, {len(about['channels'])} channels ({', '.join(about['channels'][:8])}).",
    )


def _without_constant(found: Recorded) -> Recorded:
    low = np.min([segment.values.min(axis=0) for segment in found.segments], axis=0)
    high = np.max([segment.values.max(axis=0) for segment in found.segments], axis=0)
    kept = np.flatnonzero(low < high)
    if len(kept) in (0, len(low)):
        return found
    gone = [name for index, name in enumerate(found.channels) if index not in kept]
    return replace(
        found,
        segments=tuple(replace(s, values=s.values[:, kept]) for s in found.segments),
        channels=tuple(found.channels[index] for index in kept),
        warnings=(*found.warnings, f"channels {some(gone)} never change and were left out."),
    )


def _covered(
    segments: Sequence[Segment], windows: Windows, used: NDArray[np.int64], window: int
) -> list[NDArray[np.float32]]:
    """The values of each channel that the windows `used` see, each once."""
    seen: dict[int, NDArray[np.bool_]] = {}
    for index, start in zip(windows.segment[used], windows.start[used], strict=True):
        mask = seen.setdefault(int(index), np.zeros(len(segments[index].values), np.bool_))
        mask[start : start + window] = True
    values = np.concatenate([segments[index].values[mask] for index, mask in seen.items()])
    return list(values.T)


def looks_like_windows(array: NDArray[Any]) -> bool:
    """Whether a 3-D array holds sensor windows (n, time, channels), not grey images (n, height, width).

    Images are uint8 or have no side that is so short: windows have at most 16 channels and at least twice as
    many samples as channels. `--task` overrides it.
    """
    return (
        array.ndim == 3
        and array.dtype != np.uint8
        and array.shape[2] <= 16
        and array.shape[1] >= 2 * array.shape[2]
    )
