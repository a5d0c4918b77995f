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
from edgeml.durable import whole
from edgeml.errors import ModelError, RunError, StorageError
from edgeml.export.checksums import SUMS, read_sums

CARD = "model.json"
"""What makes a folder an export of ours."""
_STAGING = ".edgeml-export-"
_OWN = "own.json"
"""In the staging folder, before anything gets its place: names of all files that are an export's, old or new.
After a kill it tells the next export what it may replace."""
RETRAINED = "model_retrained.tflite"
"""What train.py writes where nothing else is said; a later export leaves it."""


def check_place(out: Path) -> None:
    """Refuse a folder that cannot be written to, is a file or holds something that no export wrote.

    Raises:
        RunError: it holds something else; the message names what.
        StorageError: it cannot be read or written to.
    """
    with _errors(out, 0):
        there = out.exists()
        above = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
        if above.is_dir():
            with tempfile.TemporaryFile(dir=above):  # has no name: nothing of it is seen or left
                pass
    if not there:
        if not above.is_dir():
            raise RunError(f"{out}: {above} is a file, expected a folder; choose another --out.")
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file, expected a folder to write to; choose another --out.")
    with _errors(out, 0):
        held = _files(out) - _interrupted(out)
    if held and CARD not in _files(out):
        raise RunError(f"{out} exists and is not an earlier export; choose another --out.")
    others = sorted(held - _written(out)) if held else []
    if others:
        raise RunError(
            f"{out} holds files that no export wrote ({some(others)}); move them or choose another --out."
        )


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into `out`, in place of those of an earlier export.

    They are written beside their places first, so that a full disk leaves the folder as it was; what a kill
    leaves the next export takes for its own.

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
    before = _files(out) | _interrupted(out)
    rests = list(out.glob(f"{_STAGING}*"))  # of killed exports, for we hold the lock
    for rest in rests:
        shutil.rmtree(rest / "files", ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=out))
    try:
        for name, content in files.items():
            path = staging / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with whole(staging / _OWN) as temporary:
            temporary.write_text(json.dumps(sorted(before | set(files))), encoding="utf-8")
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    for name in sorted(files, key=lambda name: (name in (CARD, SUMS), name == SUMS, name)):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / "files" / name).replace(out / name)
    for name in before - set(files):
        (out / name).unlink(missing_ok=True)
        for parent in (out / name).relative_to(out).parents:
            with contextlib.suppress(OSError):  # not empty, or the folder itself
                (out / parent).rmdir() if parent != Path() else None
    for rest in (*rests, staging):
        shutil.rmtree(rest, ignore_errors=True)


def _interrupted(out: Path) -> set[str]:
    """Names of an export's files, as those noted that were killed while files got their places."""
    found: set[str] = set()
    for note in out.glob(f"{_STAGING}*/{_OWN}"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            found.update(map(str, json.loads(note.read_text(encoding="utf-8"))))
    return found


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
