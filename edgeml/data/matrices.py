"""Arrays that are no images -> Source: sensor windows (n, T, channels), tables (n, features)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.labels import to_labels
from edgeml.data.options import ReadOptions
from edgeml.data.sensors.ranges import fit_ranges
from edgeml.data.sensors.sensors import classes_of, looks_like_windows, preprocessing
from edgeml.data.source import Source, Split, readable, shown
from edgeml.data.split import train_positions
from edgeml.data.tables.delimited import free_name
from edgeml.data.tables.table import Column, Table
from edgeml.data.tables.tables import from_tables
from edgeml.data.values import Named, not_finite
from edgeml.errors import DataError

EXTRAS = ("channels", "rate_hz", "groups", "groups_train", "feature_names")
"""Keys of an archive that are read besides images and labels."""


def holds_windows(images: Named, task: str | None) -> bool:
    """Whether the arrays are sensor windows: as `--task` says, else by their shape and type."""
    if task in ("sensor-classification", "anomaly"):
        return all(array.ndim == 3 for _, array in images.values()) and (
            task != "anomaly" or looks_like_windows(images["train"][1])
        )
    return task is None and looks_like_windows(images["train"][1])


def holds_features(images: Named, task: str | None) -> bool:
    """Whether the arrays are tables: two-dimensional, and of whole bytes only where `--task` says so."""
    array = images["train"][1]
    said = task in ("tabular-classification", "tabular-regression", "anomaly")
    return (
        array.ndim == 2 and array.dtype.kind in "iuf" and (said or (task is None and array.dtype != np.uint8))
    )


def from_windows(
    path: Path,
    images: Named,
    labels: Named,
    class_names: tuple[str, ...] | None,
    extras: Mapping[str, NDArray[Any]],
    options: ReadOptions,
) -> Source:
    """(n, T, channels) arrays -> Source; the source's own parts are kept.

    Raises:
        DataError: shapes differ, no numbers, NaN, or labels that cannot be used.
    """
    where = shown(path)
    first, train = images["train"]
    for name, array in images.values():
        if array.dtype.kind not in "iufb" or 0 in array.shape:
            raise DataError(
                f"{where}: {name} holds {array.dtype} of shape {array.shape}, expected numbers as (n, "
                "samples, channels); save the windows."
            )
        if array.shape[1:] != train.shape[1:]:
            raise DataError(
                f"{where}: {name} holds windows of {array.shape[1:]} but {first} of {train.shape[1:]}, "
                "expected one shape; cut them alike."
            )
        if not np.isfinite(array).all():
            raise not_finite(where, name, array)
    numbers, names, warned = to_labels(where, labels, class_names)
    task, classes, of = classes_of(where, names, options.task)
    targets = {part: np.array(of, np.int64)[found] for part, found in numbers.items()}
    groups = _groups(where, extras, len(train))
    used = train_positions(targets, classes, options.seed, where, task, groups.get("train"))
    ranges = fit_ranges([train[used, :, channel].ravel() for channel in range(train.shape[2])])
    parts = {
        part: Split(ranges.to_uint8(array)[:, :, None, :], targets[part])
        for part, (_, array) in images.items()
    }
    given = extras.get("channels")
    channels = [f"channel{index}" for index in range(1, train.shape[2] + 1)]
    if given is not None and given.shape == (train.shape[2],) and given.dtype.kind == "U":
        channels = [str(name) for name in given]
    rate = extras.get("rate_hz")
    rate_hz = float(rate) if rate is not None and rate.ndim == 0 and rate.dtype.kind in "iuf" else None
    about = preprocessing(channels, ranges, train.shape[1], None, rate_hz)
    read = (
        f"read as sensor windows: {len(train)} of {train.shape[1]} samples, {train.shape[2]} channels "
        "(--task image-classification for grey images)."
    )
    stem = readable(path.stem)
    return Source(stem, "npz", where, classes, parts, task, groups, about, warnings=(read, *warned))


def _groups(where: str, extras: Mapping[str, NDArray[Any]], count: int) -> dict[str, NDArray[np.int64]]:
    """`groups` or `groups_train` of an archive, by part."""
    found = extras.get("groups_train", extras.get("groups"))
    if found is None:
        return {}
    if found.shape != (count,) or found.dtype.kind not in "USbiu":
        raise DataError(
            f"{where}: groups has shape {found.shape} and holds {found.dtype}, expected one number or text "
            f"for each of {count} training samples; save it so."
        )
    return {"train": np.unique(found, return_inverse=True)[1].astype(np.int64)}


def from_features(
    path: Path,
    images: Named,
    labels: Named,
    class_names: Sequence[str] | None,
    extras: Mapping[str, NDArray[Any]],
    options: ReadOptions,
) -> Source:
    """(n, features) arrays -> Source, as `tables.from_tables`.

    Raises:
        DataError: shapes differ, or as `from_tables`.
    """
    where = shown(path)
    width = images["train"][1].shape[1]
    given = extras.get("feature_names")
    names = [f"feature{index}" for index in range(1, width + 1)]
    if given is not None and given.shape == (width,) and given.dtype.kind == "U" and len(set(given)) == width:
        names = [str(name) for name in given]
    if class_names is not None and options.task != "tabular-regression":
        numbers, classes, _ = to_labels(where, labels, class_names)
        labels = {part: (labels[part][0], np.array(classes)[found]) for part, found in numbers.items()}
    people = _groups(where, extras, len(images["train"][1]))
    tables = {}
    for part, (name, array) in images.items():
        label_name, found = labels[part]
        if array.ndim != 2 or array.shape[1] != width or len(array) == 0:
            raise DataError(
                f"{where}: {name} has shape {array.shape}, expected (n, {width}) as in training; save them "
                "alike."
            )
        flat = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        if flat.shape != (len(array),) or flat.dtype.kind not in "USbiuf":
            raise DataError(
                f"{where}: {label_name} has shape {found.shape} and holds {found.dtype}, expected "
                f"{len(array)} numbers or texts; save one label a row."
            )
        columns = {names[i]: Column(names[i], numbers=array[:, i].astype(np.float64)) for i in range(width)}
        label, group = (free_name(name, columns) for name in ("label", "group"))
        columns[label] = _column(label, flat)
        if part in people:
            columns[group] = Column(group, numbers=people[part].astype(np.float64))
        tables[part] = Table(where, columns, len(array))
    asked = ReadOptions(task=options.task, label=label, group=group if people else None, seed=options.seed)
    return from_tables(where, readable(path.stem), "npz", tables, asked)


def _column(name: str, values: NDArray[Any]) -> Column:
    if values.dtype.kind in "US":
        texts, codes = np.unique(
            np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values, return_inverse=True
        )
        return Column(name, codes=codes.astype(np.int32), texts=[str(text) for text in texts])
    return Column(name, numbers=values.astype(np.float64))
