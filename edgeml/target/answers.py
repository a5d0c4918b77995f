"""What a child process answers: JSON objects, a line each, each within a time limit."""

from __future__ import annotations

import json
import os
import select
import time
from typing import IO, Any


class NoAnswerError(Exception):
    """It took too long or said something else; the text goes on from "it "."""


class Answers:
    """Lines of a pipe that nothing else reads.

    Args:
        pipe: stdout of the child, unbuffered or not yet read.
    """

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None, "the process was started without a pipe for its output"
        self._pipe, self._read = pipe, b""

    def next(self, limit_s: float) -> dict[str, Any] | None:
        """The next answer; None where the child has closed its output.

        Raises:
            NoAnswerError: there is none within `limit_s` seconds, or it is no JSON object.
        """
        end = time.monotonic() + limit_s
        while b"\n" not in self._read:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
                raise NoAnswerError(f"did not answer in {limit_s:g} s")
            read = os.read(self._pipe.fileno(), 65536)
            if not read:
                return None
            self._read += read
        line, _, self._read = self._read.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NoAnswerError(f"answered {line[:80]!r}, expected JSON")
        return answer
