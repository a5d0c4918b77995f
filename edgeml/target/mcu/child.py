"""Runs in a process of its own: says of .tflite files what tflite-micro makes of them, a JSON line each.

Started by process.py as a file, so it imports nothing of edgeml. tflite-micro does not verify a model
and can crash on one or on a small arena, so every attempt is a fork of this process with a memory limit: a
crash ends the fork, and this process says so.

Request: {"model": path, "memory_bytes": limit, "cpu_s": limit}. Answer: {"arena_bytes": smallest that
works, "reported_bytes" and "head_bytes": what print_allocations() says, "attempts": n}, or {"error": its
words} or {"crash": signal, "while": "loading" | "running"}.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

STEP = 16
"""Alignment of everything in the arena (MicroArenaBufferAlignment), so also of its smallest size."""

LARGE = 1 << 29
"""Arena of the first attempt; no memory is taken before it is written to."""

TOTAL = re.compile(r"Arena allocation (\w+) (\d+) bytes")
FAULT = "TFLM "  # what the Python wrapper says ("TFLM failed to allocate tensors"); the reason is on stderr

Limits = tuple[tuple[int, int], ...]
"""Resources of an attempt (resource.RLIMIT_...) and the most it may have of each."""


def attempt(model: bytes, arena_bytes: int, limits: Limits, run: bool) -> dict[str, Any]:
    """Allocate (and run) a model in a fork -> {"log": its stderr} with "error" or "crash" where it failed."""
    with tempfile.TemporaryFile() as said:
        at, tell = os.pipe()
        child = os.fork()
        if child == 0:
            _in_fork(model, arena_bytes, limits, run, said.fileno(), tell)
        os.close(tell)
        with os.fdopen(at, "rb") as reader:
            told = reader.read().decode(errors="replace")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        log = said.read().decode(errors="replace")
    phase, _, error = told.partition("\n")
    if status < 0:
        name = signal.Signals(-status).name
        return {"log": log, "crash": name, "while": "running" if phase == "loaded" else "loading"}
    return {"log": log, "error": error or log} if status else {"log": log}


def _in_fork(model: bytes, arena: int, limits: Limits, run: bool, stderr: int, tell: int) -> None:
    status = 1
    try:
        os.dup2(stderr, 2)
        for limited, most in limits:
            resource.setrlimit(limited, (most, most))
        from tflite_micro import runtime

        loaded = runtime.Interpreter.from_bytes(model, arena_size=arena)
        os.write(tell, b"loaded\n")
        if run:
            loaded.invoke()
            loaded.print_allocations()
        status = 0
    except MemoryError:
        os.write(tell, b"\nout of memory")
    except RuntimeError as error:
        os.write(tell, f"\n{error}".encode())
    except Exception as error:  # Python code of the package reads the file before tflite-micro does
        os.write(tell, f"\nthe file is damaged ({str(error)[:120]})".encode())
    finally:
        os._exit(status)


def smallest(model: bytes, reported: int, limits: Limits) -> tuple[int, int]:
    """The smallest arena that works, from the reported size upwards, and the number of attempts it took.

    While it plans, tflite-micro needs room that the reported total leaves out; for small networks that is
    the larger figure.
    """
    attempts = 0

    def works(size: int) -> bool:
        nonlocal attempts
        attempts += 1
        outcome = attempt(model, size, limits, run=True)
        return "error" not in outcome and "crash" not in outcome

    low, high = reported - STEP, reported
    while not works(high):
        low, high = high, 2 * high
        if high > LARGE:
            return LARGE, attempts
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        low, high = (low, middle) if works(middle) else (middle, high)
    return high, attempts


def answer(path: Path, limits: Limits) -> dict[str, Any]:
    """A .tflite file -> what tflite-micro makes of it."""
    model = path.read_bytes()
    outcome = attempt(model, LARGE, limits, run=True)
    log = str(outcome.pop("log"))
    if "crash" in outcome:
        return outcome
    if "error" in outcome:
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        error = str(outcome["error"]).strip()
        return {"error": ": ".join(lines[:2]) if lines and error.startswith(FAULT) else error}
    sizes = {name: int(size) for name, size in TOTAL.findall(log)}
    arena, attempts = smallest(model, sizes["total"], limits)
    return {
        "arena_bytes": arena,
        "reported_bytes": sizes["total"],
        "head_bytes": sizes["head"],
        "attempts": attempts + 1,
    }


def main() -> None:
    """Answer until the input ends."""
    from tflite_micro import runtime  # noqa: F401  (once, before the forks)

    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            limits = (
                (resource.RLIMIT_CORE, 0),
                (resource.RLIMIT_AS, int(asked["memory_bytes"])),
                (resource.RLIMIT_CPU, int(asked["cpu_s"])),
            )
            found = answer(Path(asked["model"]), limits)
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
