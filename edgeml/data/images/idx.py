"""IDX files (MNIST's format, http://yann.lecun.com/exdb/mnist) -> Source."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data import scratch
from edgeml.data.arrays import assemble
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, shown, some
from edgeml.errors import DataError

BLOCK = 1 << 24
"""Bytes that are read at a time."""
DEFLATE = 1032
"""Times that deflate makes a file smaller at best (https://zlib.net/zlib_tech.html)."""
_NAME = re.compile(
    r"^(?P<set>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]idx\d-ubyte(?P<gz>\.gz)?$",
    re.IGNORECASE,
)
_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # third byte of the magic number


def is_idx_name(name: str) -> bool:
    """Whether a file is called as MNIST's and EMNIST's files are."""
    return _NAME.match(name) is not None


def holds_idx(folder: Path) -> bool:
    """Whether a folder has a file that is called so."""
    return any(is_idx_name(entry.name) and entry.is_file() for entry in folder.iterdir())


def read_idx(path: Path, options: ReadOptions) -> Source:
    """A folder of IDX files, or one of them -> Source, with the t10k files as its test part.

    Raises:
        DataError: a file is missing, truncated or no IDX file, or the folder holds several data sets.
    """
    folder = path if path.is_dir() else path.parent
    files = _files(folder, path)
    images: dict[str, tuple[str, NDArray[Any]]] = {}
    labels: dict[str, tuple[str, NDArray[Any]]] = {}
    for part in ("train", "test"):
        pair = [files.get((part, what)) for what in ("images", "labels")]
        if pair == [None, None] and part == "test":
            continue
        for what, file, target in zip(("images", "labels"), pair, (images, labels), strict=True):
            if file is None:
                expected = (
                    f"{'train' if part == 'train' else 't10k'}-{what}-idx{3 if what == 'images' else 1}-ubyte"
                )
                raise DataError(
                    f"{shown(folder)}: the {part} {what} are missing, expected a file {expected} or "
                    f"{expected}.gz; put it beside the others."
                )
            target[part] = (shown(file.name), read_array(file))
    return assemble(folder, "idx", images, labels, None)


def _files(folder: Path, path: Path) -> dict[tuple[str, str], Path]:
    """(part, what) -> file; plain files come before .gz ones of the same name."""
    matches = [(match, entry) for entry in sorted(folder.iterdir()) if (match := _NAME.match(entry.name))]
    own = _NAME.match(path.name) if path != folder else None
    if own:
        matches = [(match, entry) for match, entry in matches if match["set"] == own["set"]]
    sets = sorted({match["set"] for match, _ in matches})
    if len(sets) > 1:
        raise DataError(
            f"{shown(folder)}: found {len(sets)} data sets ({some(sets)}), expected one; "
            "give the train images file of the one to use."
        )
    files: dict[tuple[str, str], Path] = {}
    for match, entry in sorted(matches, key=lambda item: item[0]["gz"] is not None):
        part = "train" if match["part"].lower() == "train" else "test"
        files.setdefault((part, match["what"].lower()), entry)
    return files


def read_array(path: Path) -> NDArray[Any]:
    """One IDX file, gzipped or not -> its array.

    Raises:
        DataError: wrong magic number, or fewer or more bytes than its header announces.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _parse(gzip.GzipFile(fileobj=raw) if zipped else raw, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{shown(path)}: the gzip data is damaged or truncated; download the file again."
        ) from error


def _parse(file: gzip.GzipFile | BufferedReader, path: Path) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= 4:
        raise DataError(
            f"{shown(path)}: found the magic number 0x{magic.hex() or '(nothing)'}, expected an IDX file "
            "such as 0x00000803 for images or 0x00000801 for labels; download the file again."
        )
    sizes = file.read(4 * magic[3])
    shape = tuple(int(size) for size in np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4"))
    dtype = np.dtype(_TYPES[magic[2]])
    expected = math.prod(shape) * dtype.itemsize
    packed = DEFLATE if isinstance(file, gzip.GzipFile) else 1
    scratch.check_fits(shown(path), f"the shape {shape}", min(expected, packed * path.stat().st_size))
    # One read of a size that a damaged header asks for could fail to allocate; zipped zeros go on for long.
    data, block = bytearray(), b"-"
    while block and len(data) <= expected:
        block = file.read(BLOCK)
        data += block
    if len(shape) < magic[3] or len(data) != expected:
        found = f"more than {expected}" if len(data) > expected + 1 else f"{len(data)}"
        raise DataError(
            f"{shown(path)}: found {found} bytes of data, expected {expected} for the shape {shape} in "
            "its header; download the file again."
        )
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # no values, and sizes beyond what can be addressed
        raise DataError(
            f"{shown(path)}: its header asks for the shape {shape}, which no array can have; "
            "download the file again."
        ) from error
    return array.astype(dtype.newbyteorder("="), copy=False)
