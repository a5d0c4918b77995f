"""Cell -> where its nodes and ops are drawn: nodes in ranks from the input down, ops in lanes.

Rank r lies above band r; an edge from rank a to rank b runs through bands a to b - 1 and has its op's box in
the middle one. Lanes are horizontal places, one box wide; 0 is the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeml.arch.cell import Cell

BOX_CLEARANCE = 1.0
"""Lanes between two ops that share a band."""
NODE_CLEARANCE = 0.45
"""Lanes between a node and an edge that passes it."""


@dataclass(frozen=True)
class Spot:
    """A node: 0 is the cell's input; `inputs` edges end here."""

    index: int
    rank: int
    lane: float
    inputs: int


@dataclass(frozen=True)
class Wire:
    """An edge with its op; `op` is None for the way to the cell's output."""

    source: Spot
    target: Spot
    op: str | None
    lane: float

    @property
    def band(self) -> int:
        """The band that holds the op's box."""
        return (self.source.rank + self.target.rank - 1) // 2


@dataclass(frozen=True)
class Layout:
    """A drawn cell; the last spot is its output, `joined` says whether loose ends are concatenated there."""

    spots: tuple[Spot, ...]
    wires: tuple[Wire, ...]
    joined: bool


Link = tuple[int, int, str | None]
"""(source, target, op) between indices."""


def links(cell: Cell) -> list[Link]:
    """Edges that the output depends on; zero edges and dead nodes are left out.

    The last ones, without an op, lead to the output, whose index is one more than the last node's.
    """
    reached = {0}
    edges: list[Link] = []
    for index, node in enumerate(cell.nodes, start=1):
        incoming = [
            (edge.source, index, edge.op) for edge in node if edge.source in reached and edge.op != "zero"
        ]
        edges += incoming
        reached |= {index} if incoming else set()
    output = len(cell.nodes) + 1
    ends = (
        sorted(reached - {source for source, _, _ in edges} - {0})
        if cell.output == "concat"
        else [output - 1]
    )
    live = set(ends) & reached
    for source, target, _ in reversed(edges):
        if target in live:
            live.add(source)
    kept = [edge for edge in edges if edge[1] in live]
    return [*kept, *((end, output, None) for end in ends if end in live)]


def single_op(cell: Cell) -> str | None:
    """The op of a cell that is nothing but one op, else None."""
    ops = [op for _, _, op in links(cell) if op is not None]
    return ops[0] if len(ops) == 1 else None


def lay_out(cell: Cell) -> Layout:
    """Cell -> Layout."""
    found = links(cell)
    ranks = {0: 0}
    for source, target, _ in sorted(found, key=lambda link: link[1]):
        ranks[target] = max(ranks.get(target, 0), ranks[source] + 1)
    spots = {spot.index: spot for spot in _spots(found, ranks)}
    wires: list[Wire] = []
    order = sorted(found, key=lambda link: (ranks[link[1]] - ranks[link[0]], link[1], link[0]))
    for place, (source, target, op) in enumerate(order):
        beside = [i for i, link in enumerate(order) if link[:2] == (source, target)]
        shift = beside.index(place) - (len(beside) - 1) / 2
        wires.append(_wire(spots[source], spots[target], op, shift, list(spots.values()), wires))
    output = max(ranks)
    return Layout(tuple(spots[i] for i in sorted(spots)), tuple(wires), spots[output].inputs > 1)


def _spots(found: list[Link], ranks: dict[int, int]) -> Iterator[Spot]:
    for index, rank in ranks.items():
        beside = sorted(i for i, r in ranks.items() if r == rank)
        lane = beside.index(index) - (len(beside) - 1) / 2
        yield Spot(index, rank, lane, sum(target == index for _, target, _ in found))


def _wire(
    source: Spot, target: Spot, op: str | None, shift: float, spots: list[Spot], wires: list[Wire]
) -> Wire:
    """The wire in the free lane that is nearest to its ends."""
    wanted = (source.lane + target.lane) / 2 + shift
    steps = sorted((step / 2 for step in range(-60, 61)), key=lambda step: (abs(step), -step))
    free = (lane for step in steps if _is_free(lane := wanted + step, source.rank, target.rank, spots, wires))
    return Wire(source, target, op, next(free, wanted))


def _is_free(lane: float, first: int, last: int, spots: list[Spot], wires: list[Wire]) -> bool:
    passed = [spot.lane for spot in spots if first < spot.rank < last]
    shared = [w.lane for w in wires if w.source.rank < last and first < w.target.rank]
    return all(abs(lane - other) >= NODE_CLEARANCE for other in passed) and all(
        abs(lane - other) >= BOX_CLEARANCE for other in shared
    )
