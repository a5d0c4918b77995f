"""Where evaluations run: spawned worker processes, each behind a `concurrent.futures` executor of its own.

A worker ignores Ctrl-C (the coordinator decides), prints into the run's worker.log and ends itself when its
coordinator is gone. A crash in native code ends one worker, not the run, and not the other workers: a
ProcessPoolExecutor of several processes breaks as a whole, so each has one.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgeml.arch.own_ops import load_own
from edgeml.search.workers.compute import LOCAL, Compute
from edgeml.search.workers.container import oom_kills
from edgeml.search.workers.watchdog import Watchdog, how_it_ended, kill_tree

Result = TypeVar("Result")
ENDING_S = 5.0
"""How long a pool that has been left is waited for."""

__all__ = ["Executor", "Inline", "WorkerDiedError", "Workers"]


class WorkerDiedError(Exception):
    """A worker ended in the middle of an evaluation: it crashed, hung or needed too much memory."""


class Executor(Protocol):
    """What evaluations are given to."""

    @property
    def slots(self) -> int:
        """Evaluations that may run at once now, at least 1."""

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run a module-level function elsewhere; a dead worker makes the future raise WorkerDiedError."""

    def kill(self) -> None:
        """End what runs, at once; what is submitted afterwards runs."""

    def close(self) -> None:
        """End what runs, for good."""


class Inline:
    """This process, one evaluation at a time: for functions that train nothing."""

    slots = 1

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Call the function now."""
        future: Future[Result] = Future()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future

    def kill(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing runs."""


class Workers:
    """Worker processes of this computer; one that dies is replaced.

    Args:
        log: file that their output goes to.
        compute: how many, and what each may use.
    """

    def __init__(self, log: Path, compute: Compute = LOCAL) -> None:
        self._workers = [_Worker(str(log), compute) for _ in range(compute.workers)]
        self._idle = list(self._workers)
        self._waiting: deque[Callable[[_Worker], None]] = deque()
        self._lock = threading.RLock()

    @property
    def slots(self) -> int:
        """Number of worker processes."""
        return len(self._workers)

    def start(self) -> None:
        """Start all workers and have them import what evaluations need, without waiting for it."""
        for worker in self._workers:
            worker.prepare()

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run a module-level function in a worker that is free, now or later."""
        outer: Future[Result] = Future()

        def run(worker: _Worker) -> None:
            def over(set_outcome: Callable[[], None]) -> None:
                try:
                    with self._lock:
                        if self._waiting:
                            self._waiting.popleft()(worker)
                        else:
                            self._idle.append(worker)
                finally:
                    set_outcome()

            if not outer.set_running_or_notify_cancel():
                over(lambda: None)
                return
            try:
                worker.run(function, arguments, outer, over)
            except (OSError, RuntimeError) as error:  # the system starts no process or thread now
                over(partial(outer.set_exception, error))

        with self._lock:
            if self._idle:
                run(self._idle.pop(0))
            else:
                self._waiting.append(run)
        return outer

    def kill(self) -> None:
        """End the workers at once and forget what waits; the next submit starts new ones."""
        with self._lock:
            self._waiting.clear()
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """As `kill`."""
        self.kill()


class _Worker:
    """One process, started when it is needed and replaced after so many evaluations."""

    def __init__(self, log: str, compute: Compute) -> None:
        self._log, self._compute = log, compute
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._done, self._oom_kills, self._warm = 0, 0, False
        self._watchdog = Watchdog(compute)
        self._ending: list[tuple[Any, ProcessPoolExecutor]] = []

    def prepare(self) -> None:
        """Start it and have it import TensorFlow; its successors do so too."""
        self._warm = True
        self._started()

    def run(
        self,
        function: Callable[..., Result],
        arguments: tuple[Any, ...],
        outer: Future[Result],
        over: Callable[[Callable[[], None]], None],
    ) -> None:
        """Evaluate; `over` is called when the process is free again, and sets what came of it."""
        if self._done >= self._compute.recycle:
            self._leave()
        try:
            inner = self._started().submit(function, *arguments)
        except BrokenProcessPool:  # it died while nothing ran
            self._leave()
            inner = self._started().submit(function, *arguments)
        self._done += 1
        process, kills = self._process, self._oom_kills
        assert process is not None
        watched = self._watchdog.watch(process)

        def pass_on(future: Future[Result]) -> None:
            stopped = watched()
            error = CancelledError() if future.cancelled() else future.exception()
            if _died(error, process):
                why = stopped or how_it_ended(process.exitcode, oom_kills() > kills)
                died = WorkerDiedError(f"{why}; {self._log} ends with what it printed")
                self._leave(broken=True)
                over(lambda: outer.set_exception(died))
            elif error is not None:
                over(lambda: outer.set_exception(error))
            else:
                over(lambda: outer.set_result(future.result()))

        inner.add_done_callback(pass_on)

    def kill(self) -> None:
        """End the process and those that it has started."""
        pool, process = self._pool, self._process
        self._pool, self._process, self._done = None, None, 0
        if process is not None:
            kill_tree(process)
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        for thread, _ in self._ending:  # Python's exit would find their pipes half closed
            thread.join(ENDING_S)
        self._ending.clear()

    def _leave(self, broken: bool = False) -> None:
        """Let the process end when it is done; the next evaluation starts another.

        A broken pool ends itself. From Python 3.12 on it holds a lock while it says so, which shutting it
        down or forgetting it would take again; so it is kept until its thread is over.
        """
        if self._pool is not None:
            self._ending = [(thread, pool) for thread, pool in self._ending if thread.is_alive()]
            self._ending.append((self._pool._executor_manager_thread, self._pool))
            if not broken:
                self._pool.shutdown(wait=False)
        self._pool, self._process, self._done = None, None, 0

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            start = (self._log, os.getpid(), self._compute.threads_each)
            pool = ProcessPoolExecutor(1, context, _start, start)
            with _main_not_imported():
                pool.submit(_warm_up if self._warm else _nothing)
            self._pool, self._process = pool, next(iter(pool._processes.values()))
            self._oom_kills = oom_kills()
        return self._pool


def _died(error: BaseException | None, process: BaseProcess) -> bool:
    """Whether an evaluation failed because its process is gone; the pipe to it may be the first to say so."""
    broken_pipe = isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.EBADF)
    if not broken_pipe and not isinstance(error, BrokenProcessPool):
        return False
    process.join(2)
    return not broken_pipe or process.exitcode is not None


@contextmanager
def _main_not_imported() -> Iterator[None]:
    """Keep `spawn` from running the user's script again: workers need edgeml's modules only."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    main.__spec__ = None
    if file is not None:
        del main.__file__
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file


def _start(log: str, coordinator: int, threads: int | None) -> None:
    """First thing in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # a full disk is no reason not to train
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # else TensorFlow imports Keras 3
    if threads is not None:
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ[name] = str(threads)
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()
    load_own()


def _end_with(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(0.5)
    os._exit(1)


def _nothing() -> None:
    """Starts the process."""


def _warm_up() -> None:
    """Import what every evaluation needs, while the coordinator reads the data."""
    import tensorflow  # noqa: F401
    import tf_keras  # noqa: F401
