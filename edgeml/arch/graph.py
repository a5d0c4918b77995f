"""Graph: primitive layers in execution order, each knowing shape, weights and MACs when born.

A graph is what an architecture means. Cost, rules, build, inheritance and the estimators only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod

from edgeml.arch.canonical import canonical_key
from edgeml.arch.layers import (
    SEPARATE,
    Add,
    Conv2D,
    DepthwiseConv2D,
    Flatten,
    Input,
    Layer,
    Pool2D,
    Shape,
    window,
)


@dataclass(frozen=True)
class Node:
    """One layer at its place: `name` says the place, `inputs` are indices of earlier nodes."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    weight_shapes: Mapping[str, tuple[int, ...]]
    macs: int


@dataclass(frozen=True)
class Graph:
    """Nodes in execution order; the first is the input, the last is the output."""

    nodes: tuple[Node, ...]

    @property
    def input_shape(self) -> Shape:
        """(height, width, channels) of the raw input."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> Shape:
        """(1, 1, classes)."""
        return self.nodes[-1].shape

    def window(self, node: Node) -> tuple[int, int]:
        """(height, width) of the kernel or pooling window of a node that has one."""
        side: int = getattr(node.layer, "kernel", 0) or getattr(node.layer, "size", 0)
        return window(side, self.nodes[node.inputs[0]].shape)

    def input_scale(self, node: Node) -> float:
        """What the raw input is multiplied with where a node reads it, as it is or flattened; else 1."""
        for source in node.inputs:
            read = self.nodes[source]
            while isinstance(read.layer, Flatten):
                read = self.nodes[read.inputs[0]]
            if isinstance(read.layer, Input):
                return read.layer.scale
        return 1.0

    @property
    def by_name(self) -> dict[str, Node]:
        """Nodes by the name of their place."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def places(self) -> dict[str, int]:
        """Index of every node by its name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    @cached_property
    def kernels(self) -> dict[str, tuple[type[Layer], tuple[int, ...], int]]:
        """Kind of layer, shape and size of every kernel, by the name of its node."""
        shapes = ((node, node.weight_shapes.get("kernel")) for node in self.nodes)
        return {node.name: (type(node.layer), shape, prod(shape)) for node, shape in shapes if shape}

    @cached_property
    def key(self) -> str:
        """Canonical hash: equal for isomorphic graphs, whatever their names and order, and for no others."""
        return canonical_key([node.layer for node in self.nodes], [node.inputs for node in self.nodes])


@lru_cache(maxsize=8192)
def _born(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Shape, Mapping[str, tuple[int, ...]], int]:
    """Output shape, weight shapes and MACs of a layer; networks of one space share most of them."""
    return layer.output_shape(shapes), layer.weight_shapes(shapes), layer.macs(shapes)


class GraphBuilder:
    """Collects nodes and gives the simplified graph: only what the output depends on."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._same: dict[tuple[Layer, tuple[int, ...]], int] = {}

    def add(self, name: str, layer: Layer, *inputs: int) -> int:
        """Append a layer reading earlier nodes; returns its index.

        A layer without weights that reads what an equal one reads is that one (two 3x3 poolings of one
        tensor, say): converters merge them, so the graph does. An activation that no operator takes up
        becomes a layer of its own, and its index is the one returned. On an input of one place a kernel is
        1x1, and pooling or flattening changes nothing.
        """
        if inputs and self.shape(inputs[0])[:2] == (1, 1):
            if isinstance(layer, Pool2D | Flatten):
                return inputs[0]
            if isinstance(layer, Conv2D | DepthwiseConv2D):
                layer = replace(layer, kernel=1, stride=1)
        activation = getattr(layer, "activation", None)
        if activation in SEPARATE:
            linear = self.add(name, replace(layer, activation=None), *inputs)  # type: ignore[call-arg]
            return self.add(f"{name}/act", SEPARATE[activation], linear)
        if name in self._names:
            raise ValueError(f"two nodes called {name!r}")
        self._names.add(name)
        node = Node(name, layer, inputs, *_born(layer, tuple(self._nodes[index].shape for index in inputs)))
        if not node.weight_shapes:
            same = (layer, tuple(sorted(inputs)) if isinstance(layer, Add) else inputs)
            if same in self._same:
                return self._same[same]
            self._same[same] = len(self._nodes)
        self._nodes.append(node)
        return len(self._nodes) - 1

    def shape(self, index: int) -> Shape:
        """Output shape of a node added before."""
        return self._nodes[index].shape

    def finish(self, output: int) -> Graph:
        """Drop dead nodes and return the graph that ends in `output`."""
        live = {output}
        for index in range(output, -1, -1):
            if index in live:
                live.update(self._nodes[index].inputs)
        if len(live) == len(self._nodes):
            return Graph(tuple(self._nodes))
        order = sorted(live)
        place = {old: new for new, old in enumerate(order)}
        nodes = []
        for old in order:
            node = self._nodes[old]
            inputs = tuple(place[source] for source in node.inputs)
            nodes.append(Node(node.name, node.layer, inputs, node.shape, node.weight_shapes, node.macs))
        return Graph(tuple(nodes))
