"""Arch -> drawings: the chain of stages as a list, every cell of more than one op as an SVG graph."""

from __future__ import annotations

from edgeml.arch.cell import Arch, Cell, Stage
from edgeml.report.cell_layout import Layout, Spot, Wire, lay_out, links, single_op
from edgeml.report.markup import Markup, join, tag

LANE, BAND, TAIL = 124, 104, 52
BOX = (112, 28)
RADIUS = 12
MARGIN = 16
HEADS = {"anomaly": "decoder"}
"""What follows the stages, where it is no mean and dense layer."""
LEAST = 0.75
"""How far a narrow screen may shrink a drawing before it scrolls."""


def architecture(arch: Arch) -> Markup:
    """Arch -> the chain of its stages, then every distinct cell in it."""
    names = cell_names(arch)
    drawn = [
        tag(
            "figure",
            tag("figcaption", f"Cell {name}: {_places(arch, cell)}"),
            tag("div", cell_svg(cell, name), tabindex=0),
            class_="cell",
        )
        for cell, name in names.items()
    ]
    return join([chain(arch, names), tag("div", drawn, class_="cells") if drawn else None])


def cell_names(arch: Arch) -> dict[Cell, str]:
    """Cells of more than one op -> A, B, ... in order of appearance."""
    cells = [cell for stage in arch.stages for cell in (stage.reduction, stage.cell) if cell is not None]
    distinct = dict.fromkeys(cell for cell in cells if single_op(cell) is None)
    return {cell: chr(ord("A") + i) if i < 26 else str(i + 1) for i, cell in enumerate(distinct)}


def _places(arch: Arch, cell: Cell) -> str:
    parts = []
    for role, attribute in (("normal", "cell"), ("reduction", "reduction")):
        stages = [str(i) for i, stage in enumerate(arch.stages, start=1) if getattr(stage, attribute) == cell]
        if stages:
            parts.append(f"{role} cell of stage{'' if len(stages) == 1 else 's'} {', '.join(stages)}")
    return "; ".join(parts)


def chain(arch: Arch, names: dict[Cell, str]) -> Markup:
    """The macro architecture from the raw input to the classifier."""
    height, width, channels = arch.input_shape
    stem = _block("Stem", "conv 3x3", f"{arch.stem_channels} channels, stride {arch.stem_stride}")
    stages = [_stage(i, stage, names) for i, stage in enumerate(arch.stages, start=1)]
    convolution = f"conv 1x1 to {arch.head_channels}, " if arch.head_channels else ""
    many = {"regression": "one value", "anomaly": f"{arch.classes} values, the input again"}
    gives = many.get(arch.task, f"{arch.classes} classes")
    head = _block("Head", f"{convolution}{HEADS.get(arch.task, 'mean, dense')}", gives)
    image = _block("Input", f"{height} x {width} x {channels}", "raw values")
    return tag("ol", image, stem, stages, head, class_="chain")


def _stage(number: int, stage: Stage, names: dict[Cell, str]) -> Markup:
    ops = [f"{_cell_words(stage.reduction, names)}, once"] if stage.reduction else []
    ops += [f"{_cell_words(stage.cell, names)} x {stage.repeat}"] if stage.repeat else []
    return _block(f"Stage {number}", ", then ".join(ops), f"{stage.channels} channels, stride {stage.stride}")


def _cell_words(cell: Cell, names: dict[Cell, str]) -> str:
    op = single_op(cell)
    return op_words(op) if op else f"cell {names[cell]}"


def _block(title: str, middle: str, foot: str) -> Markup:
    return tag("li", tag("b", title), tag("span", middle), tag("small", foot))


def op_words(op: str) -> str:
    """`mbconv_3x3_e4` -> "mbconv 3x3 e4"."""
    return op.replace("_", " ")


def cell_svg(cell: Cell, name: str) -> Markup:
    """Cell -> an SVG graph: input on top, ops in boxes, sums as circles, output at the bottom."""
    layout = lay_out(cell)
    lanes = [spot.lane for spot in layout.spots] + [wire.lane for wire in layout.wires if wire.op]
    reach = BOX[0] / 2 + MARGIN
    left, right = min(lanes) * LANE - reach, max(lanes) * LANE + reach
    height = _y(layout, layout.spots[-1].rank) + 2 * (RADIUS + MARGIN)
    return tag(
        "svg",
        tag("title", f"Cell {name}. {_in_words(cell)}"),
        _arrow(name),
        [_path(layout, wire, name) for wire in layout.wires],
        [_op_box(wire) for wire in layout.wires if wire.op],
        [_spot(layout, spot) for spot in layout.spots],
        viewBox=f"{left:g} {-RADIUS - MARGIN} {right - left:g} {height:g}",
        width=f"{right - left:g}",
        style=f"min-width:{LEAST * (right - left):.0f}px",
        role="img",
    )


def _in_words(cell: Cell) -> str:
    output = len(cell.nodes) + 1
    words = {0: "the input", output: "the output"}
    texts = [
        f"{words.get(source, f'node {source}')} to {words.get(target, f'node {target}')}"
        + (f": {op_words(op)}" if op else "")
        for source, target, op in links(cell)
    ]
    return "; ".join(texts)


def _arrow(name: str) -> Markup:
    head = tag("path", d="M0 0L7 3.5L0 7z", class_="head")
    marker = tag(
        "marker",
        head,
        id=f"arrow-{name}",
        viewBox="0 0 7 7",
        refX=6.5,
        refY=3.5,
        markerWidth=7,
        markerHeight=7,
        orient="auto",
        markerUnits="userSpaceOnUse",
    )
    return tag("defs", marker)


def _y(layout: Layout, rank: int) -> float:
    """Height of a rank; the way to the output carries no op and is shorter."""
    last = layout.spots[-1].rank
    return rank * BAND if rank < last else (last - 1) * BAND + TAIL


def _path(layout: Layout, wire: Wire, name: str) -> Markup:
    x0, x1, x = wire.source.lane * LANE, wire.target.lane * LANE, wire.lane * LANE
    top, bottom = _y(layout, wire.source.rank) + RADIUS, _y(layout, wire.target.rank) - RADIUS
    if wire.op is None and wire.target.rank - wire.source.rank == 1:
        middle = (top + bottom) / 2
        way = f"M{x0:g} {top:g}C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {bottom:g}"
    else:
        down = top + (BAND - BOX[1]) / 2 - RADIUS
        up = bottom - ((BAND - BOX[1]) / 2 - RADIUS if wire.op else TAIL - 2 * RADIUS)
        first, second = (top + down) / 2, (up + bottom) / 2
        way = (
            f"M{x0:g} {top:g}C{x0:g} {first:g} {x:g} {first:g} {x:g} {down:g}V{up:g}"
            f"C{x:g} {second:g} {x1:g} {second:g} {x1:g} {bottom:g}"
        )
    return tag("path", d=way, class_="wire", marker_end=f"url(#arrow-{name})")


def _op_box(wire: Wire) -> Markup:
    assert wire.op is not None
    x, y = wire.lane * LANE, (wire.band + 0.5) * BAND
    kind = "plain" if wire.op == "skip" else "pool" if "pool" in wire.op else "weighted"
    box = tag("rect", x=f"{x - BOX[0] / 2:g}", y=f"{y - BOX[1] / 2:g}", width=BOX[0], height=BOX[1], rx=6)
    return tag("g", box, tag("text", op_words(wire.op), x=f"{x:g}", y=f"{y:g}"), class_=f"op {kind}")


def _spot(layout: Layout, spot: Spot) -> Markup:
    x, y = spot.lane * LANE, _y(layout, spot.rank)
    is_output = spot is layout.spots[-1]
    if spot.index and not is_output:
        sign = "+" if spot.inputs > 1 else str(spot.index)
        return tag(
            "g",
            tag("circle", cx=f"{x:g}", cy=f"{y:g}", r=RADIUS),
            tag("text", sign, x=f"{x:g}", y=f"{y:g}"),
            class_="node",
        )
    text = ("concat, conv 1x1" if layout.joined else "output") if is_output else "input"
    width = BOX[0] if layout.joined and is_output else 72
    box = tag("rect", x=f"{x - width / 2:g}", y=f"{y - RADIUS:g}", width=width, height=2 * RADIUS, rx=RADIUS)
    return tag("g", box, tag("text", text, x=f"{x:g}", y=f"{y:g}"), class_="end")
