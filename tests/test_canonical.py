"""Canonical keys against brute force: one key if, and only if, two graphs are isomorphic."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage, lower
from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Add, Concat, Conv2D, Input, Pool2D
from edgeml.errors import DisconnectedArchError


def cells(nodes, ops, inputs=2, output="concat"):
    """Every cell of that many nodes."""
    edges = [[Edge(source, op) for source in range(node) for op in ops] for node in range(1, nodes + 1)]
    choices = [list(itertools.combinations_with_replacement(some, inputs)) for some in edges]
    return [Cell(tuple(point), output) for point in itertools.product(*choices)]


def graph_of(*cells):
    """A network of one cell a stage, or None where it is disconnected."""
    try:
        return lower(Arch((4, 4, 2), 3, 8, tuple(Stage(cell, 1, 8) for cell in cells)))
    except DisconnectedArchError:
        return None


def flat(graph):
    """(layer, inputs) of every node; an addition that only another one reads is part of that one."""
    readers = Counter(source for node in graph.nodes for source in node.inputs)

    def terms(node):
        for source in node.inputs:
            below = graph.nodes[source]
            inner = isinstance(node.layer, Add) and isinstance(below.layer, Add) and readers[source] == 1
            yield from terms(below) if inner else (source,)

    every = {i: (repr(node.layer), tuple(terms(node))) for i, node in enumerate(graph.nodes)}
    used = {source for _, inputs in every.values() for source in inputs} | {len(graph.nodes) - 1}
    return [(i, *every[i]) for i in sorted(used)]


def isomorphic(one, two):
    """Backtracking over every assignment of the nodes of `two` to those of `one`, in order."""

    def extend(place, images):
        if place == len(one):
            return True
        index, layer, inputs = one[place]
        wanted = sorted(images[source] for source in inputs)
        return any(
            extend(place + 1, {**images, index: other})
            for other, its_layer, its_inputs in two
            if other not in images.values() and its_layer == layer and sorted(its_inputs) == wanted
        )

    return len(one) == len(two) and extend(0, {})


def assert_exact(graphs):
    """Graphs -> how many classes brute force finds; each must have a key of its own."""
    kinds: dict[object, list[tuple[list, str]]] = {}
    for graph in graphs:
        nodes = flat(graph)
        alike = kinds.setdefault(tuple(sorted((layer, len(inputs)) for _, layer, inputs in nodes)), [])
        same = next((key for known, key in alike if isomorphic(known, nodes)), None)
        if same is None:
            assert graph.key not in {key for _, key in alike}
            alike.append((nodes, graph.key))
        else:
            assert graph.key == same
    keys = [key for alike in kinds.values() for _, key in alike]
    assert len(keys) == len(set(keys))
    return len(keys)


def test_wirings_of_equal_convolutions():
    """Among them two that refinement cannot tell apart: (1,1), (2,2) and (1,2), (1,2)."""
    every = cells(4, ["conv_3x3"])
    apart, crossed = (
        Cell(tuple(tuple(Edge(source, "conv_3x3") for source in node) for node in wiring), "concat")
        for wiring in (((0, 0), (0, 0), (1, 1), (2, 2)), ((0, 0), (0, 0), (1, 2), (1, 2)))
    )
    assert apart in every and crossed in every
    assert graph_of(apart).key != graph_of(crossed).key
    assert_exact([graph_of(cell) for cell in every])


@pytest.mark.parametrize(
    ("nodes", "ops", "inputs", "output", "classes"),
    [
        (2, ["skip", "zero", "conv_3x3", "max_pool_3x3", "mbconv_3x3_e2"], 2, "concat", 460),
        (3, ["skip", "conv_3x3"], 2, "last", 208),
        (3, ["skip", "conv_3x3"], 2, "concat", 341),
        (5, ["conv_3x3"], 1, "concat", 20),
    ],
)
def test_small_cells(nodes, ops, inputs, output, classes):
    graphs = [graph_of(cell) for cell in cells(nodes, ops, inputs, output)]
    assert assert_exact([graph for graph in graphs if graph is not None]) == classes


def test_a_key_does_not_depend_on_how_a_large_cell_is_written():
    """Four equal nodes and four that read them, four inputs each, twice: beyond brute force."""
    rng = random.Random(5)
    keys = set()
    for _ in range(10):
        wiring = [[rng.randrange(1, 5) for _ in range(4)] for _ in range(4)]
        names = dict(zip(range(1, 5), rng.sample(range(1, 5), 4), strict=True))
        other = [rng.sample([names[source] for source in node], 4) for node in rng.sample(wiring, 4)]
        one, two = (
            Cell(tuple(tuple(Edge(s, "conv_3x3") for s in node) for node in [[0] * 4] * 4 + below), "concat")
            for below in (wiring, other)
        )
        assert graph_of(one, one).key == graph_of(two, two).key
        keys.add(graph_of(one, one).key)
    assert len(keys) == 10


@pytest.mark.parametrize(("reader", "equal"), [(Conv2D(4), True), (Pool2D("max"), False)])
def test_a_concatenation_has_no_order_where_only_convolutions_read_it(reader, equal):
    def joined(turned):
        build = GraphBuilder()
        source = build.add("in", Input((4, 4, 2)))
        ends = [build.add("a", Conv2D(4, 3), source), build.add("b", Conv2D(4, 1), source)]
        both = build.add("both", Concat(), *(ends[::-1] if turned else ends))
        return build.finish(build.add("out", reader, both))

    assert (joined(False).key == joined(True).key) is equal


def test_what_an_ordered_concatenation_reads_is_told_apart_by_its_place():
    """Two equal convolutions; what adds to the first of them is not what adds to the second."""

    def one(crossed):
        build = GraphBuilder()
        source = build.add("in", Input((4, 4, 2)))
        a, b = (build.add(name, Conv2D(4, 3), source) for name in "ab")
        c, d = (build.add(name, Conv2D(4, 3), at) for name, at in (("c", a), ("d", b)))
        both = build.add("both", Concat(), a, b, *((d, c) if crossed else (c, d)))
        return build.finish(build.add("out", Pool2D("max"), both))

    assert one(False).key != one(True).key
