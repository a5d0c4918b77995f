"""Bounds on time that hold on slow and busy computers: they grow with what a fixed piece of work takes there.

A bound is there for a wrong complexity or a heavy import, ten times too slow, not for a fifth. Give it in
seconds of the reference, a core of an idle 2.5 GHz Xeon: three times what the work takes there, or more.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

REFERENCE_S = 0.0033  # a `piece` on the reference; CI's computers differ by two to three times
TRIES = 12
SOON_S = 60.0  # what is ended at its limit is gone by then; left alone it would go on for minutes


def processor_s() -> float:
    """Processor time of this process and of its children that have ended, in seconds."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def piece() -> None:
    """A little of what timed work is made of: Python objects, and numpy on small arrays."""
    counts: dict[int, int] = {}
    for one in range(4_000):
        key = one * 7919 % 1009
        counts[key] = counts.get(key, 0) + len(str(one))
    values = np.sqrt(np.arange(10_000, dtype=np.float64)).reshape(100, 100)
    for row in values:
        float(np.add(row, 1).sum())
    np.sort(np.sin(values), axis=None)


def seconds(work: Callable[[], object], clock: Callable[[], float] = processor_s) -> float:
    """What `work` takes once, in seconds."""
    began = clock()
    work()
    return clock() - began


def slowness(clock: Callable[[], float] = processor_s) -> float:
    """How many times as long as on the reference things take just now; at least 1."""
    return max(1.0, statistics.median(seconds(piece, clock) for _ in range(9)) / REFERENCE_S)


def assert_within(
    bound_s: float, work: Callable[[], object], clock: Callable[[], float] = processor_s
) -> None:
    """Fails where `work` takes more than `bound_s` seconds of the reference in each of some tries.

    If it is fast it runs once. Processor time is what a shared computer disturbs least; a test with another
    clock is marked `alone`.
    """
    taken_s: list[float] = []
    while not taken_s or (taken_s[-1] > bound_s and len(taken_s) < TRIES):
        taken_s.append(seconds(work, clock))
        if taken_s[-1] > bound_s:
            taken_s[-1] /= slowness(clock)
    assert taken_s[-1] <= bound_s, f"{min(taken_s):.4f} s of the reference at best; bound: {bound_s} s"
