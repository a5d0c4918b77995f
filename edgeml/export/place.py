"""Files -> a folder: all of them or none, and nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgeml.data.source import some
from edgeml.errors import ModelError, RunError, StorageError
from edgeml.export.checksums import SUMS, read_sums

CARD = "model.json"
"""What makes a folder an export of ours."""
_STAGING = ".edgeml-export-"
RETRAINED = "model_retrained.tflite"
"""What train.py writes where nothing else is said; a later export leaves it."""


def check_place(out: Path) -> None:
    """Refuse a folder that is a file or holds something that no export wrote.

    Raises:
        RunError: it does; the message names what.
    """
    with _errors(out, 0):
        there = out.exists()
    if not there:
        above = next(parent for parent in out.absolute().parents if parent.exists())
        if not above.is_dir():
            raise RunError(f"{out}: {above} is a file, expected a folder; choose another --out.")
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file, expected a folder to write to; choose another --out.")
    with _errors(out, 0):
        held = _files(out)
    if held and CARD not in held:
        raise RunError(f"{out} exists and is not an earlier export; choose another --out.")
    others = sorted(held - _written(out)) if held else []
    if others:
        raise RunError(
            f"{out} holds files that no export wrote ({some(others)}); move them or choose another --out."
        )


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into `out`, in place of those of an earlier export.

    They are written beside their places first, so that a full disk leaves the folder as it was.

    Args:
        out: made if missing.
        files: name, which may have folders in it ("savedmodel/saved_model.pb"), and content.

    Raises:
        RunError: `out` holds something else, or another process writes into it.
        StorageError: no disk space, no permission.
    """
    size = sum(map(len, files.values()))
    made = not out.exists()
    with _errors(out, size):
        out.mkdir(parents=True, exist_ok=True)
        try:
            with _locked(out):
                check_place(out)
                _swap(out, files)
        except BaseException:
            if made:
                with contextlib.suppress(OSError):
                    out.rmdir()
            raise


def _swap(out: Path, files: Mapping[str, bytes]) -> None:
    """Staged inside `out`: that is surely the same file system, even where `out` is a mount point."""
    for rest in out.glob(f"{_STAGING}*"):  # of an export that was killed; we hold the lock
        shutil.rmtree(rest, ignore_errors=True)
    before = _files(out)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=out))
    try:
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name in sorted(files, key=lambda name: (name in (CARD, SUMS), name == SUMS, name)):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(out / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for name in before - set(files):
        (out / name).unlink(missing_ok=True)
        for parent in (out / name).relative_to(out).parents:
            with contextlib.suppress(OSError):  # not empty, or the folder itself
                (out / parent).rmdir() if parent != Path() else None


def _files(out: Path) -> set[str]:
    """Names of all files below `out`, those of a killed export's staging and Python's caches left out."""
    found = [path.relative_to(out) for path in out.rglob("*") if path.is_symlink() or not path.is_dir()]
    own = {str(path) for path in found if "__pycache__" not in path.parts and path.name != RETRAINED}
    return {name for name in own if not name.startswith(_STAGING)}


def _written(out: Path) -> set[str]:
    """Names of the files that an earlier export wrote; older ones had no SHA256SUMS."""
    try:
        listed = json.loads((out / CARD).read_text(encoding="utf-8"))["checksums"]
        return {*listed, *read_sums(out), CARD, SUMS}
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        raise RunError(
            f"{out} holds a {CARD} that no export wrote or that is damaged; choose another --out."
        ) from None


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """A lock on the folder itself, which leaves no file behind."""
    descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise RunError(
            f"{out} is being written by another edgeml; wait for it or choose another --out."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _errors(out: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no disk space left at {out}, {size:,} bytes are needed; free some and export again "
                "(what was there is unchanged)."
            ) from error
        raise StorageError(
            f"{out}: cannot be written ({error.strerror or error}); choose a folder that you may write to "
            "with --out."
        ) from error
