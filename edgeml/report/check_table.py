"""Check -> what `edgeml check` prints: a row an operator, the figures with their kinds, limits, problems."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeml.report import figures
from edgeml.report.run_files import Figure
from edgeml.target.check import Check
from edgeml.target.measurement import Measurement


def text(check: Check) -> Group:
    """Check -> what rich prints."""
    parts: list[RenderableType] = [Text(headline(check), style="bold")]
    if any(op.mapped for op in check.ops) or len({op.reason for op in check.ops}) > 1:
        parts.append(_operators(check))  # else one sentence below says it of all
    parts += [Text(line) for line in _figures(check)]
    parts += [Text(f"problem: {problem}", style="red") for problem in check.problems]
    parts += [Text(f"note: {note}") for note in check.notes]
    return Group(*parts, Text(""))


def headline(check: Check) -> str:
    """The verdict in one line."""
    mapped = sum(op.mapped for op in check.ops)
    verdict = "fits" if check.ok else "does not fit"
    return f"{check.model} on {check.target}: {verdict}; {mapped} of {len(check.ops)} operators run there"


def _operators(check: Check) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("operator", no_wrap=True)
    table.add_column("runs there")
    table.add_column("in the device's words")
    if any(op.instead for op in check.ops):
        table.add_column("use instead")
    for op in check.ops:
        words = (str(op.index), op.op, "yes" if op.mapped else "NO", op.reason, op.instead)[
            : len(table.columns)
        ]
        table.add_row(*(Text(word, style="" if op.mapped else "red") for word in words))
    return table


def _figures(check: Check) -> list[str]:
    return [_figure(figure, check.limits.get(name)) for name, figure in check.figures.items()]


def _figure(m: Measurement, limit: float | None) -> str:
    figure = Figure(m.metric, m.value, m.unit, m.low, m.high, m.n, m.kind, m.tool, m.conditions)
    spread = figures.interval(figure)
    line = f"{figures.title(m.metric)}: {figures.shown(figure)}{f' ({spread})' if spread else ''} {m.kind}"
    if limit is not None:
        allowed = figures.shown(Figure(m.metric, limit, m.unit, None, None, None, "", "", {}))
        line += f", {'within' if m.value <= limit else 'OVER'} the limit of {allowed}"
    return f"{line}; {m.tool}"
