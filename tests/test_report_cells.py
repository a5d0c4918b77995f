"""Drawings of cells: nothing that the output does not need, nothing on top of anything else."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report_files import arch

from edgeml.arch.cell import Cell, Edge
from edgeml.report.cell_layout import BOX_CLEARANCE, NODE_CLEARANCE, lay_out, links, single_op
from edgeml.report.cell_svg import architecture, cell_names, cell_svg

OPS = ("conv_3x3", "skip", "zero", "avg_pool_3x3")


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    nodes = []
    for index in range(1, draw(st.integers(1, 5)) + 1):
        edges = st.builds(Edge, st.integers(0, index - 1), st.sampled_from(OPS))
        nodes.append(tuple(draw(st.lists(edges, max_size=3))))
    return Cell(tuple(nodes), draw(st.sampled_from(["last", "concat"])))


@given(cells())
def test_nothing_overlaps(cell: Cell) -> None:
    layout = lay_out(cell)
    for one, other in combinations(layout.wires, 2):
        apart = one.source.rank >= other.target.rank or other.source.rank >= one.target.rank
        assert apart or abs(one.lane - other.lane) >= BOX_CLEARANCE
    for wire in layout.wires:
        assert wire.source.rank < wire.target.rank
        passed = [s for s in layout.spots if wire.source.rank < s.rank < wire.target.rank]
        assert all(abs(s.lane - wire.lane) >= NODE_CLEARANCE for s in passed)
    assert len({(spot.rank, spot.lane) for spot in layout.spots}) == len(layout.spots)


@given(cells())
def test_every_cell_has_a_drawing(cell: Cell) -> None:
    assert cell_svg(cell, "A").count("<rect") >= len([op for _, _, op in links(cell) if op])


def test_zero_edges_and_dead_nodes_are_left_out() -> None:
    dead = (Edge(0, "conv_3x3"),)
    cell = Cell((dead, (Edge(0, "skip"), Edge(1, "zero"))))
    assert links(cell) == [(0, 2, "skip"), (2, 3, None)]
    assert single_op(cell) == "skip"


def test_loose_ends_are_joined() -> None:
    cell = Cell(((Edge(0, "skip"),), (Edge(0, "conv_3x3"),)), "concat")
    layout = lay_out(cell)
    assert layout.joined
    assert "concat, conv 1x1" in cell_svg(cell, "A")


def test_a_drawing_says_what_it_shows() -> None:
    cell = Cell(((Edge(0, "mbconv_3x3_e4"), Edge(0, "skip")),))
    words = "Cell A. the input to node 1: mbconv 3x3 e4; the input to node 1: skip; node 1 to the output"
    assert f"<title>{words}</title>" in cell_svg(cell, "A")


@pytest.mark.parametrize("index", range(9))
def test_a_whole_architecture(index: int) -> None:
    value = arch(index)
    drawn = architecture(value)
    assert drawn.count("<li>") == 3 + len(value.stages)
    assert drawn.count("<svg") == len(cell_names(value)) == (2 if value.stages[1].reduction else 1)
    assert "mbconv 3x3 e2 x 1" in drawn
    assert ("conv 1x1 to 32" in drawn) == bool(value.head_channels)
