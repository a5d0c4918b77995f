"""Callables that run a model once -> milliseconds of each, timed in turns on this computer while it is calm.

A core's speed changes while it is watched: with a busy neighbour on the other half of the same physical core
a network took 1.25 to 1.5 times as long, for a fraction of a second to minutes. So a small matrix product,
the reference, is timed before and after every round; a round counts where the reference ran within CALM of
the best it did in this process, and a session goes on until enough rounds count or its patience ends. The
first session of a process lasts FIRST_S, to learn what the best is. The value is the median over the counting
rounds of each round's 10th percentile. Sequential blocks with a mean misranked 10 of 84 neighbouring
networks, interleaved low percentiles none (noise study on the machines edgeml is made on).

Trainings of other workers stand still meanwhile (train/quiet.py); the conditions hold how long that took.

The interval spans the counting rounds' 10th to 90th percentile, widened on both sides by WIDEN, which is what
sessions differ by beyond that (bench/host_latency.py). Where hardly a calm round came, all rounds count, and
the lower end is as much lower as the reference was slower than its best.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeml.target.host_cpu import measured_on
from edgeml.target.measurement import Measurement
from edgeml.train.quiet import alone

ROUNDS, ROUND_S, WARM_UP_RUNS = 25, 0.004, 5
CALM, CALM_ROUNDS, FEWEST_CALM = 1.1, 10, 3
"""Slowest reference of a calm round; calm rounds that end a session; calm rounds that make a value."""
FIRST_S, PATIENCE_S, PAUSE_S = 2.0, 4.0, 0.02
WIDEN = 0.05
STATISTIC = "median over calm rounds of the 10th percentile"

Run = Callable[[], Any]


@dataclass
class _Readings:
    """Of one model: each round's 10th percentile in seconds, the reference's time, and all runs."""

    times: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    runs: int = 0

    def calm(self, best: float) -> list[float]:
        """Rounds in which the reference ran near its best."""
        return [t for t, r in zip(self.times, self.reference, strict=True) if r <= best * CALM]


class Reference:
    """A fixed piece of work, and the best time it has taken in this process.

    Attributes:
        best: seconds.
        patience_s: how long a session waits for calm rounds; halved by every one that waited in vain.
    """

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(0).random((64, 64), dtype=np.float32)
        self.best = float("inf")
        self.patience_s = PATIENCE_S

    def __call__(self) -> float:
        """Seconds it takes now."""
        taken = float("inf")
        for _ in range(10):
            began = time.perf_counter()
            self._matrix @ self._matrix
            taken = min(taken, time.perf_counter() - began)
        self.best = min(self.best, taken)
        return taken


_REFERENCE = Reference()


def time_runs(
    runs: Mapping[str, Run], tool: str, conditions: dict[str, Any], seed: int = 0, widen: float = WIDEN
) -> dict[str, Measurement]:
    """Runs by name -> latency of each in milliseconds, all timed in one interleaved session.

    Args:
        runs: what runs a model once; warmed up here.
        tool: for the measurements.
        conditions: for the measurements, beside those of the protocol.
        seed: of the order.
        widen: what sessions differ by beyond their rounds, as a share.
    """
    for run in runs.values():
        for _ in range(WARM_UP_RUNS):
            run()
    if not runs:
        return {}
    with alone() as waited_s:
        found = _rounds(runs, seed)
    conditions = conditions | {
        **measured_on(),
        "interleaved_with": len(runs) - 1,
        "statistic": STATISTIC,
        "waited_s": None if waited_s is None else round(waited_s, 3),
    }
    return {name: _measurement(readings, tool, conditions, widen) for name, readings in found.items()}


def _rounds(runs: Mapping[str, Run], seed: int) -> dict[str, _Readings]:
    """Time the runs in turns until enough rounds were calm, or patience ends."""
    known = np.isfinite(_REFERENCE.best)
    found = {name: _Readings() for name in runs}
    order, rng, began = list(runs), random.Random(seed), time.monotonic()
    while not _enough(found, time.monotonic() - began, 0 if known else FIRST_S):
        rng.shuffle(order)
        slow = False
        for name in order:
            slow |= _round(runs[name], found[name]) > _REFERENCE.best * CALM
        if slow or not known:
            time.sleep(PAUSE_S)
    _REFERENCE.patience_s = PATIENCE_S if _calm(found) else _REFERENCE.patience_s / 2
    return found


def _enough(found: Mapping[str, _Readings], elapsed: float, least_s: float) -> bool:
    if min(len(readings.times) for readings in found.values()) < ROUNDS or elapsed < least_s:
        return False
    return elapsed > _REFERENCE.patience_s or _calm(found)


def _calm(found: Mapping[str, _Readings]) -> bool:
    return all(len(readings.calm(_REFERENCE.best)) >= CALM_ROUNDS for readings in found.values())


def _round(run: Run, readings: _Readings) -> float:
    """Time single runs, at least 3, for ROUND_S seconds; returns the reference's time."""
    before = _REFERENCE()
    times: list[float] = []
    end = time.perf_counter() + ROUND_S
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    slower = max(before, _REFERENCE())
    readings.times.append(float(np.percentile(times, 10)))
    readings.reference.append(slower)
    readings.runs += len(times)
    return slower


def _measurement(readings: _Readings, tool: str, conditions: dict[str, Any], widen: float) -> Measurement:
    best = _REFERENCE.best
    calm = readings.calm(best)
    enough = len(calm) >= FEWEST_CALM
    low, middle, high = (
        float(q) * 1e3 for q in np.percentile(calm if enough else readings.times, (10, 50, 90))
    )
    slowdown = 1.0 if enough else float(np.median(readings.reference)) / best
    conditions = conditions | {"rounds": len(readings.times), "calm_rounds": len(calm)}
    if not enough:
        conditions["notes"] = [
            f"This computer was busy: a reference ran {slowdown:.2f} times as long as at its best."
        ]
    return Measurement(
        "latency_ms",
        middle,
        "ms",
        "measured",
        tool,
        low=low / slowdown * (1 - widen),
        high=high * (1 + widen),
        n=readings.runs,
        conditions=conditions,
    )


def random_input(rng: np.random.Generator, shape: Any, kind: np.dtype[Any]) -> Any:
    """Values over the whole range of a small integer type, 0 to 1 for a real one; else 0 or 1.

    Wide integers are places in a table, and booleans have no range.
    """
    if kind.kind == "f":
        return rng.random(shape).astype(kind)
    if kind.kind not in "iu" or kind.itemsize > 2:
        return rng.integers(0, 2, shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
