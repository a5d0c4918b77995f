"""Worker: one child process of worker.py, asked about one model after another."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from edgeml.target.answers import Answers, NoAnswerError
from edgeml.target.ethosu import worker as ethosu_worker

START_LIMIT_S = 60.0
SAID_LIMIT = 8 << 20
"""Bytes of what Vela prints that are read."""


class WorkerError(Exception):
    """It did not answer as it must and is gone; the text says why, as the end of a sentence.

    Attributes:
        retry: it ended by itself after other models, so that what they left may be the reason.
    """

    def __init__(self, why: str, retry: bool = False) -> None:
        super().__init__(why)
        self.retry = retry


class Worker:
    """A started worker.

    Args:
        command: of the process, where it is not the one that runs Vela.

    Raises:
        WorkerError: it did not start, or Vela cannot be imported there.
    """

    def __init__(self, command: Sequence[str] = ()) -> None:
        # -P: the script's folder holds modules named like those of the standard library.
        command = command or [sys.executable, "-P", ethosu_worker.__file__]
        self._said = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (open as long as the worker)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise WorkerError(f"{error.filename} cannot be started ({error.strerror})") from error
        self._answers = Answers(self._process.stdout)
        self._answered = 0
        try:
            hello = self._answer(START_LIMIT_S)
        except BaseException:
            self.close()
            raise
        if "version" not in hello:
            self.close()
            raise WorkerError(f"it cannot be imported ({hello.get('missing', hello)})")
        self.version = str(hello["version"])

    @property
    def alive(self) -> bool:
        """Whether it can take a model."""
        return self._process.poll() is None

    def ask(self, asked: dict[str, Any], limit_s: float) -> tuple[dict[str, Any], str]:
        """A request -> the answer, and what Vela printed.

        Raises:
            WorkerError: it crashed or took too long, and is gone.
        """
        self._said.seek(0)  # the worker writes through the same offset
        self._said.truncate(0)
        try:
            self._send(asked)
            answer = self._answer(limit_s)
        except BaseException:  # Ctrl-C too: its answer would be taken for the next model's
            self.close()
            raise
        self._answered += 1
        return answer, self._printed()

    def _send(self, asked: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def close(self) -> None:
        """End it at once."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None and not stream.closed:
                with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                    stream.close()

    def _answer(self, limit_s: float) -> dict[str, Any]:
        try:
            answer = self._answers.next(limit_s)
        except NoAnswerError as error:
            raise WorkerError(f"it {error}") from None
        if answer is None:
            raise self._died()
        return answer

    def _printed(self) -> str:
        self._said.seek(0)
        return self._said.read(SAID_LIMIT).decode(errors="replace")

    def _died(self) -> WorkerError:
        """Why the process ended, with the last thing it said."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        status = self._process.returncode
        if status is None:
            how = "it closed its output"
        else:
            how = "it crashed with " if status < 0 else "it ended with exit status "
            how += signal.Signals(-status).name if status < 0 else str(status)
        said = self._printed().strip().splitlines()
        return WorkerError(how + (f" ({said[-1][:200].rstrip('.')})" if said else ""), self._answered > 0)
