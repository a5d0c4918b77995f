"""Two graphs -> which child tensor carries which parent tensor, if the child can compute its function.

That is network morphism (Chen et al. 2016, "Net2Net"; Wei et al. 2016, "Network Morphism"). Layers with
weights correspond by place name and kind, layers without by what they read. A child tensor carries a parent
tensor when it holds each of its channels, in order, perhaps among new ones. A layer the parent lacks can
pass its input on (identity), be silent (BatchNorm scaled to zero) or, where nobody of weight reads it, be
free. `morphism_weights.carry` writes the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import (
    Add,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    HardSwish,
    Input,
    Layer,
)

FREE, SILENT = -1, -2
"""What a child tensor has to hold where that is no parent node's (an index from 0): anything, or zero."""

ATTEMPTS = 64
"""Sweeps over a graph before conflicting demands on shared nodes are given up."""


@dataclass(frozen=True)
class Role:
    """What a child node is to hold and how.

    Attributes:
        goal: index of the parent node whose tensor is carried, or SILENT or FREE.
        how: "match" (the parent's layer), "identity", "silent", "pass" (no weights), "free".
        inputs: what each of the node's inputs is to hold for that.
    """

    goal: int
    how: str
    inputs: tuple[int, ...]


Ways = dict[int, list[Role]]
"""Roles a node can have, by goal."""


def find_morphism(child: Graph, parent: Graph) -> tuple[Role, ...] | None:
    """A role for every child node with which the child computes the parent's function, or None."""
    for node in parent.nodes:
        if node.weight_shapes:
            place = child.places.get(node.name)
            if place is None or not _grown(child, child.nodes[place], parent, node):
                return None
    facts = _Facts(child, parent)
    ways: list[Ways] = []
    for node in child.nodes:
        sources = [_readable(node, child.nodes[source], ways[source]) for source in node.inputs]
        ways.append(_RULES.get(type(node.layer), _without_weights)(facts, node, sources))
    goal = len(parent.nodes) - 1
    return _choose(child, ways, goal) if goal in ways[-1] else None


def offset(child: Layer, parent: Layer, size: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of the child's larger kernel where the parent's starts, on an input of `size`.

    "Same" padding puts max(0, (out - 1) * stride + kernel - size) // 2 pixels before the first.
    """
    rows, columns = (_before(child, side) - _before(parent, side) for side in size)
    return rows, columns


def _before(layer: Layer, size: int) -> int:
    assert isinstance(layer, Conv2D | DepthwiseConv2D)
    kernel = layer.kernel if size > 1 else 1  # layers.window
    return max(0, (-(-size // layer.stride) - 1) * layer.stride + kernel - size) // 2


def _grown(child: Graph, node: Node, parent: Graph, other: Node) -> bool:
    """Whether `node` can do what `other` does and has room for all of its channels."""
    ours, theirs = node.layer, other.layer
    if type(ours) is not type(theirs) or node.shape[:2] != other.shape[:2] or node.shape[2] < other.shape[2]:
        return False
    source, origin = child.nodes[node.inputs[0]].shape, parent.nodes[other.inputs[0]].shape
    if source[:2] != origin[:2] or source[2] < origin[2]:
        return False
    if isinstance(ours, Dense) and isinstance(theirs, Dense):
        return ours.units == theirs.units
    if not isinstance(ours, Conv2D | DepthwiseConv2D) or not isinstance(theirs, Conv2D | DepthwiseConv2D):
        return False
    if ours.stride != theirs.stride or ours.activation != theirs.activation:
        return False
    room = [a - b for a, b in zip(child.window(node), parent.window(other), strict=True)]
    starts = offset(ours, theirs, source[:2])
    return not any(room) or all(0 <= start <= most for start, most in zip(starts, room, strict=True))


class _Facts:
    """What the rules ask about the parent."""

    def __init__(self, child: Graph, parent: Graph) -> None:
        self.child, self.parent = child, parent
        self.places = {node.name: i for i, node in enumerate(parent.nodes) if node.weight_shapes}
        self.readers: dict[tuple[Layer, tuple[int, ...]], int] = {}
        for i, node in enumerate(parent.nodes):
            if not node.weight_shapes:
                self.readers[node.layer, _order(node.layer, node.inputs)] = i

    @cached_property
    def ranges(self) -> list[tuple[float, float]]:
        """Smallest and largest value that a parent node can give."""
        found: list[tuple[float, float]] = []
        for node in self.parent.nodes:
            lows, highs = [found[i][0] for i in node.inputs], [found[i][1] for i in node.inputs]
            if isinstance(node.layer, Input):
                found.append((0.0, 255 * node.layer.scale))
            elif isinstance(node.layer, Conv2D | DepthwiseConv2D):
                found.append(_IMAGES[node.layer.activation])
            elif isinstance(node.layer, Add):
                found.append((sum(lows), sum(highs)))
            elif isinstance(node.layer, Dense | HardSwish):
                found.append((-math.inf, math.inf))
            else:
                found.append((min(lows), max(highs)))
        return found

    def unchanged(self, goal: int, activation: str | None) -> bool:
        """Whether the activation leaves every value of the parent's tensor as it is."""
        if activation is None:
            return True
        (low, high), (least, most) = self.ranges[goal], _IMAGES[activation]
        return least <= low and high <= most


def _order(layer: Layer, inputs: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(inputs)) if isinstance(layer, Add) else inputs


def _readable(node: Node, source: Node, ways: Ways) -> Ways:
    """Only a full convolution can pick channels out of a concatenation."""
    return {} if isinstance(source.layer, Concat) and not isinstance(node.layer, Conv2D) else ways


def _with_weights(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    place = facts.places.get(node.name)
    if place is not None:  # `find_morphism` has made sure that it has grown
        read = facts.parent.nodes[place].inputs
        return {place: [Role(place, "match", read)]} if read[0] in sources[0] else {}
    if not isinstance(node.layer, Conv2D | DepthwiseConv2D):
        return {}
    ways = {SILENT: [Role(SILENT, "silent", (FREE,))]}
    for goal in sources[0]:
        if (
            goal != SILENT
            and node.layer.stride == 1
            and node.shape[2] >= facts.parent.nodes[goal].shape[2]
            and facts.unchanged(goal, node.layer.activation)
        ):
            ways[goal] = [Role(goal, "identity", (goal,))]
    return ways


def _without_weights(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    ways: Ways = {}
    for goal in sources[0]:
        found = SILENT if goal == SILENT else facts.readers.get((node.layer, (goal,)))
        if found is not None:
            ways[found] = [Role(found, "pass", (goal,))]
    return ways


def _flatten(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    """A vector has the parent's places only where the tensor has its shape."""
    shape = facts.child.nodes[node.inputs[0]].shape
    same = {goal: roles for goal, roles in sources[0].items() if facts.parent.nodes[goal].shape == shape}
    return _without_weights(facts, node, [{goal: roles for goal, roles in same.items() if goal != SILENT}])


def _input(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    return {0: [Role(0, "pass", ())]} if node.layer == facts.parent.nodes[0].layer else {}


def _add(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    ways: Ways = {}
    for one in sources[0]:
        for two in sources[1]:
            if SILENT in (one, two):
                found: int | None = two if one == SILENT else one
            else:
                found = facts.readers.get((node.layer, _order(node.layer, (one, two))))
            if found is not None:
                ways.setdefault(found, []).append(Role(found, "pass", (one, two)))
    return ways


def _concat(facts: _Facts, node: Node, sources: list[Ways]) -> Ways:
    """The parent's concatenation among new tensors, or one tensor among new ones."""
    ways: Ways = {}
    for (layer, inputs), place in facts.readers.items():
        taken = list(_among(inputs, sources)) if isinstance(layer, Concat) else []
        if len(taken) == len(inputs) > 0:
            goals = dict(zip(taken, inputs, strict=True))
            wanted = tuple(goals.get(i, FREE) for i in range(len(sources)))
            ways.setdefault(place, []).append(Role(place, "pass", wanted))
    for i, source in enumerate(sources):
        for goal in source:
            if goal != SILENT:
                wanted = tuple(goal if j == i else FREE for j in range(len(sources)))
                ways.setdefault(goal, []).append(Role(goal, "pass", wanted))
    return ways


def _among(wanted: tuple[int, ...], sources: list[Ways]) -> Iterator[int]:
    """Positions in `sources`, increasing, that can hold `wanted` one after the other."""
    positions = iter(range(len(sources)))
    for goal in wanted:
        for i in positions:
            if goal in sources[i]:
                yield i
                break


def _choose(child: Graph, ways: list[Ways], goal: int) -> tuple[Role, ...] | None:
    """One role a node, so that all readers of a node want the same of it; the first of ATTEMPTS found."""
    picks: list[list[int]] = []
    for _ in range(ATTEMPTS):
        roles = _sweep(child, ways, goal, picks)
        if roles is not None:
            return roles
        while picks and picks[-1][0] + 1 == picks[-1][1]:
            picks.pop()
        if not picks:
            return None
        picks[-1][0] += 1
    return None


def _sweep(child: Graph, ways: list[Ways], goal: int, picks: list[list[int]]) -> tuple[Role, ...] | None:
    """From the output back. `picks` holds (choice, number of choices) where there are several; it grows."""
    wanted = [FREE] * (len(child.nodes) - 1) + [goal]
    roles: list[Role] = []
    point = 0
    for i in range(len(child.nodes) - 1, -1, -1):
        node = child.nodes[i]
        if wanted[i] == FREE:
            roles.append(Role(FREE, "free", (FREE,) * len(node.inputs)))
            continue
        choices = ways[i][wanted[i]]
        role = choices[0]
        if len(choices) > 1:
            if point == len(picks):
                picks.append([0, len(choices)])
            role = choices[picks[point][0]]
            point += 1
        roles.append(role)
        for source, want in zip(node.inputs, role.inputs, strict=True):
            if want != FREE and wanted[source] not in (FREE, want):
                del picks[point:]
                return None
            wanted[source] = want if want != FREE else wanted[source]
    return tuple(reversed(roles))


_IMAGES: Mapping[str | None, tuple[float, float]] = {
    None: (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
}
"""Values an activation gives, which are those it leaves as they are."""

_RULES: dict[type[Layer], Callable[[_Facts, Node, list[Ways]], Ways]] = {
    Input: _input,
    Conv2D: _with_weights,
    DepthwiseConv2D: _with_weights,
    Flatten: _flatten,
    Dense: _with_weights,
    Add: _add,
    Concat: _concat,
}
"""Other layers have one input and no weights."""
