"""How far the reading of a data set is, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Told = Callable[[str, int, int], None]
"""(what is done, how many are done, of how many)."""

_told: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def telling(told: Told | None) -> Iterator[None]:
    """`tell` calls `told` inside."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def tell(what: str, done: int, total: int) -> None:
    """Say how far something is."""
    told = _told.get()
    if told is not None:
        told(what, done, total)
