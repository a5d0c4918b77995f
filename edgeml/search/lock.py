"""The lock on a run directory: one coordinator at a time; the kernel frees it when its process is gone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeml.durable import storage_errors
from edgeml.errors import RunError, StorageError

LOCK = "lock"


@contextmanager
def held(folder: Path, advice: str) -> Iterator[None]:
    """Hold a run directory, which is made where there is none.

    Args:
        folder: the run directory.
        advice: what to do where it may not be written to.

    Raises:
        RunError: another process has it, or it is a file.
        StorageError: it cannot be written or locked.
    """
    with storage_errors(folder, advice):
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file, expected a folder; choose another --out.")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"{folder} is in use by another edgeml; wait for it or choose another --out."
            ) from error
        except OSError as error:
            raise StorageError(
                f"{folder}: its file system locks no files ({error.strerror}); choose an --out on another."
            ) from error
        yield
