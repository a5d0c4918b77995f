"""Trainings on this computer stand still while a latency is timed on it.

Two locks on files, which the system releases when a process dies. Who trains holds the room, shared with
other trainings, for one stretch of steps after the other; who times takes the turnstile, so that nobody
enters any more, then the room for itself. All runs of one user on this computer share them.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

PATIENCE_S = 60.0
"""How long a timing waits for a training to pause: one that is stopped or swapped out never does."""
LONGEST_TIMING_S = 600.0
"""How long a training waits for a timing to end."""
LOOK_S = 0.02


@contextmanager
def working() -> Iterator[None]:
    """Around a stretch of training, a second or so; waits while something is timed."""
    with ExitStack() as stack:
        with ExitStack() as entering:
            turnstile, room = _opened("turnstile", entering), _opened("room", stack)
            if turnstile is not None and room is not None:
                _take(turnstile, fcntl.LOCK_SH, LONGEST_TIMING_S)
                _take(room, fcntl.LOCK_SH, LONGEST_TIMING_S)
        yield


@contextmanager
def alone() -> Iterator[float | None]:
    """Around a timing; gives the seconds it waited for trainings to pause, None where one did not."""
    began = time.monotonic()
    with ExitStack() as stack:
        turnstile, room = _opened("turnstile", stack), _opened("room", stack)
        if turnstile is None or room is None:
            yield None
            return
        quiet = _take(turnstile, fcntl.LOCK_EX, PATIENCE_S) and _take(room, fcntl.LOCK_EX, PATIENCE_S)
        yield time.monotonic() - began if quiet else None


def _opened(name: str, stack: ExitStack) -> IO[str] | None:
    """A lock's file; None where no folder of this user's own can be had."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"edgeml-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return None
        return stack.enter_context((folder / name).open("a"))
    except OSError:
        return None


def _take(file: IO[str], how: int, patience_s: float) -> bool:
    """Lock a file; False where others keep it too long."""
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError) or time.monotonic() > end:
                return False
            time.sleep(LOOK_S)
        else:
            return True
