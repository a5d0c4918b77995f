"""Decoded images in a file that runs share, mapped and never held in memory as a whole.

$XDG_CACHE_HOME/edgeml/images/KEY/ holds images.raw (uint8, one image after another) and about.json. KEY is a
hash of every file's path, size and time of change and of how they are decoded. A lock makes a second run
wait for the first; the kernel frees it when a run is killed, and what that left is written over. The folder
appears under its name when it is complete. Entries that no run has used for 30 days go when one is made.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.scratch import cache_folder, no_space, reserve

LAYOUT = 1
SMALLEST = 16 << 20
"""Bytes of decoded images from which on they are cached."""

UNUSED_S = 30 * 24 * 3600
PIXELS, ABOUT = "images.raw", "about.json"

Cached = tuple[NDArray[np.uint8], dict[str, Any]]


def key_of(files: Sequence[Path], options: Any) -> str:
    """Files and JSON-able options -> the name of their entry."""
    digest = hashlib.sha256(json.dumps([LAYOUT, options]).encode())
    for file in files:
        digest.update(os.fsencode(file.absolute()) + b"\0")
        try:
            status = file.stat()
        except OSError as error:  # a link to nothing is one more unreadable file
            digest.update(f"{error.errno}\n".encode())
        else:
            digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


@contextmanager
def entry(key: str, size: int) -> Iterator[Path]:
    """The folder of an entry, locked; it may not be there yet.

    Args:
        key: from `key_of`.
        size: bytes that may have to be written, for messages.

    Raises:
        StorageError: the cache cannot be written.
    """
    folder = cache_folder("images")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder / key
    except OSError as error:
        raise no_space(folder, size, error) from error


def find(key: str) -> Cached | None:
    """The images (n, h, w, c), mapped read-only, and what was written about them; None without an entry."""
    return _open(cache_folder("images") / key)


def _open(folder: Path) -> Cached | None:
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        shape = tuple(int(side) for side in about["shape"])
        if (folder / PIXELS).stat().st_size != math.prod(shape):
            return None
        os.utime(folder)  # used now
        return np.memmap(folder / PIXELS, np.uint8, "r", shape=shape), dict(about["about"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(
    folder: Path,
    shape: tuple[int, int, int],
    most: int,
    blocks: Iterable[NDArray[np.uint8]],
    about: dict[str, Any],
) -> Cached:
    """Blocks of images -> the entry, complete.

    Args:
        folder: from `entry`, whose lock is held.
        shape: (height, width, channels) of an image; 3 channels that are always equal become 1.
        most: how many images there may be.
        blocks: (m, *shape) each.
        about: filled by whoever makes the blocks; JSON-able when they are at an end.

    Raises:
        OSError: no disk space, no permission.
    """
    _remove_unused(folder.parent)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been opened
    partial.mkdir()
    try:
        count, grey = 0, shape[2] == 3
        with (partial / PIXELS).open("wb") as file:
            reserve(file.fileno(), most * math.prod(shape))
            for block in blocks:
                grey = grey and bool((block == block[..., :1]).all())
                file.write(np.ascontiguousarray(block).data)
                count += len(block)
            file.truncate(count * math.prod(shape))
        if grey and count:
            shape = _one_channel(partial / PIXELS, count, shape)
        text = json.dumps({"shape": [count, *shape], "about": about})
        (partial / ABOUT).write_text(text, encoding="utf-8")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    made = _open(folder)
    if made is None:
        raise OSError(f"{folder.name} was removed while it was made")
    return made


def _one_channel(file: Path, count: int, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    height, width, _ = shape
    colour = np.memmap(file, np.uint8, "r", shape=(count, *shape))
    grey = file.with_suffix(".grey")
    with grey.open("wb") as out:
        for start in range(0, count, 256):
            out.write(np.ascontiguousarray(colour[start : start + 256, ..., 0]).data)
    grey.rename(file)
    return height, width, 1


def _remove_unused(folder: Path) -> None:
    """Entries, and what killed runs left, that nobody used for long; an open map outlives its name."""
    for found in folder.iterdir():
        with suppress(OSError):
            if found.is_dir() and time.time() - found.stat().st_mtime > UNUSED_S:
                shutil.rmtree(found)
                found.with_name(found.name.partition(".")[0] + ".lock").unlink(missing_ok=True)
