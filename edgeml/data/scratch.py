"""Arrays that do not fit into memory comfortably live in files, mapped: the kernel pages them in and out."""

from __future__ import annotations

import atexit
import errno
import math
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edgeml.errors import ConfigError, DataError, StorageError

LARGEST = 1 << 30
"""Bytes of one array that are held in memory at most; less where less than four times that is available."""

BLOCK = 16 << 20
"""Bytes of samples that are worked on at a time."""

VARIABLE = "EDGEML_IN_MEMORY"
"""Environment variable that sets another limit, in bytes."""


def in_memory_bytes() -> int:
    """Bytes up to which an array is held in memory.

    Raises:
        ConfigError: the variable is no number.
    """
    said = os.environ.get(VARIABLE)
    if said is None:
        return min(LARGEST, available_bytes() // 4)
    if not said.isdecimal():
        raise ConfigError(f"${VARIABLE} is {said!r}, expected a number of bytes; correct or unset it.")
    return int(said)


def check_fits(where: str, what: str, size: int) -> None:
    """Refuse what a file announces before memory is taken for it: a few kilobytes can stand for gigabytes.

    Args:
        where: shown path.
        what: in it, for the message.
        size: bytes it takes.

    Raises:
        DataError: it is more than half of the memory that is free.
    """
    most = available_bytes() // 2
    if size > most:
        raise DataError(
            f"{where}: {what} takes {size / 1e9:,.1f} GB of memory, expected at most {most / 1e9:,.1f} GB "
            "here; keep fewer or smaller samples, or check that the file is not damaged."
        )


def is_large(shape: tuple[int, ...], dtype: DTypeLike) -> bool:
    """Whether an array of that shape is kept in a file."""
    return math.prod(shape) * np.dtype(dtype).itemsize > in_memory_bytes()


def rows_at_once(array: NDArray[Any]) -> int:
    """How many samples of an array to work on at a time: some 16 MiB of them, 1 to 1,024."""
    return max(1, min(1024, BLOCK // max(1, math.prod(array.shape[1:]) * array.itemsize)))


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """As np.empty; a large one is mapped from a file without a name, which goes with the array.

    Raises:
        StorageError: no disk space for it.
    """
    if not is_large(shape, dtype):
        return np.empty(shape, dtype)
    folder = cache_folder("scratch")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), math.prod(shape) * np.dtype(dtype).itemsize)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise no_space(folder, math.prod(shape) * np.dtype(dtype).itemsize, error) from error


def reserve(descriptor: int, size: int) -> None:
    """Make a file that long, on the disk: writing to a map of a file on a full disk ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, max(1, size))
    else:
        os.ftruncate(descriptor, size)


def cache_folder(name: str) -> Path:
    """$XDG_CACHE_HOME/edgeml/NAME, by default below ~/.cache; not yet made."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    if said and Path(said).is_absolute():  # relative ones are to be ignored, says the XDG specification
        return Path(said) / "edgeml" / name
    try:
        return Path.home() / ".cache" / "edgeml" / name
    except RuntimeError:  # no home
        return _own_folder() / name


@cache
def _own_folder() -> Path:
    """A private folder of this process, not one of a known name that another user could make first."""
    made = Path(tempfile.mkdtemp(prefix="edgeml-cache-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def no_space(folder: Path, size: int, error: OSError) -> StorageError:
    """What went wrong on writing `size` bytes below `folder`, in one sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no disk space left at {folder}, {size:,} bytes are needed; free some, or set "
            "XDG_CACHE_HOME to a folder on a larger disk."
        )
    return StorageError(
        f"{folder}: cannot be written ({error.strerror or error}); set XDG_CACHE_HOME to a folder you "
        "may write to."
    )


def available_bytes() -> int:
    """Bytes of memory that this process may still take, by the machine and by its own limit (`ulimit -v`)."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    machine = _machine_bytes()
    if limit == resource.RLIM_INFINITY:
        return machine
    try:
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        taken = 0
    return min(machine, max(0, limit - taken))


def _machine_bytes() -> int:
    """Bytes of memory that programs may still take."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 4 * LARGEST
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return 4 * LARGEST if found is None else 1024 * int(found)
