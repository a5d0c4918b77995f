"""The first bytes of a text table -> how it is written: encoding, delimiter, header, decimal comma."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import count
from math import isnan
from pathlib import Path

from edgeml.data.source import shown
from edgeml.errors import DataError

SUFFIXES = frozenset((".csv", ".tsv", ".tab"))
"""Of files that are text tables; .txt and .dat are looked into where nothing else fits."""

SNIFFED = 1 << 16
"""Bytes that decide."""

LARGEST = 1 << 29
"""Bytes of a file that is read: reading takes some two to three times as much memory, and 1.4 s for 29 MB."""

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "?", "-", "missing", "#n/a", "<na>"))
"""Cells, in lower case, that say that there is no value."""

_DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"SQLite format 3", "an SQLite data base", "export the table as CSV"),
    (b"\x89PNG", "a PNG image", "name the folder of images instead"),
    (b"%PDF", "a PDF document", "save the table as CSV"),
)


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes:
        encoding: for `open`.
        delimiter: one character; " " stands for any run of blanks.
        names: of the columns: its header, else column1, column2, ...
        header: whether its first row are the names.
        decimal_comma: whether 3,14 is a number.
        warnings: sentences for the user.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    header: bool
    decimal_comma: bool = False
    warnings: tuple[str, ...] = ()


def sniff(path: Path) -> Layout:
    """A text table -> its Layout.

    Raises:
        DataError: empty, too large, no text, or another kind of file by its first bytes.
        OSError: it cannot be read.
    """
    where = shown(path)
    size = path.stat().st_size
    if size > LARGEST:
        raise DataError(
            f"{where}: {size / 1e9:.1f} GB of text, expected at most {LARGEST / 1e9:.1f} GB; keep fewer rows "
            "or columns, or save it as several recordings."
        )
    with path.open("rb") as file:
        first = file.read(SNIFFED)
    encoding, warnings = _encoding(where, first)
    text = first.decode(encoding, "replace").lstrip("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{where}: the file is empty, expected a table with a header and rows; check it.")
    if size > SNIFFED and len(lines) > 1:
        lines = lines[:-1]  # the last may be cut
    delimiter = _delimiter(lines[:50])
    rows = list(cells(lines[:50], delimiter))
    comma = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(c.strip()) for row in rows[1:] for c in row)
    header = _has_header(rows, comma)
    names, said = _names(rows[0], header)
    if not header:
        said.append(f"{where} has no header; its columns are called {names[0]} to {names[-1]}.")
    return Layout(encoding, delimiter, names, header, comma, (*warnings, *said))


def cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Lines -> their cells; blanks around them stay."""
    if delimiter == " ":
        return [line.split() for line in lines]
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))


def as_number(cell: str, decimal_comma: bool = False) -> float | None:
    """The number in a cell; NaN for a missing one, None for text."""
    text = cell.strip()
    if text.lower() in MISSING:
        return float("nan")
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if "_" in text:  # float() takes 1_000
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _encoding(where: str, first: bytes) -> tuple[str, list[str]]:
    for magic, what, instead in _MAGIC:
        if first.startswith(magic):
            raise DataError(f"{where}: found {what}, expected a table as text (CSV); {instead}.")
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", []
    if first.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig", []
    if b"\0" in first:
        even, odd = first[0::2].count(0), first[1::2].count(0)
        if max(even, odd) > 0.3 * len(first) / 2 and min(even, odd) == 0:
            return ("utf-16-le" if odd else "utf-16-be"), []
        raise DataError(f"{where}: found binary data, expected a table as text (CSV); save it as CSV.")
    try:
        first.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(first) - 4 or len(first) < SNIFFED:
            return "cp1252", [f"{where} is not UTF-8; it was read as Windows-1252 (Latin-1)."]
    return "utf-8", []


def _delimiter(lines: Sequence[str]) -> str:
    """The one that cuts most lines into the same number of cells, at least two."""
    best, chosen = (0.0, 0), ","
    for delimiter in (*_DELIMITERS, " "):
        counts = Counter(len(row) for row in cells(lines, delimiter))
        columns, rows = counts.most_common(1)[0]
        if delimiter == " " and best[0] >= 0.8:
            break  # blanks inside texts are no delimiter where another fits
        score = (rows / len(lines), columns)
        if columns > 1 and score > best and not _is_decimal(delimiter, lines):
            best, chosen = score, delimiter
    return chosen


def _is_decimal(delimiter: str, lines: Sequence[str]) -> bool:
    """Whether commas stand inside the numbers of a table that semicolons or tabs cut."""
    if delimiter != ",":
        return False
    for other in (";", "\t"):
        rows = cells(lines, other)
        widths = Counter(len(row) for row in rows).most_common(1)[0]
        if widths[0] > 1 and widths[1] >= 0.8 * len(lines):
            return True
    return False


def _has_header(rows: Sequence[Sequence[str]], comma: bool) -> bool:
    """Text above a column of numbers, or no number in the first row at all."""
    first = [as_number(cell, comma) for cell in rows[0]]
    if all(value is None or isnan(value) for value in first):
        return True
    below = [row for row in rows[1:] if len(row) == len(rows[0])]
    return any(
        value is None and below and all(as_number(row[index], comma) is not None for row in below)
        for index, value in enumerate(first)
    )


def free_name(name: str, taken: Container[str]) -> str:
    """A name of a column, with a number where it is taken: b, b.2, b.3."""
    return next(free for n in count(1) if (free := name if n == 1 else f"{name}.{n}") not in taken)


def _names(row: Sequence[str], header: bool) -> tuple[tuple[str, ...], list[str]]:
    if not header:
        return tuple(f"column{index}" for index in range(1, len(row) + 1)), []
    names: list[str] = []
    twice: list[str] = []
    for index, cell in enumerate(row, start=1):
        name = cell.strip() or f"column{index}"
        if name in names:
            twice.append(name)
            name = free_name(name, names)
        names.append(name)
    said = [f"several columns are called {', '.join(dict.fromkeys(twice))}; they were numbered."]
    return tuple(names), said if twice else []
