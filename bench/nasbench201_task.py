"""Tabular search tasks: every network of a space with its published error and cost.

`task("rpi4-cifar100")` is NAS-Bench-201 (Dong & Yang 2020) with a device's latency: minimise the error after
200 epochs and the latency, both min-max normalised over the task's cells, reference point (1, 1). One cell a
published class (rep_index; isomorphic cells share the row of the lowest index); cells without a path from
input to output are dropped. The score is the hypervolume of fully trained points over that of the true front.
`task("macro")` is NAS-Bench-Macro (Su et al. 2021): eight layers, error on CIFAR-10 against FLOPs; its
networks were trained once, so there is no low fidelity, and half of its networks are written in several ways.

Names are DEVICE-DATASET: rpi4, pixel3, gold6226, 1080ti, i7 or pi5 with cifar10, cifar100 or imagenet16, and
pi5-ninapro. HW-NAS-Bench's FPGA and Eyeriss columns are not in the data, so there is no task for them.
The 200-epoch accuracies are test accuracies, for there are no published validation ones; 12-epoch validation
accuracy is the low fidelity. Data: $EDGEML_SHARED or ../shared, folder data/.

    python bench/nasbench201_task.py    # table of the tasks
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from bench.nb201_cells import connected
from edgeml.arch import space as arch_space
from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.space import Choice, Choices, Decision, Space
from edgeml.arch.space_file import load_space
from edgeml.search.archive import pareto

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data"
SHORT_COST = 0.06
"""Cost of a 12-epoch training where a 200-epoch one costs 1: 12 / 200."""
OPS = {
    "none": "zero",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv_1x1",
    "nor_conv_3x3": "conv_3x3",
    "avg_pool_3x3": "avg_pool_3x3",
}
"""Published name of an operation -> its name in search_spaces/nasbench201.yaml."""
LATENCIES = {
    "rpi4": ("nb201/nb201_latency_help_latbench.csv.gz", "raspi4_ms"),
    "pixel3": ("nb201/nb201_latency_help_latbench.csv.gz", "pixel3_ms"),
    "gold6226": ("nb201/nb201_latency_help_latbench.csv.gz", "gold_6226_ms"),
    "1080ti": ("nb201/nb201_latency_help_latbench.csv.gz", "1080ti_1_ms"),
    "i7": ("nb201/nb201_latency_help_latbench.csv.gz", "i7_7820x_tf_fp32_ms"),
    "pi5": ("hwnas360/hwnas360_nb201.csv.gz", "pi5_litert_cifar100_ms"),
}
SETS = {
    "cifar10": ("c10", (32, 32, 3), 10),
    "cifar100": ("c100", (32, 32, 3), 100),
    "imagenet16": ("in16", (16, 16, 3), 120),
}
NO_PATH_MS = 0.1
MACRO_WIDTHS = (64, 64, 128, 128, 128, 256, 256, 256)
MACRO_OPS = ("identity", "mb3_k3", "mb6_k5")
"""Digits 0, 1, 2 of NAS-Bench-Macro."""


@dataclass(frozen=True, eq=False)
class Task:
    """A table to search; rows are distinct networks.

    Attributes:
        name: as `task` takes it.
        space: whose points the table knows.
        inputs: what the networks take and give, for `space.decode`.
        rows: a point's choices in the order of `space.decisions` -> row; a point without a path has none.
        errors: percent, after full training (test split), shape (rows,).
        costs: `cost_name`, shape (rows,).
        cost_name: with its unit.
        short_errors: percent, after 12 epochs (validation split), shape (rows,); None where there is none.
        short_test_errors: the same on the test split; nothing may be chosen by it.
    """

    name: str
    space: Space
    inputs: arch_space.Task
    rows: dict[tuple[Choice, ...], int]
    errors: np.ndarray
    costs: np.ndarray
    cost_name: str
    short_errors: np.ndarray | None = None
    short_test_errors: np.ndarray | None = None

    def row(self, choices: Choices) -> int | None:
        """Choices -> row of the table; None where there is no path from input to output."""
        return self.rows.get(tuple(choices[decision.name] for decision in self.space.decisions))

    @cached_property
    def choices(self) -> list[dict[str, Choice]]:
        """One point of the space for every row, the first that is written so."""
        names = [decision.name for decision in self.space.decisions]
        found: dict[int, dict[str, Choice]] = {}
        for values, row in self.rows.items():
            found.setdefault(row, dict(zip(names, values, strict=True)))
        return [found[row] for row in range(len(self.errors))]

    @cached_property
    def points(self) -> np.ndarray:
        """(rows, 2): error and cost, min-max normalised over the rows, float64."""
        both = np.stack([self.errors, self.costs], axis=1)
        low, high = both.min(axis=0), both.max(axis=0)
        return (both - low) / (high - low)

    @cached_property
    def true_front(self) -> list[int]:
        """Rows of the true front."""
        return pareto.front(self.points.tolist())

    @cached_property
    def true_hypervolume(self) -> float:
        """What the true front dominates below (1, 1)."""
        return pareto.hypervolume(self.points[self.true_front].tolist(), (1.0, 1.0))

    def score(self, rows: Iterable[int]) -> float:
        """Rows that were fully trained -> their part of the true hypervolume, 0 .. 1."""
        points = self.points[sorted(set(rows))]
        return pareto.hypervolume(points.tolist(), (1.0, 1.0)) / self.true_hypervolume


@cache
def task(name: str) -> Task:
    """Name -> Task.

    Raises:
        KeyError: no such task; lists the known ones.
        FileNotFoundError: the data is not on this machine.
    """
    if name not in TASKS:
        raise KeyError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    if name == "macro":
        return _macro()
    device, data_set = name.split("-")
    return _nasbench201(name, device, data_set)


@cache
def _columns(file: str) -> dict[str, list[str]]:
    """A CSV file below DATA -> its columns as text."""
    path = DATA / file
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    return {name: [row[name] for row in table] for name in table[0]}


def _numbers(file: str, column: str) -> np.ndarray:
    return np.array([float(text) if text else np.nan for text in _columns(file)[column]])


def _nasbench201(name: str, device: str, data_set: str) -> Task:
    table = "nb201/nb201_accuracy.csv.gz"
    edges = ("01", "02", "12", "03", "13", "23")
    cells = list(zip(*(_columns(table)[f"op_e{edge}"] for edge in edges), strict=True))
    first = _numbers(table, "rep_index").astype(int)
    latency, full = _latency(device, data_set), _full_accuracy(data_set)
    kept = [
        index
        for index in np.unique(first).tolist()
        if connected(cells[index]) and latency[index] > NO_PATH_MS and np.isfinite(full[index])
    ]
    row_of = {index: row for row, index in enumerate(kept)}
    rows: dict[tuple[Choice, ...], int] = {
        tuple(OPS[op] for op in cell): row_of[index]
        for cell, index in zip(cells, first.tolist(), strict=True)
        if index in row_of
    }
    space = load_space("nasbench201")
    if data_set not in SETS:
        return Task(
            name, space, arch_space.Task((32, 32, 3), 18), rows, 100 - full[kept], latency[kept], "latency_ms"
        )
    short, shape, classes = SETS[data_set]
    early = {split: 100 - _numbers(table, f"{short}_{split}_acc_12ep")[kept] for split in ("val", "test")}
    inputs = arch_space.Task(shape, classes)
    return Task(
        name, space, inputs, rows, 100 - full[kept], latency[kept], "latency_ms", early["val"], early["test"]
    )


def _latency(device: str, data_set: str) -> np.ndarray:
    file, column = LATENCIES[device]
    return _numbers(file, column.replace("cifar100", data_set) if data_set not in SETS else column)


def _full_accuracy(data_set: str) -> np.ndarray:
    if data_set in SETS:
        return _numbers("nb201/nb201_accuracy.csv.gz", f"{SETS[data_set][0]}_test_acc_200ep")
    return _numbers("hwnas360/hwnas360_nb201.csv.gz", f"{data_set}_acc_200ep")


def _macro() -> Task:
    table = "nas_bench_macro/nas_bench_macro_cifar10.csv"
    columns = _columns(table)
    error, flops = 100 - _numbers(table, "mean_test_acc"), _numbers(table, "flops")
    index_of = {arch: index for index, arch in enumerate(columns["arch"])}
    rows: dict[tuple[Choice, ...], int] = {}
    kept: dict[str, int] = {}
    for digits in itertools.product("012", repeat=len(MACRO_WIDTHS)):
        row = kept.setdefault(_same_network("".join(digits)), len(kept))
        rows[tuple(MACRO_OPS[int(digit)] for digit in digits)] = row
    indices = [index_of[arch] for arch in kept]
    decisions = tuple(Decision(f"layer{i}", MACRO_OPS) for i in range(len(MACRO_WIDTHS)))
    space = Space("nas_bench_macro", "Eight MobileNetV2 layers (Su et al. 2021).", decisions, _macro_arch)
    inputs = arch_space.Task((32, 32, 3), 10)
    return Task("macro", space, inputs, rows, error[indices], flops[indices], "flops")


def _same_network(digits: str) -> str:
    """Identities move to the end of their stage: behind its first layer, their place has no meaning."""
    parts = []
    for width in dict.fromkeys(MACRO_WIDTHS):
        first = MACRO_WIDTHS.index(width)
        stage = digits[first : first + MACRO_WIDTHS.count(width)]
        parts.append(stage[0] + stage[1:].replace("0", "").ljust(len(stage) - 1, "0"))
    return "".join(parts)


def _macro_arch(choices: Choices, inputs: arch_space.Task) -> Arch:
    """Stem 32, layers, head 1280; the identity of a layer that changes width is a 1x1 convolution."""
    stages = []
    for i, width in enumerate(MACRO_WIDTHS):
        first = i == MACRO_WIDTHS.index(width)
        identity = "conv_1x1" if first else "skip"
        op = {"identity": identity, "mb3_k3": "mbconv_3x3_e3", "mb6_k5": "mbconv_5x5_e6"}[
            str(choices[f"layer{i}"])
        ]
        stages.append(Stage(Cell(((Edge(0, op),),)), 1, width, 2 if first else 1))
    return Arch(inputs.input_shape, inputs.classes, 32, tuple(stages), head_channels=1280)


TASKS = (*(f"{device}-{data_set}" for device in LATENCIES for data_set in SETS), "pi5-ninapro", "macro")
"""Every task."""


def main() -> None:
    """Print a table of the tasks."""
    print("| task | networks | true front | true hypervolume | Spearman of 12 and 200 epochs |")
    print("|---|---|---|---|---|")
    for name in TASKS:
        it = task(name)
        rank = "-" if it.short_errors is None else f"{_spearman(it.short_errors, it.errors):.3f}"
        print(f"| {name} | {len(it.errors)} | {len(it.true_front)} | {it.true_hypervolume:.4f} | {rank} |")


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
