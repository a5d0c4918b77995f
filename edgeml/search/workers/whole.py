"""Ctrl-C in the coordinator: what it has begun to count is counted to its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
