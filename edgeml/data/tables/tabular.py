"""One text table or Parquet file -> Source: a table of features, or a sensor's recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeml.data.options import ReadOptions
from edgeml.data.sensors import sensors
from edgeml.data.source import Source, readable, shown
from edgeml.data.tables import roles, tables
from edgeml.data.tables.delimited import SUFFIXES
from edgeml.data.tables.table import Table, read_table

ENDINGS = SUFFIXES | {".txt", ".data", ".parquet"}

RUN = 8
"""Rows that keep their label, in the middle of all such runs: readings do, rows of a table do not."""


def is_table(path: Path) -> bool:
    """Whether a path is a file that is called as tables are, or a folder with train.csv."""
    if path.is_dir():
        return bool(tables.part_files(path))
    return path.suffix.lower() in ENDINGS and path.is_file()


def read_tabular(path: Path, options: ReadOptions) -> Source:
    """A table -> Source; --task, --window or --stride say what it holds, else its columns.

    Raises:
        DataError: it cannot be read or used.
    """
    if path.is_dir():
        return tables.read_parts(path, options)
    table = read_table(path)
    tabular = (options.task or "").startswith("tabular")
    wanted = options.task == "sensor-classification" or options.window or options.stride
    if wanted or (not tabular and holds_readings(table, options)):
        return sensors.from_table(path, table, options)
    return tables.from_tables(shown(path), readable(path.stem), "table", {"train": table}, options)


def holds_readings(table: Table, options: ReadOptions) -> bool:
    """Whether rows are readings in the order of time.

    A column is called as times or recordings are, and half of all runs of one label, in one recording, are at
    least RUN rows long.
    """
    names = list(table.columns)
    time, recording = roles.named(names, roles.TIMES), roles.named(names, roles.RECORDINGS)
    by_name = options.label if options.label in names else None
    label = by_name or roles.label(names) or names[-1]
    if (time is None and recording is None) or label in (time, recording) or len(names) < 3:
        return False
    keys = [table.columns[label].as_texts()]
    if recording is not None:
        keys.append(table.columns[recording].as_texts())
    changed = np.ones(table.rows, np.bool_)
    changed[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    edges = np.r_[np.flatnonzero(changed), table.rows]
    return bool(np.median(np.diff(edges)) >= RUN)
