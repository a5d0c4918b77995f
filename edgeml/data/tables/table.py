"""A text table or a Parquet file -> columns of numbers or texts, in bounded memory.

Cells are taken in chunks of rows; numbers are kept as float64, texts as codes into the
different ones.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import shown
from edgeml.data.tables.delimited import MISSING, Layout, as_number, sniff
from edgeml.errors import DataError

CHUNK = 20_000
"""Rows that are held as text at a time."""

LONGEST_CELL = 1 << 20
"""Characters: a quote that is never closed swallows the rest of the file."""


@dataclass(eq=False)
class Column:
    """One column.

    Attributes:
        name: of the header.
        numbers: (n,) float64, NaN where missing; None for texts.
        codes: (n,) positions in `texts`; None for numbers.
        texts: the different texts, in order of appearance.
    """

    name: str
    numbers: NDArray[np.float64] | None = None
    codes: NDArray[np.int32] | None = None
    texts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        found = self.numbers if self.codes is None else self.codes
        return 0 if found is None else len(found)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(n,): whether there is no value."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        gone = np.array([text.strip().lower() in MISSING for text in self.texts] or [True])
        assert self.codes is not None
        return np.asarray(gone[self.codes], np.bool_)

    def as_texts(self) -> NDArray[np.str_]:
        """(n,) what stands in the cells, stripped; whole numbers without a point, others with all digits."""
        if self.numbers is not None:
            values, place = np.unique(self.numbers, return_inverse=True)
            return np.array([_plain(value) for value in values], np.str_)[place]
        assert self.codes is not None
        return np.array([text.strip() for text in self.texts] or [""], np.str_)[self.codes]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, all of one length.

    Attributes:
        where: shown path.
        columns: by name, in order.
        rows: how many.
        warnings: sentences for the user.
    """

    where: str
    columns: dict[str, Column]
    rows: int
    warnings: tuple[str, ...] = ()


def _plain(value: float) -> str:
    if isnan(value):
        return ""
    return f"{value:.0f}" if abs(value) < 1e15 and value == round(value) else repr(float(value))


def read_table(path: Path) -> Table:
    """A .csv, .tsv, .txt or .parquet file -> Table.

    Raises:
        DataError: empty, header only, ragged rows, not text, too large, or pyarrow is missing for Parquet.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    if parquet or path.suffix.lower() == ".parquet":
        from edgeml.data.tables.parquet import read_parquet

        return read_parquet(path)
    layout = sniff(path)
    gathered = [_Gathered(name, layout.decimal_comma) for name in layout.names]
    rows = 0
    try:
        for chunk in _chunks(path, layout):
            rows += len(chunk)
            for column, texts in zip(gathered, zip(*chunk, strict=True), strict=True):
                column.add(texts)
        _read_as_text(path, layout, gathered)
    except UnicodeError as error:
        raise DataError(
            f"{shown(path)}: not readable as {layout.encoding} after row {rows} "
            f"({getattr(error, 'reason', error)}), expected "
            "one encoding throughout; save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{shown(path)}: cannot be cut into cells after row {rows} ({error}), expected every quote to be "
            "closed; correct that row."
        ) from error
    if not rows:
        raise DataError(f"{shown(path)}: found a header only, expected rows below it; save the data as well.")
    columns = {one.name: one.column() for one in gathered}
    return Table(shown(path), columns, rows, layout.warnings)


def _read_as_text(path: Path, layout: Layout, gathered: list[_Gathered]) -> None:
    """Columns whose first text came after chunks of numbers, once more: 007 is a text like S07."""
    mixed = [place for place, column in enumerate(gathered) if column.mixed]
    if not mixed:
        return
    for place in mixed:
        gathered[place] = _Gathered(gathered[place].name, layout.decimal_comma, texts=True)
    for chunk in _chunks(path, layout):
        for place in mixed:
            gathered[place].add([row[place] for row in chunk])


def _chunks(path: Path, layout: Layout) -> Iterator[list[list[str]]]:
    """Rows of text, checked to have as many cells as the first."""
    csv.field_size_limit(LONGEST_CELL)
    width = len(layout.names)
    with path.open(encoding=layout.encoding, newline="") as file:
        if layout.delimiter == " ":
            rows: Iterator[list[str]] = (line.split() for line in file)
        else:
            rows = csv.reader(file, delimiter=layout.delimiter, skipinitialspace=True)
        number = 0
        if layout.header:
            while next(rows, ["end"]) in ([], [""]):
                number += 1
            number += 1
        last: list[str] = []
        while chunk := list(islice(rows, CHUNK)):
            last = chunk[-1]
            for index, row in enumerate(chunk):
                if len(row) != width and any(cell.strip() for cell in row):
                    chunk[index] = _repaired(path, row, width, number + index + 1)
            number += len(chunk)
            kept = [row for row in chunk if len(row) == width]
            if kept:
                yield kept
    if layout.delimiter != " ":
        _check_end(path, layout, last)


def _check_end(path: Path, layout: Layout, last: Sequence[str]) -> None:
    """Whether a quote that is never closed made the rest of the file one cell of the last row.

    Raises:
        csv.Error: it did.
    """
    lines = sum(cell.rstrip().count("\n") for cell in last)
    if not lines:
        return
    with path.open(encoding=layout.encoding, newline="") as file:
        end = deque((line for line in file if line.strip()), lines + 1)
    try:
        deque(csv.reader(end, delimiter=layout.delimiter, skipinitialspace=True, strict=True), 0)
    except csv.Error as error:
        if "end of data" in str(error):  # else a quote inside of a cell, which is read as it stands
            raise


def _repaired(path: Path, row: list[str], width: int, number: int) -> list[str]:
    """A row with empty cells too many is cut; any other raises."""
    if len(row) > width and not any(cell.strip() for cell in row[width:]):
        return row[:width]
    raise DataError(
        f"{shown(path)}: row {number} has {len(row)} cells, expected {width} as in the first row; correct "
        "the row, or quote texts that hold the delimiter."
    )


class _Gathered:
    """A column that grows by chunks; numbers until the first text comes, or `texts` from the start."""

    def __init__(self, name: str, comma: bool, texts: bool = False) -> None:
        self.name, self.comma, self.texts = name, comma, texts
        self.parts: list[tuple[str, NDArray[np.float64] | NDArray[np.int32]]] = []
        self.known: dict[str, int] = {}

    def add(self, texts: Sequence[str]) -> None:
        numbers = None if self.known or self.texts else self._numbers(texts)
        if numbers is not None:
            self.parts.append(("numbers", numbers))
        else:
            self.parts.append(("codes", self._codes(texts)))

    @property
    def mixed(self) -> bool:
        """Whether texts came after numbers."""
        return len({kind for kind, _ in self.parts}) > 1

    def _numbers(self, texts: Sequence[str]) -> NDArray[np.float64] | None:
        try:
            if "_" not in "".join(texts):  # float() takes 1_000
                return np.array(list(map(float, texts)), np.float64)
        except ValueError:
            pass
        found = np.empty(len(texts), np.float64)
        for index, text in enumerate(texts):
            value = as_number(text, self.comma)
            if value is None:
                return None
            found[index] = value
        return found

    def _codes(self, texts: Sequence[str]) -> NDArray[np.int32]:
        known = self.known
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int32)

    def column(self) -> Column:
        """What was gathered, which is given up: else all of it would be in memory twice."""
        parts, self.parts = self.parts, []
        if all(kind == "numbers" for kind, _ in parts):
            return Column(self.name, numbers=np.concatenate([part for _, part in parts]).astype(np.float64))
        codes = [part for _, part in parts]
        return Column(self.name, codes=np.concatenate(codes).astype(np.int32), texts=list(self.known))
