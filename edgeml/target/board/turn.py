"""A device -> one session at a time: workers of a search that time on one board would disturb each other."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeml.errors import DeviceError, StorageError

POLL_S = 0.05


@contextmanager
def turn(device: str, limit_s: float) -> Iterator[None]:
    """Wait until no other process of this user times on the device; a process that dies gives its turn back.

    Args:
        device: how messages name it.
        limit_s: of the wait.

    Raises:
        DeviceError: it is still in use.
        StorageError: the lock file cannot be made.
    """
    name = hashlib.sha256(device.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"edgeml-{os.getuid()}-{name}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: cannot be made ({error.strerror}); set $TMPDIR to a folder.") from error
    try:
        end = time.monotonic() + limit_s
        while not _taken(lock):
            if time.monotonic() > end:
                raise DeviceError(
                    f"{device}: another edgeml process has been timing there for {limit_s:g} s; "
                    "wait for it, or end it."
                )
            time.sleep(POLL_S)
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
