"""A command with a budget of processor seconds: the whole process tree is counted, looked at and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 0.5
GRACE = 1.1
"""The tree is ended at this part of its budget; what it wrote after the budget does not count in any case."""
STILL_S = 300.0
"""Without a processor second: it stands still."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        cpu_s, wall_s: of the whole tree.
        code: exit code; negative: the signal that ended it.
        killed: over its budget, or standing still.
    """

    cpu_s: float
    wall_s: float
    code: int
    killed: bool


def processor_s(root: psutil.Process) -> float:
    """Processor seconds of a process and of all below it, those included that have ended."""
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def run(
    command: Sequence[str],
    budget_s: float,
    log: Path,
    look: Callable[[float], None],
    core: int | None = None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Run a command until it ends or its tree has had the budget.

    Args:
        command: program and arguments.
        budget_s: processor seconds.
        log: file for its output.
        look: called twice a second with the tree's processor seconds so far, and once at the end.
        core: the only core it may use; None for all.
        environment: of the command; None for this process's.

    A tree that gets no processor second within STILL_S is ended too.
    """
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    began, spent, moved = time.monotonic(), 0.0, time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*pinned, *command],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
        root, killed, then = psutil.Process(process.pid), False, 0.0
        try:
            while process.poll() is None:
                time.sleep(LOOK_S)
                try:
                    now = processor_s(root)
                except psutil.Error:
                    break
                if now > then + 1:
                    moved, then = time.monotonic(), now
                spent = max(spent, now)
                look(spent)
                if spent > GRACE * budget_s or time.monotonic() - moved > STILL_S:
                    killed = True
                    break
        finally:
            _end(process)
    look(spent)
    return Ended(round(spent, 1), round(time.monotonic() - began, 1), process.wait(), killed)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the tree, whatever of it is left."""
    try:
        left = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        left = []
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in left:
        with suppress(psutil.Error):
            child.kill()
    process.wait()
