"""Cell and Arch: what a network is, as plain frozen data, and `lower`, what it means as a Graph.

A micro cell is a DAG. Index 0 is the cell's input; node i (from 1) is the sum of its incoming edges, each
an op applied to an earlier index. An Arch is stem + stages of (cell, repeat, channels, stride) + head.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from edgeml.arch.graph import Graph, GraphBuilder
from edgeml.arch.layers import (
    ACTIVATIONS,
    Add,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool,
    Input,
    Shape,
    Softmax,
)
from edgeml.arch.ops import OPS
from edgeml.errors import DisconnectedArchError, UnknownNameError


@dataclass(frozen=True)
class Edge:
    """An op applied to an earlier index of the cell (0 is the cell's input)."""

    source: int
    op: str

    def __post_init__(self) -> None:
        if self.op not in OPS:
            raise UnknownNameError("op", self.op, OPS)


@dataclass(frozen=True)
class Cell:
    """A DAG of nodes; `output` is "last" (the last node) or "concat" (loose ends, then a 1x1 conv)."""

    nodes: tuple[tuple[Edge, ...], ...]
    output: str = "last"

    def __post_init__(self) -> None:
        for index, edges in enumerate(self.nodes, start=1):
            if any(not 0 <= edge.source < index for edge in edges):
                raise ValueError(f"cell node {index} reads a node that is not before it: {edges}")
        if self.output not in ("last", "concat"):
            raise ValueError(f"cell output {self.output!r}, expected 'last' or 'concat'")

    @property
    def published_string(self) -> str:
        """NATS-Bench's identity of a cell (`Structure.to_unique_str(consider_zero=True)`).

        Two cells with the same string share a row of the published tables. It unrolls shared nodes and
        counts absent edges, so it is the benchmark's identity, not the network's (docs/decisions/002).
        """
        names = {0: "0"}
        for index, edges in enumerate(self.nodes, start=1):
            terms = []
            for edge in edges:
                before = names[edge.source]
                if edge.op == "zero" or before == "#":
                    terms.append("#")
                elif edge.op == "skip":
                    terms.append(before)
                else:
                    terms.append(f"({before})@{edge.op}")
            names[index] = "+".join(sorted(terms))
        return names[len(self.nodes)]


@dataclass(frozen=True)
class Stage:
    """`repeat` cells of `channels`; the first has `stride`, or a `reduction` cell of its own does."""

    cell: Cell
    repeat: int
    channels: int
    stride: int = 1
    reduction: Cell | None = None


@dataclass(frozen=True)
class Arch:
    """A whole network, independent of any framework.

    Attributes:
        input_shape: (height, width, channels) of the raw input the artifact takes.
        classes: number of outputs: classes; 1 for a value; as many as the input has, for an autoencoder.
        stem_channels, stem_stride: the first 3x3 convolution.
        stages: cells with their channels and strides.
        head_channels: width of the 1x1 convolution before pooling; 0 for none.
        activation: one of ACTIVATIONS, the same everywhere.
        dropout: rate before the classifier while training.
        identity: "graph" (isomorphic graphs are one candidate) or "published" (NATS-Bench's classes).
        task: what the head gives: "classification" (probabilities), "regression" (a value), "anomaly" (its
            input again, through a bottleneck of `bottleneck` channels and a layer of `decoder`).
        bottleneck, decoder: of an autoencoder; 0 for no such layer.
        flatten: the input is one vector from the start, so that all layers are dense.
        front: name of the audio front end (edgeml.data.audio.front_end) of its input; else empty.
    """

    input_shape: Shape
    classes: int
    stem_channels: int
    stages: tuple[Stage, ...]
    stem_stride: int = 1
    head_channels: int = 0
    activation: str = "relu6"
    dropout: float = 0.0
    identity: str = "graph"
    task: str = "classification"
    bottleneck: int = 0
    decoder: int = 0
    flatten: bool = False
    front: str = ""

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise UnknownNameError("activation", self.activation, ACTIVATIONS)

    @cached_property
    def key(self) -> str:
        """Canonical key: 12 hexadecimal digits, equal for the same network however it was written.

        Raises:
            DisconnectedArchError: there is no path from input to output (identity "graph" only).
        """
        if self.identity == "published":
            cells = tuple(stage.cell.published_string for stage in self.stages)
            macro = [(s.repeat, s.channels, s.stride) for s in self.stages]
            rest = (self.input_shape, self.classes, self.stem_channels, self.stem_stride, self.head_channels)
            told = repr((cells, macro, rest, self.activation))
            if around := {name: value for name in NEW if (value := getattr(self, name)) != NEW[name]}:
                told += repr(around)
            return hashlib.sha256(told.encode()).hexdigest()[:12]
        if self.front:  # two front ends may give one shape
            return hashlib.sha256(f"{self.graph.key} {self.front}".encode()).hexdigest()[:12]
        return self.graph.key

    @cached_property
    def graph(self) -> Graph:
        """`lower(self)`, done once.

        Raises:
            DisconnectedArchError: there is no path from input to output.
        """
        return lower(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` is its inverse."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in NEW or value != NEW[name]}

    @staticmethod
    def from_dict(value: dict[str, Any]) -> Arch:
        """Inverse of `to_dict`, also after a round trip through JSON."""
        stages = tuple(
            Stage(
                _cell(stage["cell"]),
                stage["repeat"],
                stage["channels"],
                stage["stride"],
                None if stage["reduction"] is None else _cell(stage["reduction"]),
            )
            for stage in value["stages"]
        )
        height, width, channels = value["input_shape"]
        rest = {k: v for k, v in value.items() if k not in ("stages", "input_shape")}
        return Arch(input_shape=(height, width, channels), stages=stages, **rest)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), sort_keys=True)


def _cell(value: dict[str, Any]) -> Cell:
    nodes = tuple(tuple(Edge(edge["source"], edge["op"]) for edge in edges) for edges in value["nodes"])
    return Cell(nodes, value["output"])


NEW: dict[str, Any] = {"task": "classification", "bottleneck": 0, "decoder": 0, "flatten": False, "front": ""}
"""Fields that are written only where they say something, so that older files stay as they are."""


def lower(arch: Arch) -> Graph:
    """Arch -> Graph, simplified: zero edges, identities and dead nodes are gone.

    Raises:
        DisconnectedArchError: some cell has no path from its input to its output.
    """
    build = GraphBuilder()
    current = build.add("input", Input(arch.input_shape))
    if arch.flatten:
        current = build.add("flatten", Flatten(), current)
    stem = Conv2D(arch.stem_channels, 3, arch.stem_stride, arch.activation)
    current = build.add("stem", stem, current)
    for s, stage in enumerate(arch.stages):
        stride = stage.stride
        if stage.reduction is not None:
            place = f"stage{s}/reduce"
            current = _lower_cell(
                build, place, stage.reduction, current, stage.channels, stride, arch.activation
            )
            stride = 1
        for c in range(stage.repeat):
            place = f"stage{s}/cell{c}"
            current = _lower_cell(build, place, stage.cell, current, stage.channels, stride, arch.activation)
            stride = 1
    if arch.head_channels:
        current = build.add("head/conv", Conv2D(arch.head_channels, 1, 1, arch.activation), current)
    if arch.task == "anomaly":
        return build.finish(_decode(build, arch, current))
    if build.shape(current)[:2] != (1, 1):
        current = build.add("head/pool", GlobalAveragePool(), current)
    current = build.add("head/dense", Dense(arch.classes, arch.dropout), current)
    if arch.task == "classification":
        current = build.add("head/softmax", Softmax(), current)
    return build.finish(current)


def _decode(build: GraphBuilder, arch: Arch, current: int) -> int:
    """Bottleneck and decoder of an autoencoder: dense layers, as in MLPerf Tiny's (Banbury et al. 2021)."""
    current = build.add("head/flatten", Flatten(), current)
    if arch.bottleneck:
        current = build.add("head/bottleneck", Conv2D(arch.bottleneck, 1, 1, arch.activation), current)
    if arch.decoder:
        current = build.add("head/decoder", Conv2D(arch.decoder, 1, 1, arch.activation), current)
    return build.add("head/dense", Dense(arch.classes, arch.dropout), current)


def _lower_cell(
    build: GraphBuilder, place: str, cell: Cell, source: int, channels: int, stride: int, activation: str
) -> int:
    values: dict[int, int | None] = {0: source}
    used: set[int] = set()
    for index, edges in enumerate(cell.nodes, start=1):
        terms = []
        for e, edge in enumerate(edges):
            before = values[edge.source]
            if before is None:
                continue
            op_stride = stride if edge.source == 0 else 1
            term = OPS[edge.op](
                build, f"{place}/node{index}/edge{e}", before, channels, op_stride, activation
            )
            if term is not None:
                used.add(edge.source)
                terms.append(term)
        values[index] = _sum(build, f"{place}/node{index}", terms)
    last = values[len(cell.nodes)]
    if cell.output == "concat":
        loose = [value for i, value in values.items() if i and i not in used and value is not None]
        last = _join(build, place, loose, channels)
    if last is None:
        raise DisconnectedArchError(place)
    return last


def _sum(build: GraphBuilder, name: str, terms: list[int]) -> int | None:
    if not terms:
        return None
    total = terms[0]
    for i, term in enumerate(terms[1:]):
        total = build.add(f"{name}/add{i}", Add(), total, term)
    return total


def _join(build: GraphBuilder, place: str, loose: list[int], channels: int) -> int | None:
    if len(loose) < 2:
        return loose[0] if loose else None
    joined = build.add(f"{place}/concat", Concat(), *loose)
    return build.add(f"{place}/join", Conv2D(channels, 1, 1, None), joined)
