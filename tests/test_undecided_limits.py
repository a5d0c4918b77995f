"""Which limits need an artifact before training: those that no estimate is far inside of."""

from __future__ import annotations

import pytest
from test_agreement import random_graph

from edgeml.arch.graph import Graph
from edgeml.target.targets import Targets


@pytest.fixture(scope="module")
def graph() -> Graph:
    found: Graph = random_graph("nano", 0)
    return found


@pytest.mark.parametrize(("times", "asked"), [(1.05, True), (1.9, True), (2.1, False), (50, False)])
def test_an_arena_far_inside_its_limit_needs_no_artifact(graph: Graph, times: float, asked: bool) -> None:
    pytest.importorskip("tflite_micro")
    targets = Targets.load(["mcu-m7"])
    expected = targets.expected(graph)
    found = targets.undecided(graph, {"ram_bytes": times * expected["ram_bytes"].high})
    assert ("ram_bytes" in found) == asked


def test_what_nothing_estimates_needs_an_artifact(graph: Graph) -> None:
    targets = Targets.load(["cpu"])  # a stopwatch's latency
    assert targets.undecided(graph, {"latency_ms": 1e9}) == ["latency_ms"]
    assert targets.undecided(graph, {"macs": 1}) == []
