"""A folder of class folders -> its files, with the part and the class that their place says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgeml.data.source import shown, some
from edgeml.data.split import PARTS
from edgeml.errors import DataError

DEPTH = 4
"""Levels of folders that `suffixes_below` looks into; files beside the class folders do not count."""

ENDINGS = 200
"""Endings that tell what a folder holds."""

LOOKED_AT = 40
"""Entries of a folder that `suffixes_below` looks at: a kind must be told apart at once."""


@dataclass(frozen=True)
class Filed:
    """A file, the part ("train", "val", "test") and the class folder it lies in."""

    path: Path
    part: str
    label: str


@dataclass(frozen=True)
class Listing:
    """Files part after part, class names in order, the others that were passed over, and what to say."""

    files: tuple[Filed, ...]
    classes: tuple[str, ...]
    others: tuple[Path, ...]
    warnings: tuple[str, ...]


def list_classes(root: Path, suffixes: frozenset[str], what: str) -> Listing:
    """FOLDER/CLASS/FILE, or FOLDER/train/CLASS/FILE with val and test beside it -> Listing.

    Hidden files are passed over; a folder that symlinks lead to again is entered once.

    Args:
        root: the folder.
        suffixes: endings in lower case, with their dot.
        what: the files, in the plural, for messages.

    Raises:
        DataError: no such files, none in class folders, or a class that train lacks.
    """
    nested = given_parts(root)
    given = nested or {"train": root}
    files: list[Filed] = []
    others: list[Path] = []
    empty: dict[str, None] = {}
    loose = 0
    for part in PARTS:
        if part not in given:
            continue
        before = len(files)
        for entry in visible(given[part]):
            if not entry.is_dir():
                if entry.suffix.lower() not in suffixes:
                    others.append(entry)
                loose += entry.suffix.lower() in suffixes
                continue
            found = list(walk(entry, set()))
            fitting = [file for file in found if file.suffix.lower() in suffixes]
            others += [file for file in found if file.suffix.lower() not in suffixes]
            files += [Filed(file, part, entry.name) for file in fitting]
            if not fitting:
                empty[entry.name] = None
        if len(files) == before:
            held = f"{loose} {what} outside of class folders" if loose else f"no {what}"
            raise DataError(
                f"{shown(given[part])}: found {held}, expected one sub-folder per class with {what} in it; "
                "sort them into such folders."
            )
    classes = sorted({file.label for file in files if file.part == "train"})
    alien = sorted({file.label for file in files} - set(classes))
    if alien:
        raise DataError(
            f"{shown(root)}: val or test has classes that train lacks ({some(alien)}), expected the same "
            "class folders; add them to train or remove them."
        )
    said = [f"{loose} {what} outside of class folders have no class and were ignored."] if loose else []
    if empty:
        said.append(without(what, list(empty)))
    folders = {entry.name.lower() for entry in visible(root) if entry.is_dir()}
    besides = sorted(folders - set(PART_NAMES))
    if nested and besides:
        said.append(f"sub-folders besides train, val and test were ignored: {some(besides)}.")
    return Listing(tuple(files), tuple(classes), tuple(others), tuple(said))


def without(what: str, folders: Sequence[str]) -> str:
    """A warning for class folders in which nothing was found."""
    return f"sub-folders without {what} were ignored: {some(folders)}."


def given_parts(root: Path) -> dict[str, Path]:
    """A folder -> its sub-folders train, val and test (or their like), by part in order.

    None where train holds no folders, or is the only one of them among others and so is a class itself.
    """
    folders = {entry.name.lower(): entry for entry in visible(root) if entry.is_dir()}
    named = {part: folders[name] for name, part in reversed(PART_NAMES.items()) if name in folders}
    given = {part: named[part] for part in PARTS if part in named}
    nested = "train" in given and any(entry.is_dir() for entry in visible(given["train"]))
    return given if nested and not len(given) == 1 < len(folders) else {}


def visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without hidden entries."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))


def walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Files below a folder, sorted; a folder that symlinks lead to again is entered once."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in visible(folder):
        if entry.is_dir():
            yield from walk(entry, seen)
        else:
            yield entry


def suffixes_below(folder: Path, depth: int = DEPTH) -> Iterator[str]:
    """Endings of files in sub-folders, in order of names; symlinks may loop, so depth is bounded."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)[:LOOKED_AT]
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            inside = entry.is_dir()
        except OSError:  # a link to itself
            continue
        if inside and depth:
            yield from suffixes_below(Path(entry.path), depth - 1)
        elif entry.is_file() and depth < DEPTH:
            yield Path(entry.name).suffix.lower()


def endings(folder: Path) -> list[str]:
    """Those of the first files in sub-folders, for telling which kind of data they are."""
    return list(islice(suffixes_below(folder), ENDINGS))


# Name of a sub-folder or table -> the part it is; the first name that is there wins.
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "validation": "val",
    "valid": "val",
    "test": "test",
    "testing": "test",
}
