"""A folder of class folders -> its files, with the part and the class that their place says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgeml.data.anomaly import normal_and_rest
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
    """A file and what it is: its part ("train", "val", "test"), its class, and where given its group."""

    path: Path
    part: str
    label: str
    group: str | None = None


@dataclass(frozen=True)
class Listing:
    """Files part after part, the others that were passed over, and what to say."""

    files: tuple[Filed, ...]
    others: tuple[Path, ...]
    warnings: tuple[str, ...]


def list_classes(root: Path, suffixes: frozenset[str], what: str, example: str) -> Listing:
    """FOLDER/CLASS/**/FILE, or FOLDER/train/CLASS/**/FILE with val and test beside it -> Listing.

    Hidden files are passed over; a folder that symlinks lead to again is entered once.

    Args:
        root: the folder.
        suffixes: endings in lower case, with their dot.
        what: the files, in the plural, for messages.
        example: the name of such a file.

    Raises:
        DataError: no such files, or none in class folders.
    """
    given = given_parts(root)
    files: list[Filed] = []
    others: list[Path] = []
    said: list[str] = []
    besides = sorted(entry.name for entry in visible(root) if entry.is_dir() and entry not in given.values())
    if given and besides:
        said.append(f"sub-folders besides train, val and test were ignored: {some(besides)}.")
    empty: dict[str, None] = {}
    for part, folder in (given or {"train": root}).items():
        before, loose = len(files), 0
        for entry in visible(folder):
            inside = entry.is_dir()
            found = list(walk(entry, set())) if inside else [entry]
            fitting = [file for file in found if file.suffix.lower() in suffixes]
            others += [file for file in found if file.suffix.lower() not in suffixes]
            if not inside:
                loose += len(fitting)
                continue
            files += [Filed(file, part, entry.name) for file in fitting]
            if not fitting:
                empty[entry.name] = None
        if len(files) == before:
            held = f"{loose} {what} outside of class folders" if loose else f"no {what}"
            raise DataError(
                f"{shown(folder)}: found {held}, expected one sub-folder per class, FOLDER/CLASS/{example}; "
                "sort them into such folders."
            )
        if loose:
            said.append(f"{loose} {what} directly in {shown(folder)} have no class and were ignored.")
    if empty:
        said.append(f"sub-folders without {what} were ignored: {some(list(empty))}.")
    return Listing(tuple(files), tuple(others), tuple(said))


def class_names(where: str, found: Iterable[tuple[str, str]], task: str | None) -> list[str]:
    """(Part, class) of each sample -> names of the classes, sorted.

    Given parts may bring no class that train lacks, unless anomalies are looked for: those need no training.

    Args:
        where: shown path, for messages.
        found: of each sample.
        task: `--task`.

    Raises:
        DataError: a given part brings a class that train lacks.
    """
    pairs = set(found)
    known = {label for part, label in pairs if part == "train"}
    alien = sorted({label for _, label in pairs} - known)
    if alien and task != "anomaly":
        parts = " and ".join(part for part in PARTS if any((part, label) in pairs for label in alien))
        told = normal_and_rest([*known, *alien])
        hint = ", or look for anomalies with --task anomaly" if told and known == {told[0][0]} else ""
        raise DataError(
            f"{where}: the {parts} part has classes that train lacks ({some(alien)}), expected the same "
            f"classes; add them to train or remove them{hint}."
        )
    return sorted({*known, *alien})


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
