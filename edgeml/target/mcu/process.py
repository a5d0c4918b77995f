"""A .tflite file -> what tflite-micro makes of it, asked of a process of its own that can crash and be ended.

One process serves all models of this one (starting it takes 0.3 s, a small model 0.05 s); it ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeml.errors import ModelError
from edgeml.target.answers import Answers, NoAnswerError
from edgeml.target.mcu import child as tflm_child
from edgeml.target.meter import MeterUnavailableError

MISSING = "tflite-micro is not installed: pip install 'edgeml[mcu]'"
START_LIMIT_S = 60.0
COMMAND = [sys.executable, "-P", tflm_child.__file__]
"""Program and arguments; `-P` keeps the child's folder out of its sys.path."""


def missing() -> str:
    """Why tflite-micro cannot be used here, "" where it can."""
    return "" if find_spec("tflite_micro") else MISSING


def tool() -> str:
    """Name and version, for measurements."""
    return f"tflite-micro {version('tflite-micro')}"


class _Child:
    """The process and its answers."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self._answers = Answers(self._process.stdout)

    @property
    def usable(self) -> bool:
        """It runs, and is this process's own (not that of the process this one was forked from)."""
        return self.owner == os.getpid() and self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `answer` finds out why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def answer(self, limit_s: float) -> dict[str, Any]:
        """The next line.

        Raises:
            NoAnswerError: it took too long, ended, or said something else.
        """
        found = self._answers.next(limit_s)
        if found is None:
            raise NoAnswerError(self._last_words())
        return found

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._stderr.seek(0)
        said = self._stderr.read()[-4096:].decode(errors="replace").strip().splitlines()
        return "ended" + (f": {said[-1][:200]}" if said else f" with status {self._process.returncode}")

    def close(self) -> None:
        """End it and its forks at once."""
        if self.owner == os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                    stream.close()


_LOCK = threading.Lock()
_children: list[_Child] = []


def close() -> None:
    """End the process; the next model starts a new one."""
    while _children:
        _children.pop().close()


atexit.register(close)


def _child() -> _Child:
    """The running process; a new one where there is none.

    Raises:
        MeterUnavailableError: tflite-micro is not installed or cannot be started.
    """
    if _children and _children[0].usable:
        return _children[0]
    close()
    reason = missing()
    if reason:
        raise MeterUnavailableError(reason)
    started = _Child()
    try:
        started.answer(START_LIMIT_S)
    except NoAnswerError as silence:
        started.close()
        raise MeterUnavailableError(f"the process that runs tflite-micro {silence}.") from silence
    except BaseException:
        started.close()
        raise
    _children.append(started)
    return started


def ask(model: bytes, limit_s: float, memory_bytes: int) -> dict[str, Any]:
    """TFLite bytes -> child.py's answer about them, one without an error.

    Args:
        model: flatbuffer.
        limit_s: seconds for all attempts together.
        memory_bytes: address space of an attempt.

    Raises:
        MeterUnavailableError: tflite-micro is not installed or cannot be started.
        ModelError: it refuses the model (in its words), crashes on it, or takes longer than the limit.
    """
    with _LOCK, tempfile.TemporaryDirectory(prefix="edgeml-tflm-") as folder:
        child, path = _child(), Path(folder) / "model.tflite"
        path.write_bytes(model)
        try:
            child.ask({"model": str(path), "memory_bytes": memory_bytes, "cpu_s": int(limit_s) + 2})
            found = child.answer(limit_s)
        except NoAnswerError as silence:
            close()
            raise ModelError(
                f"tflite-micro {silence} on the model of {len(model)} bytes and was ended; try a smaller "
                "model, or give it longer with options: {tflm: {time_limit_s: ...}} in the profile."
            ) from silence
        except BaseException:  # Ctrl-C: its answer would be taken for the next model's
            close()
            raise
    if "crash" in found:
        raise ModelError(
            f"tflite-micro crashed on the model of {len(model)} bytes while {found['while']} it "
            f"({found['crash']}); the file is damaged, or uses an operator as its kernel does not expect."
        )
    if "error" in found:
        raise ModelError(f"tflite-micro cannot run the model: {str(found['error']).strip().rstrip('.')}.")
    return found
