"""The child process that runs Vela: one JSON line a model in, one JSON line out, until standard input ends.

Vela's core is C++ and ends its process on some damaged files, so it is not run inside edgeml. What it prints
goes to standard error, a file of the parent. Started by process.py as a script.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

GRACE_S = 5.0
"""After the time limit, for the parent to act first; then the kernel ends a worker whose parent is gone."""


def main() -> None:
    """Announce the version of Vela, then compile what is asked for."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        from ethosu.vela import vela
        from ethosu.vela._version import __version__
    except ImportError as error:
        _tell(answers, {"missing": str(error)})
        return
    _tell(answers, {"version": __version__})
    for line in sys.stdin:
        asked = json.loads(line)
        with _memory_limit(asked["memory_bytes"]):
            signal.setitimer(signal.ITIMER_REAL, asked["limit_s"] + GRACE_S)
            answer = _compile(vela, asked["arguments"], Path(asked["summary"]))
            signal.setitimer(signal.ITIMER_REAL, 0)
        _flush()
        _tell(answers, answer)


@contextlib.contextmanager
def _memory_limit(wanted_bytes: int) -> Iterator[None]:
    """Within it no more memory than that, or than the system allows; outside, what was allowed before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = [wanted_bytes, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(allowed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _compile(vela: Any, arguments: list[str], summary: Path) -> dict[str, Any]:
    try:
        code = vela.main(arguments)
    except SystemExit as error:  # argparse
        return {"error": f"exit status {error.code}", "kind": "SystemExit"}
    except Exception as error:
        return {"error": str(getattr(error, "error_msg", error)), "kind": type(error).__name__}
    if code:
        return {"error": f"exit status {code}", "kind": "VelaError"}
    with summary.open(newline="") as file:
        return {"summary": next(csv.DictReader(file))}


def _flush() -> None:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)  # what the C++ part has printed


def _tell(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
