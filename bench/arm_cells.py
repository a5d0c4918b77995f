"""Published latencies of NAS-Bench-201 cells: columns of the tables, with the work of every cell."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.nb201_cells import Cell, connected, network, read_cells
from bench.shared_data import DATA
from edgeml.target.arm_work import amounts
from edgeml.target.calibrate.fit import Array

HELP = DATA / "nb201" / "nb201_latency_help_latbench.csv.gz"
HWNAS = DATA / "hwnas360" / "hwnas360_nb201.csv.gz"
TASKS = {
    "cifar10": ((32, 32, 3), 10),
    "cifar100": ((32, 32, 3), 100),
    "darcy": ((88, 88, 1), 1),
}
"""Image and classes. Darcy's output is a map; how its network ends is not said: here in one value."""


@dataclass(frozen=True)
class Column:
    """A device's latencies.

    Attributes:
        name: column of the table.
        amounts: (cells, terms) of arm_work.
        mmacs: millions of MACs of each.
        latency_ms: of each.
    """

    name: str
    amounts: Array
    mmacs: Array
    latency_ms: Array


@cache
def cells() -> tuple[tuple[int, Cell], ...]:
    """(index, cell) of every class of cells equal as functions, without those that have no path."""
    every = read_cells(DATA / "nb201" / "nb201_accuracy.csv.gz")
    with gzip.open(DATA / "nb201" / "nb201_accuracy.csv.gz", "rt") as lines:
        firsts = sorted({int(row["rep_index"]) for row in csv.DictReader(lines)})
    return tuple((index, every[index]) for index in firsts if connected(every[index]))


@cache
def work(task: str = "cifar10", executed: bool = False, limit: int | None = None) -> tuple[Array, Array]:
    """Amounts and millions of MACs of every cell's network."""
    shape, classes = TASKS[task]
    models = (network(cell, shape, classes, executed=executed) for _, cell in cells()[:limit])
    both = [(list(amounts(model).values()), model.macs / 1e6) for model in models]
    return np.array([a for a, _ in both]), np.array([m for _, m in both])


def column(
    table: Path, name: str, task: str = "cifar10", executed: bool = False, limit: int | None = None
) -> Column:
    """Column of a table (with nb201_index) -> Column; empty values and cells without a path are left out."""
    with gzip.open(table, "rt") as lines:
        values = {int(row["nb201_index"]): float(row[name] or "nan") for row in csv.DictReader(lines)}
    latency = np.array([values[index] for index, _ in cells()[:limit]])
    usable = np.isfinite(latency) & (latency > 0)
    found, mmacs = work(task, executed, limit)
    return Column(name, found[usable], mmacs[usable], latency[usable])


def draws(count: int, samples: int, repeat: int = 20) -> Sequence[Array]:
    """`repeat` random choices of `samples` out of `count`, the same every time."""
    return [np.random.default_rng(seed).choice(count, samples, replace=False) for seed in range(repeat)]
