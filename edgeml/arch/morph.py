"""Morphs: small edits of an architecture, most of them growth, and the words for the difference of two.

Pure edits of plain data. Whether a child can start as its parent's very function is not said here but found
by `edgeml.train.morphism`. A cell with several edges is one cell for all stages that have it, as in the
`cells` spaces; a cell of one edge belongs to its stage.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.ops import OPS
from edgeml.errors import DisconnectedArchError, InfeasibleError

Morph = Callable[[Arch, random.Random], Arch | None]
"""(architecture, random numbers) -> another architecture, or None where there is nothing to edit."""

WIDEST, DEEPEST, MOST_NODES, MOST_EDGES = 2048, 20, 8, 4
"""Bounds of the search-space files."""

GROWTHS = (1.25, 1.5, 2.0)
WIDTH_STEP = 4


def morph(arch: Arch, rng: random.Random) -> tuple[str, Arch]:
    """An architecture -> (name of a morph, the architecture it gives).

    The result is connected and has another key than `arch`; the same state of `rng` gives the same result.

    Raises:
        InfeasibleError: no morph applies.
        DisconnectedArchError: `arch` has no path from input to output.
    """
    assert arch.graph
    for name in rng.sample(list(MORPHS), len(MORPHS)):
        child = MORPHS[name](arch, rng)
        if child is not None:
            return name, child
    raise InfeasibleError(
        f"no morph applies to architecture {arch.key}: found every width and depth at its bound, expected "
        f"room below {WIDEST} channels or {DEEPEST} cells a stage; start from a smaller one."
    )


def wider_stem(arch: Arch, rng: random.Random) -> Arch | None:
    """More channels in the first convolution."""
    width = _wider(arch.stem_channels, rng)
    return _valid(arch, replace(arch, stem_channels=width)) if width else None


def wider_stage(arch: Arch, rng: random.Random) -> Arch | None:
    """More channels in one stage."""
    place = rng.randrange(len(arch.stages))
    width = _wider(arch.stages[place].channels, rng)
    return _valid(arch, _with_stage(arch, place, channels=width)) if width else None


def wider_head(arch: Arch, rng: random.Random) -> Arch | None:
    """More channels in the 1x1 convolution before pooling, or such a convolution where there is none."""
    width = _wider(arch.head_channels or arch.stages[-1].channels, rng)
    return _valid(arch, replace(arch, head_channels=width)) if width else None


def deeper(arch: Arch, rng: random.Random) -> Arch | None:
    """One more cell in a stage."""
    place = rng.randrange(len(arch.stages))
    repeat = arch.stages[place].repeat + 1
    return _valid(arch, _with_stage(arch, place, repeat=repeat)) if repeat <= DEEPEST else None


def larger_kernel(arch: Arch, rng: random.Random) -> Arch | None:
    """The next larger kernel of one op."""
    return _other_op(arch, rng, lambda op: _larger(op, "kernel")[:1])


def larger_expansion(arch: Arch, rng: random.Random) -> Arch | None:
    """A larger expansion of one inverted residual."""
    return _other_op(arch, rng, lambda op: _larger(op, "expansion")[:2])


def other_op(arch: Arch, rng: random.Random) -> Arch | None:
    """Another op on one edge."""
    return _other_op(arch, rng, lambda op: [o for o in OPS if "zero" not in (o, op) and o != op])


def new_branch(arch: Arch, rng: random.Random) -> Arch | None:
    """One more edge: in the place of an absent one, or at the end of a node."""

    def grow(cell: Cell) -> Iterator[Cell]:
        for n, edges in enumerate(cell.nodes):
            for e, edge in enumerate(edges):
                if edge.op == "zero":
                    yield _with_edge(cell, n, e, replace(edge, op=rng.choice(_BRANCHES)))
            if len(edges) < MOST_EDGES and arch.identity == "graph":
                yield _with_node(cell, n, (*edges, Edge(rng.randrange(n + 1), rng.choice(_BRANCHES))))

    return _edit_cell(arch, rng, grow)


def no_branch(arch: Arch, rng: random.Random) -> Arch | None:
    """One edge less; its place stays, as an absent edge, so that the others keep theirs."""

    def shrink(cell: Cell) -> Iterator[Cell]:
        for n, edges in enumerate(cell.nodes):
            for e, edge in enumerate(edges):
                if edge.op != "zero":
                    yield _with_edge(cell, n, e, replace(edge, op="zero"))

    return _edit_cell(arch, rng, shrink)


def new_node(arch: Arch, rng: random.Random) -> Arch | None:
    """One more node: the last one's value and a new branch, or a new loose end of a concatenating cell."""

    def grow(cell: Cell) -> Iterator[Cell]:
        count = len(cell.nodes)
        if count < MOST_NODES and arch.identity == "graph":
            branch = Edge(rng.randrange(count + 1), rng.choice(_BRANCHES))
            if cell.output == "concat":
                yield replace(cell, nodes=(*cell.nodes, (replace(branch, source=0),)))
            else:
                yield replace(cell, nodes=(*cell.nodes, (Edge(count, "skip"), branch)))

    return _edit_cell(arch, rng, grow)


def _wider(width: int, rng: random.Random) -> int | None:
    wanted = WIDTH_STEP * round(width * rng.choice(GROWTHS) / WIDTH_STEP)
    wanted = max(width + WIDTH_STEP, wanted)
    return wanted if wanted <= WIDEST else None


def _valid(arch: Arch, child: Arch) -> Arch | None:
    """The child, unless it is disconnected or the same network."""
    try:
        return None if child.graph.key == arch.graph.key or child.key == arch.key else child
    except DisconnectedArchError:
        return None


def _with_stage(arch: Arch, place: int, **changes: object) -> Arch:
    stages = list(arch.stages)
    stages[place] = replace(stages[place], **changes)  # type: ignore[arg-type]
    return replace(arch, stages=tuple(stages))


def _with_node(cell: Cell, n: int, edges: tuple[Edge, ...]) -> Cell:
    return replace(cell, nodes=(*cell.nodes[:n], edges, *cell.nodes[n + 1 :]))


def _with_edge(cell: Cell, n: int, e: int, edge: Edge) -> Cell:
    edges = cell.nodes[n]
    return _with_node(cell, n, (*edges[:e], edge, *edges[e + 1 :]))


def _cells(arch: Arch) -> list[tuple[int, str]]:
    """(stage, field) of every cell that can be edited on its own."""
    found, seen = [], set()
    for i, stage in enumerate(arch.stages):
        for field in ("cell", "reduction") if arch.identity == "graph" else ("cell",):
            cell = getattr(stage, field)
            if cell is not None and not (_shared(cell) and (field, cell) in seen):
                seen.add((field, cell))
                found.append((i, field))
    return found


def _shared(cell: Cell) -> bool:
    return sum(len(edges) for edges in cell.nodes) > 1


def _edit_cell(arch: Arch, rng: random.Random, edits: Callable[[Cell], Iterator[Cell]]) -> Arch | None:
    """The first valid of the edits of all cells, tried in random order."""
    choices = [
        (i, field, cell) for i, field in _cells(arch) for cell in edits(getattr(arch.stages[i], field))
    ]
    for i, field, cell in rng.sample(choices, len(choices)):
        child = _valid(arch, _with_cell(arch, i, field, cell))
        if child is not None:
            return child
    return None


def _with_cell(arch: Arch, place: int, field: str, cell: Cell) -> Arch:
    old = getattr(arch.stages[place], field)

    def edited(i: int, stage: Stage) -> Stage:
        alike = i == place or (_shared(old) and getattr(stage, field) == old)
        return replace(stage, **{field: cell}) if alike else stage  # type: ignore[arg-type]

    return replace(arch, stages=tuple(edited(i, stage) for i, stage in enumerate(arch.stages)))


def _other_op(arch: Arch, rng: random.Random, ops: Callable[[str], list[str]]) -> Arch | None:
    def swap(cell: Cell) -> Iterator[Cell]:
        for n, edges in enumerate(cell.nodes):
            for e, edge in enumerate(edges):
                if edge.op != "zero" and (known := ops(edge.op)):
                    yield _with_edge(cell, n, e, replace(edge, op=rng.choice(known)))

    return _edit_cell(arch, rng, swap)


OP_NAME = re.compile(r"(?P<family>\w+?)_(?P<kernel>\d)x\d(_e(?P<expansion>\d+))?")
"""Family, kernel and expansion in the name of an op with a kernel."""


def _larger(op: str, field: str) -> list[str]:
    """Ops that differ from `op` in a larger kernel or expansion only, the next first."""
    own = OP_NAME.fullmatch(op)
    if own is None or own[field] is None:
        return []
    others = [found for found in map(OP_NAME.fullmatch, OPS) if found is not None]
    rest = {"family", "kernel", "expansion"} - {field}
    alike = [found for found in others if all(found[name] == own[name] for name in rest)]
    larger = [found for found in alike if found[field] and int(found[field]) > int(own[field])]
    return [found.string for found in sorted(larger, key=lambda found: int(found[field]))]


_BRANCHES = tuple(op for op in OPS if op.startswith(("conv_", "sep_conv_")))
"""What a new branch may be: ops whose last layer can be silent at first. A residual adds its input."""

MORPHS: dict[str, Morph] = {
    "wider_stem": wider_stem,
    "wider_stage": wider_stage,
    "wider_head": wider_head,
    "deeper": deeper,
    "larger_kernel": larger_kernel,
    "larger_expansion": larger_expansion,
    "other_op": other_op,
    "new_branch": new_branch,
    "no_branch": no_branch,
    "new_node": new_node,
}
"""Every morph by name."""
