"""RunFiles -> the tree of who began with whose weights, as an SVG with one row a candidate."""

from __future__ import annotations

from edgeml.report import figures
from edgeml.report.markup import Markup, tag
from edgeml.report.plots import role
from edgeml.report.run_files import CandidateFile, RunFiles

ROW, INDENT, LEFT, RADIUS = 24, 18, 12, 5
LETTER = 7.1
"""Width of a letter, px, on the safe side."""
WORDS = 46
"""Letters of what differs that fit in a row; the rest is in the tooltip."""
MOST_WORDS = 400
CLASSES = {"knee": "knee", "Pareto front": "front", "not trained fully": "lower"}


def ordered(run: RunFiles) -> list[tuple[CandidateFile, int, int | None]]:
    """(candidate, depth, row of its parent) from top to bottom: roots by trial, children below them."""
    known = {c.key: c for c in run.trials}
    children: dict[str | None, list[CandidateFile]] = {}
    for candidate in sorted(run.trials, key=lambda c: c.number):
        parent = known.get(candidate.parent or "")
        older = parent is not None and parent.number < candidate.number  # else damaged files make a circle
        children.setdefault(candidate.parent if older else None, []).append(candidate)
    found: list[tuple[CandidateFile, int, int | None]] = []
    waiting: list[tuple[CandidateFile, int, int | None]] = [
        (c, 0, None) for c in reversed(children.get(None, []))
    ]
    while waiting:
        candidate, depth, above = waiting.pop()
        row = len(found)
        found.append((candidate, depth, above))
        waiting += [(c, depth + 1, row) for c in reversed(children.get(candidate.key, []))]
    return found


def tree(run: RunFiles) -> Markup | None:
    """The tree in a box that scrolls; None where nothing was inherited."""
    rows = ordered(run)
    if not any(above is not None for _, _, above in rows):
        return None
    texts = [_text(run, c) for c, _, _ in rows]
    width = max(
        LEFT + depth * INDENT + 14 + LETTER * len(text)
        for (_, depth, _), text in zip(rows, texts, strict=True)
    )
    height = ROW * len(rows) + 6
    depths = {row: depth for row, (_, depth, _) in enumerate(rows)}
    lines = [
        tag("path", d=_elbow(depths[above], above, depth, row), class_="wire")
        for row, (_, depth, above) in enumerate(rows)
        if above is not None
    ]
    marks = [
        _mark(run, c, depth, row, text)
        for row, ((c, depth, _), text) in enumerate(zip(rows, texts, strict=True))
    ]
    drawing = tag(
        "svg",
        tag("title", "Who began with whose weights"),
        lines,
        marks,
        viewBox=f"0 0 {width:.0f} {height}",
        width=f"{width:.0f}",
        height=height,
        role="img",
    )
    return tag("div", drawing, class_="scroll tree", role="region", aria_label="Lineage tree", tabindex=0)


def _y(row: int) -> float:
    return ROW * row + ROW / 2 + 3


def _elbow(depth_above: int, above: int, depth: int, row: int) -> str:
    x, end = LEFT + depth_above * INDENT, LEFT + depth * INDENT - RADIUS
    return f"M{x} {_y(above) + RADIUS:g}V{_y(row) - 6:g}Q{x} {_y(row):g} {x + 6} {_y(row):g}H{end}"


def _text(run: RunFiles, c: CandidateFile) -> str:
    """Key, score and what differs from the parent, cut to the row."""
    known = figures.score(run, c.accuracy) if c.accuracy is not None else c.status
    differs = c.lineage or ""
    cut = differs if len(differs) <= WORDS else f"{differs[: WORDS - 3]}..."
    return "  ".join(part for part in (c.key, known, cut) if part)


def _mark(run: RunFiles, c: CandidateFile, depth: int, row: int, text: str) -> Markup:
    x = LEFT + depth * INDENT
    carried = f", {figures.percent(c.inherited_fraction, 0)} of the weights" if c.inherited_fraction else ""
    how = f", by {c.source}{carried}" if c.source else ""
    full = f"trial {c.number}: {c.key}, {role(run, c)}{how}"
    full += f"; {c.lineage[:MOST_WORDS]}" if c.lineage else ""
    lost = c.accuracy is None
    class_ = "lost" if lost else CLASSES.get(role(run, c), "other")
    return tag(
        "g",
        tag("title", full),
        tag("circle", cx=x, cy=f"{_y(row):g}", r=RADIUS),
        tag("text", text, x=x + 12, y=f"{_y(row):g}"),
        class_=f"kin {class_}",
    )
