"""A list of image files, CSV or JSON Lines, with a path and a label each -> Source.

Paths are relative to the list's folder and stay inside it, symlinks followed: a list from elsewhere, unpacked
from an archive perhaps, must not read other files.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from edgeml.data.class_folders import PART_NAMES, Filed
from edgeml.data.guardrails.finding import Finding
from edgeml.data.images.images import Listing, from_listing
from edgeml.data.images.pixels import SUFFIXES
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, readable, shown, some
from edgeml.data.split import PARTS
from edgeml.data.tables import roles
from edgeml.errors import DataError

LINES = frozenset((".jsonl", ".ndjson"))
SEPARATED = frozenset((".csv", ".tsv", ".tab"))

PATHS = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "img",
    "photo",
)
SPLITS = ("split", "part", "subset", "partition", "set")
GROUPS = (*roles.PERSONS, "group", "group_id", "object", "object_id", "scene", "location")

_LOOKED_AT = 1 << 14
Row = tuple[int, Mapping[str, str]]


def is_manifest(path: Path) -> bool:
    """Whether a file lists images: JSON Lines, or a table whose second line names an image file."""
    suffix = path.suffix.lower()
    if suffix not in LINES | SEPARATED or not path.is_file():
        return False
    if suffix in LINES:
        return True
    with path.open("rb") as file:
        lines = file.read(_LOOKED_AT).decode("utf-8-sig", "replace").splitlines()[:2]
    if len(lines) < 2:
        return False
    cells = next(csv.reader(lines[1:], delimiter=_delimiter(lines[0])), [])
    return any(Path(cell.strip()).suffix.lower() in SUFFIXES for cell in cells)


def read_manifest(path: Path, options: ReadOptions) -> Source:
    """A list of images -> Source; images of one group stay in one split.

    Columns: a path; a label (--label); perhaps a split (train, val or test) and a group (--group).

    Args:
        path: the list.
        options: label, group, image_size, strict and task count.

    Raises:
        DataError: it is no such list, lacks a column, leaves its folder, or names no image that can be read.
        StorageError: there are many images and the cache for them cannot be written.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{shown(path)}: the list is empty, expected a path and a label a line; check it.")
    root = path.resolve().parent
    listing = _listing(path, root, rows, options)
    if not any(sample.path.exists() for sample in listing.samples):
        raise DataError(
            f"{shown(path)}: none of its {len(listing.samples)} files exists "
            f"({some(readable(one.path) for one in listing.samples[:3])}), expected paths relative to the "
            "list's folder; move the list or correct the paths."
        )
    found = from_listing(path, "manifest", readable(path.stem), listing, root, options)
    return replace(found, findings=(*listing.findings, *found.findings))


def _rows(path: Path) -> Iterator[Row]:
    """(line number, values by column) of each line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{shown(path)}: line {line} is not UTF-8, expected that encoding; save the list in it."
        ) from error
    if path.suffix.lower() in LINES:
        yield from _json_rows(path, text)
        return
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0]))
    try:
        header = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=False))
    except csv.Error as error:
        raise DataError(
            f"{shown(path)}: line {reader.line_num} is no CSV ({error}), expected path and label; correct it."
        ) from error


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise DataError(
                f"{shown(path)}: line {number} is no JSON ({said}), expected one object a line, such as "
                '{"path": "a.png", "label": "cat"}; correct it.'
            ) from error
        if not isinstance(found, dict):
            raise DataError(
                f"{shown(path)}: line {number} holds {type(found).__name__}, expected an object, like "
                '{"path": "a.png", "label": "cat"}; correct it.'
            )
        yield number, {str(key): _text(value) for key, value in found.items()}


def _text(value: object) -> str:
    return "" if value is None else value.strip() if isinstance(value, str) else json.dumps(value)


def _listing(path: Path, root: Path, rows: list[Row], options: ReadOptions) -> Listing:
    where, columns = shown(path), list(dict.fromkeys(name for _, row in rows for name in row))
    file = roles.named(columns, PATHS) or _by_content(rows)
    if file is None:
        raise DataError(
            f"{where}: found the columns {some(columns, 12)}, expected one called path with image files; "
            "rename it."
        )
    label = roles.asked(where, columns, options.label, "--label") if options.label else None
    label = label or roles.label(columns)
    if label is None or label == file:
        raise DataError(
            f"{where}: found the columns {some(columns, 12)}, expected one called label; name it (--label)."
        )
    group = roles.asked(where, columns, options.group, "--group") if options.group else None
    group = group or roles.named([name for name in columns if name not in (file, label)], GROUPS)
    split = roles.named([name for name in columns if name not in (file, label, group)], SPLITS)
    listing, unlabelled = Listing(), []
    for number, row in rows:
        if not row.get(file) or not row.get(label):
            unlabelled.append(f"line {number}")
            continue
        part = _part(where, number, row.get(split, "")) if split else "train"
        image = root / _inside(where, root, number, row[file])
        listing.samples.append(Filed(image, part, row[label], row.get(group) or None if group else None))
    if unlabelled:
        listing.findings.append(
            Finding(
                "warning",
                "missing-values",
                len(unlabelled),
                f"{len(unlabelled)} of {len(rows)} lines have no path or no label.",
                "leaves them out.",
                tuple(unlabelled),
            )
        )
        listing.warnings.append(f"{len(unlabelled)} lines without path or label were left out.")
    if group:
        listing.warnings.append(f"images of one {some([group])} stay in one split.")
    if not any(sample.part == "train" for sample in listing.samples):
        raise DataError(
            f"{where}: no line has a path and a label for training, expected some; fill the columns "
            f"{some([file, label, *([split] if split else [])])}."
        )
    listing.samples.sort(key=lambda sample: PARTS.index(sample.part))
    return listing


def _by_content(rows: list[Row]) -> str | None:
    _, first = rows[0]
    return next((name for name, cell in first.items() if Path(cell).suffix.lower() in SUFFIXES), None)


def _part(where: str, number: int, said: str) -> str:
    part = PART_NAMES.get(said.lower())
    if part is None:
        raise DataError(
            f"{where}: line {number} has the split {said!r}, expected train, val or test; correct it."
        )
    return part


def _inside(where: str, root: Path, number: int, said: str) -> str:
    """A path relative to the list's folder."""
    if "\0" in said:
        raise DataError(f"{where}: line {number} has a path with a zero byte, expected a file; correct it.")
    relative = os.path.relpath(said, root) if Path(said).is_absolute() else os.path.normpath(said)
    if relative == ".." or relative.startswith(".." + os.sep):
        raise DataError(
            f"{where}: line {number} leads out of the list's folder ({shown(said)}), expected files below "
            f"{shown(root)}; move the list to a folder above all images."
        )
    real = os.path.realpath(root / relative)
    if os.path.commonpath([root, real]) != str(root):
        raise DataError(
            f"{where}: line {number} leads out of the list's folder by a symlink ({shown(said)} is "
            f"{shown(real)}), expected files below {shown(root)}; copy the images there, or move the list "
            "to a folder above them."
        )
    return relative
