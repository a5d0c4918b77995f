"""Where evaluations run: a spawned worker process behind `concurrent.futures`.

The worker ignores Ctrl-C (the coordinator decides), prints into the run's worker.log and ends itself when
its coordinator is gone. A crash in native code ends the worker, not the run.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edgeml.arch.own_ops import load_own

Result = TypeVar("Result")

__all__ = ["BrokenProcessPool", "Workers"]


class Workers:
    """Executor with one worker process that can be killed and is replaced when it dies."""

    def __init__(self, log: Path) -> None:
        self._log = str(log)
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run a module-level function in the worker."""
        if self._pool is None:
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _start, (self._log, os.getpid()))
        with _main_not_imported():
            return self._pool.submit(function, *arguments)

    def kill(self) -> None:
        """End the worker at once; the next submit starts a new one."""
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


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


def _start(log: str, coordinator: int) -> None:
    """First thing in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()
    load_own()


def _end_with(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(0.5)
    os._exit(1)


def warm_up() -> None:
    """Import what every evaluation needs, while the coordinator reads the data."""
    import tensorflow  # noqa: F401
    import tf_keras  # noqa: F401
