"""A CSV file of timed models -> Samples.

Columns: model, the path of a .tflite file relative to the CSV file, and latency_ms; others are ignored.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeml.deploy.runtime import read_file
from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.errors import DataError, ModelError

COLUMNS = ("model", "latency_ms")
MIN_MODELS = 10


@dataclass(frozen=True)
class Sample:
    """A model that was timed on the device.

    Attributes:
        name: for people.
        model: its operators.
        latency_ms: measured.
    """

    name: str
    model: TfliteModel
    latency_ms: float


def read_csv(path: Path) -> list[Sample]:
    """CSV file -> Samples.

    Raises:
        DataError: unreadable, a column is missing, a latency is no positive number, a model is missing,
            damaged or there twice, or there are too few; names file and line.
    """
    samples: list[Sample] = []
    lines_by_content: dict[str, int] = {}
    last = 1
    for line, row in _rows(path):
        last = line
        name, latency = row["model"].strip(), _latency(path, line, row["latency_ms"])
        content = _content(path, line, name)
        digest = hashlib.sha256(content).hexdigest()
        if digest in lines_by_content:
            raise DataError(
                f"{path}:{line}: model {name} is the one of line {lines_by_content[digest]}; give each model "
                "one row (the median of its runs)."
            )
        lines_by_content[digest] = line
        samples.append(Sample(name, _model(path, line, name, content), latency))
    if len(samples) < MIN_MODELS:
        found = f"{len(samples)} row{'' if len(samples) == 1 else 's'} of measurements"
        raise DataError(
            f"{path}:{last}: the file ends after {found}, expected at least {MIN_MODELS}; time more models."
        )
    return samples


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of every row that is not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="", strict=True)
            header = [name.strip() for name in reader.fieldnames or []]
            for column in COLUMNS:
                if header.count(column) != 1:
                    how = "lacks" if column not in header else "has more than one"
                    raise DataError(
                        f"{path}:1: the header {how} column {column!r}; found "
                        f"{', '.join(header) or 'nothing'}, expected {' and '.join(COLUMNS)} with a comma "
                        "between them."
                    )
            reader.fieldnames = header
            for row in reader:
                yield reader.line_num, {column: str(row[column]) for column in COLUMNS}
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); expected a CSV file with the columns "
            f"{' and '.join(COLUMNS)}."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error}); save it as one.") from error


def _latency(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise DataError(
            f"{path}:{line}: latency_ms: found {text.strip()!r}, expected milliseconds, a number above 0."
        )
    return value


def _content(path: Path, line: int, name: str) -> bytes:
    if not name:
        raise DataError(f"{path}:{line}: model: found nothing, expected the path of a .tflite file.")
    try:
        return read_file(path.parent / name)
    except (ModelError, ValueError) as error:
        raise DataError(
            f"{path}:{line}: model {name}: {error} Paths are relative to the folder of the CSV file."
        ) from error


def _model(path: Path, line: int, name: str, content: bytes) -> TfliteModel:
    try:
        return read_model(content)
    except ModelError as error:
        raise DataError(f"{path}:{line}: model {name}: {error}") from error
