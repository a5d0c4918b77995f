"""Tables of features -> Source of (n, 1, 1, features) uint8: classification, regression, anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.class_folders import PART_NAMES
from edgeml.data.guardrails.tables import missing_cells
from edgeml.data.options import ReadOptions
from edgeml.data.sensors.ranges import float32s
from edgeml.data.sensors.sensors import classes_of
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.data.split import train_positions
from edgeml.data.tables import roles
from edgeml.data.tables.columns import usable
from edgeml.data.tables.features import feature_names, fit_category, fit_number, to_features, width
from edgeml.data.tables.table import Column, Table, read_table
from edgeml.errors import DataError

Tables = Mapping[str, Table]

MOST_CLASSES = 20
"""Whole numbers with more values than this, or with fewer than five rows each, are values to be regressed."""


def part_files(folder: Path) -> dict[str, Path]:
    """The tables of a folder that are called train, val and test; empty where there is no train."""
    found: dict[str, Path] = {}
    for suffix in (".csv", ".tsv", ".parquet"):
        for stem, part in PART_NAMES.items():
            path = folder / f"{stem}{suffix}"
            if path.is_file():
                found.setdefault(part, path)
    return found if "train" in found else {}


def read_parts(path: Path, options: ReadOptions) -> Source:
    """A folder with train.csv and test.csv (and val.csv) -> Source.

    Raises:
        DataError: as `from_tables`.
    """
    tables = {part: read_table(file) for part, file in part_files(path).items()}
    return from_tables(shown(path), readable(path.resolve().name), "table", tables, options)


def from_tables(where: str, name: str, kind: str, tables: Tables, options: ReadOptions) -> Source:
    """Tables by part -> Source.

    Raises:
        DataError: no label, no feature, or labels that do not fit the task.
    """
    label, notes = _label(where, tables["train"], options)
    tables, lost = _labelled(label, tables)
    notes += lost
    train = tables["train"]
    group, said = _group(train, label, options)
    columns, dropped = usable(train, [name for name in train.columns if name not in (label, group)])
    for part, table in tables.items():
        absent = [one.name for one in columns if one.name not in table.columns]
        if absent:
            raise DataError(
                f"{table.where}: lacks the columns {some(absent)} of the training part, expected the same "
                f"columns in {part}; save them alike."
            )
    targets, task, classes, more = _targets(
        where, {p: t.columns[label] for p, t in tables.items()}, options.task
    )
    groups: dict[str, NDArray[np.int64]] = {}
    if group:
        for part, table in tables.items():
            if group in table.columns:
                keys = table.columns[group].as_texts()
                groups[part] = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    rows = train_positions(targets, classes, options.seed, where, task, groups.get("train"))
    specs = [
        fit_number(column, rows) if column.numbers is not None else fit_category(column, rows)
        for column in columns
    ]
    blank = [spec["name"] for spec in specs if not width(spec)]
    if blank:
        dropped.append(f"columns without a value in the training split were left out: {some(blank)}.")
        specs = [spec for spec in specs if width(spec)]
        columns = [column for column in columns if column.name not in blank]
    if not specs:
        raise DataError(
            f"{where}: no column has a value in the training split, expected features beside "
            f"{some([label])}; check --label."
        )
    parts = {
        part: Split(to_features(specs, _alike(table, specs))[:, None, None, :], targets[part])
        for part, table in tables.items()
    }
    about: dict[str, Any] = {"kind": "table", "columns": specs}
    count = len(feature_names(specs))
    columns_said = f"{len(specs)} columns as {count} features"
    read = f"read as a table: {train.rows} rows, label {some([label])}, {columns_said}."
    warnings = (*train.warnings, *notes, *said, *dropped, *more, *roles.alike_classes(classes), read)
    gaps = missing_cells(columns)
    return Source(name, kind, where, classes, parts, task, groups, about, warnings=warnings, findings=gaps)


def _label(where: str, table: Table, options: ReadOptions) -> tuple[str, list[str]]:
    names = list(table.columns)
    if len(names) < 2:
        raise DataError(
            f"{where}: found one column only ({some(names)}), expected features and a label; check the "
            "delimiter."
        )
    if options.label:
        return roles.asked(where, names, options.label, "--label"), []
    label = roles.label(names, roles.IN_TABLES)
    if label:
        return label, []
    return names[-1], [
        f"no column is called label or target; the last, {some(names[-1:])}, was taken (--label)."
    ]


def _labelled(label: str, tables: Tables) -> tuple[dict[str, Table], list[str]]:
    """Rows that have a label; parts without the column are left out."""
    found: dict[str, Table] = {}
    notes: list[str] = []
    for part, table in tables.items():
        if label not in table.columns:
            notes.append(f"{table.where} has no column {some([label])} and was left out.")
            continue
        column = table.columns[label]
        gone = np.isnan(column.numbers) if column.numbers is not None else column.as_texts() == ""
        if gone.all():
            raise DataError(f"{table.where}: no row has a label in {some([label])}; check --label.")
        if gone.any():
            notes.append(f"{int(gone.sum())} rows of {table.where} have no label and were left out.")
        found[part] = _rows(table, np.flatnonzero(~gone)) if gone.any() else table
    return found, notes


def _rows(table: Table, rows: NDArray[np.int64]) -> Table:
    columns = {
        name: Column(
            name,
            None if one.numbers is None else one.numbers[rows],
            None if one.codes is None else one.codes[rows],
            one.texts,
        )
        for name, one in table.columns.items()
    }
    return Table(table.where, columns, len(rows), table.warnings)


def _group(table: Table, label: str, options: ReadOptions) -> tuple[str | None, list[str]]:
    names = [name for name in table.columns if name != label]
    if options.group:
        asked = roles.asked(table.where, list(table.columns), options.group, "--group")
        if asked == label:
            raise DataError(
                f"{table.where}: {some([label])} is the label and the group, expected two columns; name "
                "another with --group."
            )
        return asked, []
    found = roles.named(names, roles.PERSONS)
    if found is None or len(np.unique(table.columns[found].as_texts())) > 0.9 * table.rows:
        return None, []
    return found, [
        f"rows of one {some([found])} stay in one split; the column itself is no feature (--group)."
    ]


def _alike(table: Table, specs: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Columns as the training part has them: numbers where it has numbers, texts where texts."""
    found = {}
    for spec in specs:
        column = table.columns[spec["name"]]
        if spec["kind"] == "number" and column.numbers is None:
            if not column.missing.all():
                raise DataError(
                    f"{table.where}: column {some([column.name])} holds texts, in the training part numbers, "
                    "expected numbers; correct it."
                )
            column = Column(column.name, np.full(table.rows, np.nan))
        found[column.name] = column
    return found


def _targets(
    where: str, labels: Mapping[str, Column], wanted: str | None
) -> tuple[dict[str, NDArray[Any]], str, tuple[str, ...], list[str]]:
    """Label columns by part -> (targets, task, classes, notes)."""
    train = labels["train"]
    regression = wanted == "tabular-regression" or (wanted is None and _is_measured(train))
    if regression:
        for part, column in labels.items():
            if column.numbers is None or not np.isfinite(float32s(column.numbers)).all():
                raise DataError(
                    f"{where}: label {some([column.name])} holds texts or infinite numbers in {part}, "
                    "expected numbers for regression; correct it, or --task tabular-classification."
                )
        values = {part: _values(column) for part, column in labels.items()}
        if float(np.ptp(values["train"])) == 0:
            raise DataError(
                f"{where}: every label in {some([train.name])} is {values['train'][0]:g}, expected values "
                "that differ; check --label."
            )
        note = [f"{some([train.name])} was read as numbers to predict (else --task tabular-classification)."]
        return dict(values), "regression", (), note if wanted is None else []
    texts = {part: column.as_texts() for part, column in labels.items()}
    names = roles.in_order(str(name) for name in np.unique(texts["train"]))
    if len(names) > 1000 or (len(names) > 0.5 * len(train) and len(train) > 10):
        raise DataError(
            f"{where}: label {some([train.name])} has {len(names)} different values in {len(train)} rows, "
            "expected "
            "classes with several rows each; name another with --label, or --task tabular-regression for "
            "numbers."
        )
    unknown = sorted({str(name) for part in texts.values() for name in np.unique(part)} - set(names))
    if unknown:
        raise DataError(
            f"{where}: the other parts hold labels that training never sees ({some(unknown)}), expected the "
            "classes of the training part; correct the labels."
        )
    task, classes, of = classes_of(where, names, wanted)
    place = {name: of[index] for index, name in enumerate(names)}
    numbers = {
        part: np.array([place[str(text)] for text in found], np.int64) for part, found in texts.items()
    }
    return dict(numbers), task, classes, []


def _values(column: Column) -> NDArray[np.float32]:
    assert column.numbers is not None
    return float32s(column.numbers)


def _is_measured(column: Column) -> bool:
    """Whether labels are measured values: fractions, or more whole numbers than classes would be."""
    if column.numbers is None:
        return False
    values = np.unique(column.numbers)
    whole = bool((values == np.rint(values)).all())
    return not whole or len(values) > MOST_CLASSES or len(values) > max(2, len(column) // 5)
