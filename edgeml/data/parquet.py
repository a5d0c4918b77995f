"""A Parquet file -> Table, by pyarrow, which is optional (`pip install "edgeml[parquet]"`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgeml.data.delimited import LARGEST
from edgeml.data.source import shown, some
from edgeml.data.table import Column, Table
from edgeml.errors import DataError, MissingToolError


def read_parquet(path: Path) -> Table:
    """A .parquet file -> Table; read by column, so that memory holds the numbers and one column of Arrow's.

    Raises:
        MissingToolError: pyarrow is not installed.
        DataError: no Parquet, damaged, too large, empty, or a column of lists or structures.
    """
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingToolError(
            f"{shown(path)}: Parquet needs pyarrow, which is not installed; pip install 'edgeml[parquet]', "
            "or "
            "save the table as CSV."
        ) from error
    try:
        with ParquetFile(path) as file:
            rows, names = file.metadata.num_rows, list(file.schema_arrow.names)
            if 8 * rows * len(names) > 2 * LARGEST:
                raise DataError(
                    f"{shown(path)}: {rows} rows of {len(names)} columns, expected at most "
                    f"{LARGEST // 4} numbers; keep fewer rows or columns."
                )
            columns = {name: _column(path, name, file.read([name]).column(0)) for name in names}
    except (ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise DataError(
            f"{shown(path)}: not a readable Parquet file ({type(error).__name__}), expected one that is "
            "whole; "
            "save it again, or as CSV."
        ) from error
    if not names or not rows:
        raise DataError(f"{shown(path)}: found no rows, expected a table; save the data as well.")
    return Table(shown(path), columns, rows)


def _column(path: Path, name: str, found: Any) -> Column:
    import pyarrow
    from pyarrow import types

    kind = found.type
    if types.is_dictionary(kind):
        found = found.cast(kind.value_type)
        kind = found.type
    if types.is_boolean(kind):
        found, kind = found.cast(pyarrow.int8()), pyarrow.int8()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        values = found.cast(pyarrow.float64(), safe=False).to_numpy()
        return Column(name, numbers=np.asarray(values, np.float64))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_temporal(kind):
        texts = ["" if value is None else str(value) for value in found.to_pylist()]
        known: dict[str, int] = {}
        codes = np.array([known.setdefault(text, len(known)) for text in texts], np.int32)
        return Column(name, codes=codes, texts=list(known))
    if types.is_null(kind):
        return Column(name, numbers=np.full(len(found), np.nan))
    raise DataError(
        f"{shown(path)}: column {some([name])} holds {kind}, expected numbers or texts; leave it out or "
        "write "
        "its parts as columns."
    )
