"""A Parquet file -> Table, by pyarrow, which is optional (`pip install "edgeml[parquet]"`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgeml.data.scratch import check_fits
from edgeml.data.source import shown, some
from edgeml.data.tables.delimited import LARGEST
from edgeml.data.tables.table import Column, Table
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
            "or save the table as CSV."
        ) from error
    try:
        with ParquetFile(path) as file:
            rows, names = file.metadata.num_rows, list(file.schema_arrow.names)
            if 8 * rows * len(names) > 2 * LARGEST:
                raise DataError(
                    f"{shown(path)}: {rows} rows of {len(names)} columns, expected at most "
                    f"{LARGEST // 4} numbers; keep fewer rows or columns."
                )
            check_fits(shown(path), "the table", _unpacked(file.metadata))
            columns = {name: _column(path, name, file.read([name]).column(0)) for name in names}
    except (FileNotFoundError, PermissionError, DataError):
        raise
    except (ArrowException, OSError, ArithmeticError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{shown(path)}: not a readable Parquet file ({type(error).__name__}), expected one that is "
            "whole; save it again, or as CSV."
        ) from error
    if not names or not rows:
        raise DataError(f"{shown(path)}: found no rows, expected a table; save the data as well.")
    return Table(shown(path), columns, rows)


def _unpacked(metadata: Any) -> int:
    """Bytes that the pages of a file say they take when they are unpacked."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    return sum(max(0, group.total_byte_size) for group in groups)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _coded(name: str, found: Any) -> Column:
    """Texts that Arrow has as codes: each different one becomes a str once."""
    known: dict[str, int] = {}
    parts = [np.zeros(0, np.int32)]
    for chunk in found.chunks:
        texts = ["" if value is None else str(value) for value in chunk.dictionary.to_pylist()]
        own = np.array([*(known.setdefault(text, len(known)) for text in texts), -1], np.int32)
        if chunk.null_count:
            own[-1] = known.setdefault("", len(known))
        parts.append(
            own[chunk.indices.fill_null(len(own) - 1).to_numpy(zero_copy_only=False).astype(np.int64)]
        )
    return Column(name, codes=np.concatenate(parts), texts=list(known))


def _column(path: Path, name: str, found: Any) -> Column:
    import pyarrow
    from pyarrow import types

    kind = found.type
    if types.is_dictionary(kind) and _is_text(kind.value_type):
        return _coded(name, found)
    if types.is_dictionary(kind):
        found = found.cast(kind.value_type)
        kind = found.type
    if types.is_boolean(kind):
        found, kind = found.cast(pyarrow.int8()), pyarrow.int8()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        values = found.cast(pyarrow.float64(), safe=False).to_numpy()
        return Column(name, numbers=np.asarray(values, np.float64))
    if _is_text(kind):
        return _coded(name, found.dictionary_encode())
    if types.is_temporal(kind):
        return _coded(name, found.cast(pyarrow.string()).dictionary_encode())
    if types.is_null(kind):
        return Column(name, numbers=np.full(len(found), np.nan))
    raise DataError(
        f"{shown(path)}: column {some([name])} holds {kind}, expected numbers or texts; leave it out or "
        "write its parts as columns."
    )
