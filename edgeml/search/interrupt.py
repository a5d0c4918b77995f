"""Ctrl-C in a search and in what follows it: nothing that is stored is lost or counted by half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeml.search.study import Study
    from edgeml.search.workers.executor import Executor


@contextmanager
def ended_by_ctrl_c(study: Study, executor: Executor) -> Iterator[None]:
    """What is inside ends with Ctrl-C, and its workers with it; the study is called interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        study.progress.interrupted = True
        executor.kill()


@contextmanager
def done_whole() -> Iterator[None]:
    """What is inside is done to its end: a first Ctrl-C meanwhile takes effect after it, a second at once.

    Where Ctrl-C never arrives (another thread, a shell's background job) nothing is changed.
    """
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if pressed:
            usual(number, frame)
        pressed.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        usual(signal.SIGINT, None)
