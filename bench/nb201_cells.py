"""NAS-Bench-201 cells (Dong & Yang 2020) as outlines of the published network, the way they run on a phone.

The published skeleton: a 3x3 stem, three stages of five cells with 16, 32 and 64 channels, residual blocks
of stride 2 between them, CIFAR images. An operation on an edge is ReLU-Conv-BN (BN folds into the
convolution), a 3x3 average pooling, a skip or `none`, which PyTorch writes as a multiplication by zero.

What is left of a cell with `none` is decided by the converter, and it is not only what the output depends on.
TFLite's converter drops nodes that nobody reads and folds additions of zero, but it does not evaluate a
convolution of zeros, and it folds a multiplication by zero into the weights of the convolution before it:
such convolutions run for nothing. Both show in the latencies that HW-NAS-Bench published for Pixel 3 and
Raspberry Pi 4: NAS-Bench-201 cells that are equal as functions differ by up to a 3x3 convolution a cell.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CONVS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
NONE, SKIP, POOL = "none", "skip_connect", "avg_pool_3x3"
OUTPUT = 3

Cell = tuple[str, ...]
"""Operation on every edge, in the order of EDGES."""


def read_cells(path: Path) -> list[Cell]:
    """nb201_accuracy.csv.gz -> cells by NAS-Bench-201 index."""
    with gzip.open(path, "rt") as lines:
        return [tuple(row[f"op_e{i}{j}"] for i, j in EDGES) for row in csv.DictReader(lines)]


def reached(cell: Cell) -> set[int]:
    """Nodes that the input reaches."""
    found = {0}
    for (source, node), operation in zip(EDGES, cell, strict=True):
        if source in found and operation != NONE:
            found.add(node)
    return found


def needed(cell: Cell) -> set[int]:
    """Nodes that the output reads."""
    found = {OUTPUT}
    for (source, node), operation in reversed(list(zip(EDGES, cell, strict=True))):
        if node in found and operation != NONE:
            found.add(source)
    return found


def connected(cell: Cell) -> bool:
    """There is a path from input to output."""
    return OUTPUT in reached(cell)


def running(cell: Cell) -> Cell:
    """Cell -> the cell with `none` on every edge whose operation does not run."""
    from_input, kept = reached(cell), needed(cell)
    runs = {k for k, (_, node) in enumerate(EDGES) if cell[k] != NONE and node in kept}
    for node in (2, 1):
        zeroed = any(source == node and cell[k] == NONE and j in kept for k, (source, j) in enumerate(EDGES))
        inputs = [
            k
            for k, (source, j) in enumerate(EDGES)
            if j == node and cell[k] != NONE and (cell[k] in CONVS or source in from_input)
        ]
        if node not in kept and zeroed and len(inputs) == 1 and cell[inputs[0]] in CONVS:
            runs.add(inputs[0])  # its product with zero is folded into its weights
            kept.add(node)
    return tuple(operation if k in runs else NONE for k, operation in enumerate(cell))


def _cell(build: Outline, x: int, cell: Cell, executed: bool) -> int:
    """A cell after tensor x; converted, a node without inputs is zeros, which cost nothing themselves."""
    nodes, channels, done = [x], build.shape(x)[3], dict[tuple[str, int], int]()

    def once(name: str, source: int) -> int:
        """Equal operators on one tensor are one, except where every operation is executed as written."""
        if executed or (name, source) not in done:
            pooled = name == POOL
            done[name, source] = build.pool(source, 3, 1, "AVERAGE") if pooled else build.same("RELU", source)
        return done[name, source]

    def edge(source: int, operation: str) -> int:
        if operation in CONVS:
            return build.conv(once("relu", source), channels, CONVS[operation])
        if operation == POOL:
            return once(POOL, source)
        return build.same("MUL", source, build.constant(1)) if operation == NONE else source

    for node in range(1, OUTPUT + 1):
        terms = [
            edge(nodes[source], operation)
            for (source, j), operation in zip(EDGES, cell, strict=True)
            if j == node and (executed or operation != NONE)
        ]
        total = terms[0] if terms else build.constant(*build.shape(x))
        for term in terms[1:]:
            total = build.same("ADD", total, term)
        nodes.append(total)
    return nodes[OUTPUT]


def _reduction(build: Outline, x: int) -> int:
    channels = 2 * build.shape(x)[3]
    y = build.conv(build.same("RELU", x), channels, 3, 2)
    y = build.conv(build.same("RELU", y), channels, 3)
    return build.same("ADD", build.conv(build.pool(x, 2, 2, "AVERAGE"), channels), y)


def network(
    cell: Cell,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    repeat: int = 5,
    executed: bool = False,
) -> TfliteModel:
    """Cell as published -> the network that runs, C = 16.

    Args:
        cell: operations.
        input_shape: height, width, channels.
        classes: of the data set.
        repeat: cells a stage.
        executed: every operation runs as written (PyTorch); else what TFLite's converter leaves of it.
    """
    build, left = Outline(), cell if executed else running(cell)
    x = build.conv(build.input(*input_shape), 16, 3)
    for stage in range(3):
        x = _reduction(build, x) if stage else x
        for _ in range(repeat):
            x = _cell(build, x, left, executed)
    return build.finish(build.dense(build.mean(build.same("RELU", x)), classes))
