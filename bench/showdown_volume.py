"""Hypervolume of what a run of the showdown made: boxes of a task, fronts by validation, moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from edgeml.search.archive.pareto import front, hypervolume

SHOWN = {
    "size_bytes": "file", "macs": "MACs", "arena_bytes": "arena", "mcu_ms": "Cortex-M7",
    "coral_ms": "Coral", "vela_cycles": "Ethos-U55", "host_ms": "host",
}  # fmt: skip
"""host_ms comes from showdown_latency.py, for the searches of a task on a computer or those of one budget."""

Run = dict[str, Any]
Bounds = dict[str, tuple[float, float]]


def is_reference(run: Run) -> bool:
    """A fixed network rather than a search."""
    return str(run["tool"]).startswith("reference:")


def bounds(runs: Iterable[Run], budget_cpu_s: float) -> Bounds:
    """Cost -> its least and largest value in the searches' models, where every search has some.

    A cost that only those of the budget have is bounded by these.
    """
    searches = [run for run in runs if not is_reference(run) and run["models"]]
    found: Bounds = {}
    for cost in SHOWN:
        for among in (searches, [run for run in searches if run["budget_cpu_s"] == budget_cpu_s]):
            values = [[row[cost] for row in run["models"] if row.get(cost)] for run in among]
            if values and all(values):
                found[cost] = (min(map(min, values)), max(map(max, values)))
                break
    return found


def volume(rows: Sequence[dict[str, Any]], cost: str, within: tuple[float, float], guess: float) -> float:
    """Models -> part of the box that the front by validation covers on test."""
    low, high = (math.log(bound) for bound in within)
    points = [(1 - row["test"], math.log(row[cost])) for row in members(rows, cost)]
    # The dearest model covers something too: the box ends a tenth of a factor beyond it.
    end = high + 0.1
    return hypervolume(points, (guess, end)) / (guess * (end - low))


def reached_after(run: Run, wanted: float, of: Callable[[Sequence[dict[str, Any]]], float]) -> float | None:
    """Processor seconds after which a run's models so far have a hypervolume; None: never."""
    for time in sorted({row["cpu_s"] for row in run["models"]}):
        if of([row for row in run["models"] if row["cpu_s"] <= time]) >= wanted:
            return float(time)
    return None


def members(models: Sequence[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    """Those that nothing beats in both validation accuracy and a cost."""
    rows = [row for row in models if row.get(cost)]
    return [rows[i] for i in front([(1 - row["validation"], row[cost]) for row in rows])]
