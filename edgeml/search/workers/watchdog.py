"""Ends a worker that hangs, runs over its time or needs more memory than it may, and says which it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from edgeml.search.workers.compute import Compute
from edgeml.search.workers.container import memory_limit
from edgeml.train import awake

if TYPE_CHECKING:
    import psutil

LOOK_S = 0.5
DEFAULT_MEMORY = 0.8
"""Share of the computer's memory that all workers together may take where no limit is given."""
STALLED_S = 600.0
"""A worker that has used less than STALLED_CPU_S of processor time for so long hangs."""
STALLED_CPU_S = 1.0
STOPPED_S = 3600.0
"""A worker that somebody stopped (SIGSTOP) and left is ended after so long: a search must come to its end."""


class Watchdog:
    """Watches one worker process while it evaluates."""

    def __init__(self, compute: Compute) -> None:
        self._trial_s = compute.trial_s
        self._limit_bytes = compute.memory_bytes
        self._workers = compute.workers

    def watch(self, process: BaseProcess) -> Callable[[], str | None]:
        """Begin; call what is returned when the evaluation is over: it gives why the worker was ended."""
        over = threading.Event()
        said: list[str] = []

        def run() -> None:
            limit = self._limit_bytes or int(DEFAULT_MEMORY * total_memory() / self._workers)
            cpu, clock = _Progress(), _Clock()
            while not over.wait(LOOK_S):
                processes = tree(process)
                reason = clock.look(processes) or self._late(clock.worked_s) or _too_large(processes, limit)
                if reason := reason or cpu.stalled(processes, clock.worked_s):
                    said.append(reason)
                    kill_tree(process)
                    return

        threading.Thread(target=run, daemon=True).start()

        def stop() -> str | None:
            over.set()
            return said[0] if said else None

        return stop

    def _late(self, elapsed_s: float) -> str | None:
        if self._trial_s is None or elapsed_s < self._trial_s:
            return None
        return f"the evaluation took longer than --trial-time {self._trial_s:g} s and its worker was ended"


class _Clock:
    """Seconds of an evaluation, without those in which this process or the worker was stopped.

    Attributes:
        worked_s: those seconds.
    """

    def __init__(self) -> None:
        self.worked_s = self._stopped_s = 0.0
        self._looked, self._was = awake.now(), False

    def look(self, processes: Sequence[psutil.Process]) -> str | None:
        """Count the time since last looked; a sentence where the worker has been stopped for too long."""
        now = awake.now()
        since, self._looked = now - self._looked, now
        was, self._was = self._was, stopped(processes)
        if self._was:
            self._stopped_s += since
        else:  # when between two looks it went on nobody knows
            self.worked_s, self._stopped_s = self.worked_s + (0.0 if was else since), 0.0
        if self._stopped_s < STOPPED_S:
            return None
        return f"the worker had been stopped (SIGSTOP) for {STOPPED_S / 60:g} minutes and was ended"


class _Progress:
    """Whether processes still use the processor."""

    def __init__(self) -> None:
        self._at, self._seconds = 0.0, 0.0

    def stalled(self, processes: Sequence[psutil.Process], now: float) -> str | None:
        used = cpu_s(processes)
        if not processes or used > self._seconds + STALLED_CPU_S or used < self._seconds:
            self._at, self._seconds = now, used
        if now - self._at < STALLED_S:
            return None
        return f"the worker had stood still for {STALLED_S / 60:g} minutes and was ended"


def _too_large(processes: Sequence[psutil.Process], limit: int) -> str | None:
    used = memory_bytes(processes)
    if used <= limit:
        return None
    return (
        f"the worker needed {used / 1e9:.1f} GB of memory, over its limit of {limit / 1e9:.1f} GB "
        "(--worker-memory), and was ended"
    )


def tree(process: BaseProcess) -> list[psutil.Process]:
    """A process and all that it has started; nothing where it has ended."""
    import psutil

    with suppress(psutil.Error, ValueError):
        root = psutil.Process(process.pid)
        return [root, *root.children(recursive=True)]
    return []


def stopped(processes: Iterable[psutil.Process]) -> bool:
    """Whether somebody has stopped one of these processes."""
    import psutil

    for one in processes:
        with suppress(psutil.Error):
            if one.status() == psutil.STATUS_STOPPED:
                return True
    return False


def kill_tree(process: BaseProcess) -> None:
    """End a process and all that it has started."""
    import psutil

    children = tree(process)[1:]
    process.kill()
    for child in children:
        with suppress(psutil.Error):
            child.kill()


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Memory that processes do not share with a file or each other, bytes."""
    import psutil

    total = 0
    for one in processes:
        with suppress(psutil.Error):
            info = one.memory_info()
            total += info.rss - getattr(info, "shared", 0)
    return total


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds that processes have used."""
    import psutil

    total = 0.0
    for one in processes:
        with suppress(psutil.Error):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def total_memory() -> int:
    """Bytes of memory that this computer, or the container this runs in, has."""
    import psutil

    total = int(psutil.virtual_memory().total)
    return min(total, memory_limit() or total)


def how_it_ended(code: int | None, out_of_memory: bool) -> str:
    """Exit code of a worker -> a clause."""
    if code is None:
        return "the worker process died"
    if code >= 0:
        return f"the worker process died with exit code {code}"
    if -code == signal.SIGKILL:
        why = "for want of memory" if out_of_memory else "from outside; for want of memory perhaps"
        return f"the worker process was killed (SIGKILL) {why}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the worker process died of {name}"
