"""Two architectures -> their difference in field terms: "stage1: wider 24 -> 32, deeper 1 -> 2"."""

from __future__ import annotations

import re

from edgeml.arch.cell import Arch, Cell, Edge

OP_NAME = re.compile(r"(?P<family>\w+?)_(?P<kernel>\d)x\d(_e(?P<expansion>\d+))?")
"""Family, kernel and expansion in the name of an op with a kernel."""


def difference(child: Arch, parent: Arch) -> str:
    """What was done to `parent` to get `child`; "" where nothing was."""
    places: list[tuple[str, list[str]]] = [("", _network(child, parent)), *_stages(child, parent)]
    head = _change("wider", "narrower", parent.head_channels, child.head_channels)
    if parent.head_channels and not child.head_channels:
        head = ["removed"]
    elif child.head_channels and not parent.head_channels:
        head = [f"added, {child.head_channels} channels"]
    stem = _change("wider", "narrower", parent.stem_channels, child.stem_channels)
    stem += _change("stride", "stride", parent.stem_stride, child.stem_stride)
    places[1:1] = [("stem", stem)]
    places.append(("head", head))
    return "; ".join(
        f"{place}: {', '.join(said)}" if place else ", ".join(said) for place, said in places if said
    )


def _change(more: str, less: str, before: float, after: float) -> list[str]:
    return [] if before == after else [f"{more if after > before else less} {before} -> {after}"]


def _network(child: Arch, parent: Arch) -> list[str]:
    said = []
    if child.input_shape != parent.input_shape:
        before, after = ("x".join(map(str, arch.input_shape)) for arch in (parent, child))
        said.append(f"input {before} -> {after}")
    if child.activation != parent.activation:
        said.append(f"activation {parent.activation} -> {child.activation}")
    if child.dropout != parent.dropout:
        said.append(f"dropout {parent.dropout} -> {child.dropout}")
    if child.classes != parent.classes:
        said.append(f"classes {parent.classes} -> {child.classes}")
    for name in ("front", "bottleneck", "decoder"):
        before, after = getattr(parent, name), getattr(child, name)
        if before != after:
            said.append(f"{name} {before or 'none'} -> {after or 'none'}")
    return said


def _stages(child: Arch, parent: Arch) -> list[tuple[str, list[str]]]:
    """By stage; what all cells of a network have in common is said once."""
    pairs = list(zip(child.stages, parent.stages, strict=False))
    normal = [_cell(one.cell, two.cell) for one, two in pairs]
    reduction = [_cell(one.reduction, two.reduction) for one, two in pairs if one.reduction or two.reduction]
    everywhere = [("cells", normal), ("reduction cells", reduction)]
    said = [(place, texts[0]) for place, texts in everywhere if len(texts) > 1 and _all_equal(texts)]
    shared = {place for place, _ in said}
    for i, (one, two) in enumerate(pairs):
        own = _change("wider", "narrower", two.channels, one.channels)
        own += _change("deeper", "shallower", two.repeat, one.repeat)
        own += _change("stride", "stride", two.stride, one.stride)
        own += [] if "cells" in shared else normal[i]
        if "reduction cells" not in shared:
            own += [f"reduction {text}" for text in _cell(one.reduction, two.reduction)]
        said.append((f"stage{i}", own))
    for i, stage in enumerate(child.stages[len(pairs) :], start=len(pairs)):
        said.append((f"stage{i}", [f"added, {stage.repeat} x {stage.channels} channels"]))
    said += [(f"stage{i}", ["removed"]) for i in range(len(pairs), len(parent.stages))]
    return said


def _all_equal(texts: list[list[str]]) -> bool:
    return all(text == texts[0] for text in texts)


def _cell(child: Cell | None, parent: Cell | None) -> list[str]:
    if child == parent:
        return []
    if child is None or parent is None:
        return ["cell removed" if child is None else "cell added"]
    said = [] if child.output == parent.output else [f"output {parent.output} -> {child.output}"]
    single = sum(map(len, child.nodes)) == sum(map(len, parent.nodes)) == 1
    for n, edges in enumerate(child.nodes):
        if n >= len(parent.nodes):
            reads = " + ".join(f"{edge.op}({edge.source})" for edge in edges if edge.op != "zero")
            said.append(f"node{n + 1} added: {reads or 'nothing'}")
            continue
        for e in range(max(len(edges), len(parent.nodes[n]))):
            before, after = (cell[e] if e < len(cell) else None for cell in (parent.nodes[n], edges))
            place = "" if single else f"node{n + 1}.edge{e} "
            said += [place + text for text in _edge(after, before)]
    return said + [f"node{n + 1} removed" for n in range(len(child.nodes), len(parent.nodes))]


def _edge(child: Edge | None, parent: Edge | None) -> list[str]:
    absent = [edge is None or edge.op == "zero" for edge in (child, parent)]
    if all(absent) or child == parent:
        return []
    if child is None or absent[0]:
        assert parent is not None
        return [f"branch removed: {parent.op}({parent.source})"]
    if parent is None or absent[1]:
        return [f"branch added: {child.op}({child.source})"]
    said = [] if child.op == parent.op else [_op(child.op, parent.op)]
    return said + ([] if child.source == parent.source else [f"reads {parent.source} -> {child.source}"])


def _op(child: str, parent: str) -> str:
    one, two = OP_NAME.fullmatch(child), OP_NAME.fullmatch(parent)
    if one and two:
        fields = [name for name in ("family", "kernel", "expansion") if one[name] != two[name]]
        if len(fields) == 1 and fields[0] != "family" and one[fields[0]] and two[fields[0]]:
            return f"{fields[0]} {two[fields[0]]} -> {one[fields[0]]}"
    return f"op {parent} -> {child}"
