"""Seconds in which this process was not stopped: Ctrl-Z and `fg`, SIGSTOP, a container that is paused.

The monotonic clock goes on while a process is stopped; limits and durations that are meant for work must not.
A thread looks at the clock several times a second. Where it could not for some seconds in which the process
used no processor either, the process was stopped. Stops shorter than that count as work.
"""

from __future__ import annotations

import os
import threading
import time

LOOK_S = 0.2
LONGEST_S = 2.0
"""Between two looks of a process that is not stopped, where it uses no processor."""


class Clock:
    """A clock that stands still while its process is stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looked = self._worked = self._stopped = 0.0

    def now(self) -> float:
        """Seconds since some moment in the past."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # threads do not survive a fork
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._looked, self._worked = time.monotonic(), time.process_time()
                self._thread.start()
            return self._counted()

    def _counted(self) -> float:
        now, worked = time.monotonic(), time.process_time()
        gap = now - self._looked
        if gap > LONGEST_S and worked - self._worked < LOOK_S * (os.cpu_count() or 1):
            self._stopped += gap - LOOK_S
        self._looked, self._worked = now, worked
        return now - self._stopped

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            with self._lock:
                self._counted()


_CLOCK = Clock()
os.register_at_fork(after_in_child=_CLOCK.__init__)  # type: ignore[misc]  # its lock may have been held


def now() -> float:
    """Seconds since some moment in the past, without those in which this process was stopped."""
    return _CLOCK.now()
