"""The data set on a cluster's worker: fetched once a computer, shared by its workers, whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeml.errors import StorageError
from edgeml.search.cluster.exchange import DATA, Parcel
from edgeml.search.cluster.store import Store

UNUSED_S = 7 * 24 * 3600.0
"""A data set that no evaluation has read for so long goes when another comes."""
SPARED_S = 3600.0
"""Where the disk has no room for another, so does what was not read for so long, the oldest first."""
SPARE = 1.1
"""Room that a data set is given, times its size."""


def local_data(parcel: Parcel, store: Store, local: Path) -> Path:
    """The folder of a parcel's data set on this computer; fetched where it is not there in full length.

    Args:
        parcel: names the files, or the run directory that has them.
        store: that they come from.
        local: folder of Dask's on this computer.

    Raises:
        StorageError: it cannot be fetched.
        DiskError: this computer has no room for it.
    """
    if parcel.shared is not None:
        return Path(parcel.shared) / "data"
    listed = "\n".join(f"{name} {blob.sha256} {blob.size}" for name, blob in parcel.data)
    folder = private(local) / hashlib.sha256(listed.encode()).hexdigest()[:32]
    if not _whole(folder, parcel):
        with _alone(folder):
            if not _whole(folder, parcel):
                _fetch(folder, parcel, store)
    with suppress(OSError):
        os.utime(folder)
    return folder


def private(local: Path) -> Path:
    """A folder below `local` that this user alone may use.

    Raises:
        StorageError: it is somebody else's, or cannot be made.
    """
    folder = local / f"edgeml-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made ({error.strerror}); start the workers with a --local-directory that "
            "they may write to."
        ) from error
    if status.st_uid != os.getuid() or status.st_mode & 0o022 or folder.is_symlink():
        raise StorageError(
            f"{folder}: somebody else can write to it, expected a folder of your own; remove it or start "
            "the workers with another --local-directory."
        )
    return folder


def _whole(folder: Path, parcel: Parcel) -> bool:
    """Whether all files have their length; their content is checked where they are opened."""
    try:
        return all((folder / name).stat().st_size == blob.size for name, blob in parcel.data)
    except OSError:
        return False


def _fetch(folder: Path, parcel: Parcel, store: Store) -> None:
    _make_room(folder.parent, sum(blob.size for _, blob in parcel.data))
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, blob in parcel.data:
            store.fetch(blob, DATA, beside / name)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            beside.replace(folder)
        except OSError:  # where files cannot be locked, another worker may just have been faster
            if not _whole(folder, parcel):
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _make_room(place: Path, size: int) -> None:
    """Remove data sets that were not read for long and what killed workers left half-fetched.

    Where the disk is too full for a data set of this size, more go.
    """
    now, found = time.time(), []
    for old in place.iterdir():
        with suppress(OSError):
            if old.is_dir():
                found.append((now - old.stat().st_mtime, old))
    for unread_s, old in sorted(found, reverse=True):
        full = shutil.disk_usage(place).free < SPARE * size
        if unread_s > (SPARED_S if full else UNUSED_S):
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one worker of this computer fetch; where files cannot be locked, each does."""
    with folder.with_suffix(".lock").open("a") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
