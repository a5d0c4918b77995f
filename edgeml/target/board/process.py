"""A command and what it is told -> what it said, within a time limit and a size limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

GRACE_S = 2.0
"""How long a finished command's pipes may stay open: a server it started can hold them (adb does)."""
CHUNK = 65536
START_S = 2.0


@dataclass(frozen=True)
class Finished:
    """What became of a command.

    Attributes:
        code: exit status; negative is the signal that ended it.
        stdout, stderr: what it printed, up to the limit.
        timed_out: it was ended at the time limit.
        too_long: it was ended because it printed more than the limit.
        seconds: wall clock.
    """

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    too_long: bool
    seconds: float

    @property
    def complaint(self) -> str:
        """The last line of stderr that says something, for a message; "" where there is none."""
        text = self.stderr.decode("utf-8", "replace").replace("\r", "\n")
        lines = [printable(line).strip() for line in text.splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "")


def printable(text: str) -> str:
    """Text without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def find_program(name: str, version: tuple[str, ...], install: str) -> tuple[str, str]:
    """A program -> (its path, ""), or ("", why it cannot be used here).

    Args:
        name: of the program, looked for on PATH.
        version: arguments with which it does next to nothing.
        install: what brings it.
    """
    path = shutil.which(name)
    if path is None:
        return "", f"no `{name}` program on PATH; install {install}"
    if refused := _start_refused(path, Path(path).stat().st_mtime_ns, version):
        return "", f"{path} cannot be started ({refused}); install {install} for this computer"
    return path, ""


@lru_cache(maxsize=8)
def _start_refused(path: str, changed_ns: int, arguments: tuple[str, ...]) -> str:
    """Why the system does not start a program: it is another processor's, say. Once for each state of it."""
    try:
        converse([path, *arguments], time_limit_s=START_S)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


class _Pipe:
    """Collects a pipe in a thread, up to a limit."""

    def __init__(self, pipe: IO[bytes], limit: int, overflow: Callable[[], None]) -> None:
        self.content = bytearray()
        self.too_long = False
        self._pipe, self._limit, self._overflow = pipe, limit, overflow
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed by converse()
            while chunk := os.read(self._pipe.fileno(), CHUNK):
                if len(self.content) + len(chunk) > self._limit:
                    self.too_long = True
                    self._overflow()
                    return
                self.content += chunk


def converse(
    command: Sequence[str],
    told: bytes = b"",
    *,
    time_limit_s: float,
    size_limit: int = 1 << 24,
    hold_stdin: bool = False,
) -> Finished:
    """Run a command in a process group of its own; at either limit the whole group is killed.

    Args:
        command: program and arguments; no shell.
        told: written to its standard input.
        time_limit_s: of everything.
        size_limit: bytes of stdout, and of stderr.
        hold_stdin: keep standard input open until it ends (else it is closed after `told`).

    Raises:
        OSError: no such program, or one that the system does not start.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C"},  # messages are compared
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        pipes = [_Pipe(pipe, size_limit, lambda: _kill(process)) for pipe in (process.stdout, process.stderr)]
        writer = threading.Thread(target=_write, args=(process.stdin, told, hold_stdin), daemon=True)
        writer.start()
        waiter = threading.Thread(target=process.wait, daemon=True)  # wait(timeout) polls every 50 ms
        waiter.start()
        waiter.join(max(time_limit_s, 0.01))
        timed_out = waiter.is_alive()
        if timed_out:
            _kill(process)
        for pipe in pipes:
            pipe.thread.join(GRACE_S)
        writer.join(GRACE_S)
    finally:  # also after Ctrl-C
        _kill(process)
        process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()
    if not writer.is_alive():  # else something that outlived the group holds the pipe, and close would wait
        with contextlib.suppress(OSError):
            process.stdin.close()
    out, err = pipes
    return Finished(
        process.returncode,
        bytes(out.content),
        bytes(err.content),
        timed_out,
        out.too_long or err.too_long,
        time.monotonic() - began,
    )


def _write(stream: IO[bytes], told: bytes, hold: bool) -> None:
    with contextlib.suppress(OSError, ValueError):  # it ended before it had read everything
        stream.write(told)
        stream.flush()
        if not hold:
            stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started; a process that has been waited for is left alone."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
