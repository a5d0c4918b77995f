"""The command that checks a data set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edgeml.cli.output import console, print_json

if TYPE_CHECKING:
    from edgeml.data.inspection import Inspection

UNUSABLE = 2


@click.command()
@click.argument("path")
@click.option("--task", help="As in `edgeml search`. [default: guessed]")
@click.option("--label", metavar="COLUMN", help="Label column of a table. [default: guessed]")
@click.option("--group", metavar="COLUMN", help="Column whose equal values stay in one split.")
@click.option("--window", type=int, metavar="N", help="Samples of a sensor window.")
@click.option("--stride", type=int, metavar="N", help="Samples from one window to the next.")
@click.option("--image-size", type=click.IntRange(4, 1024), help="Side in pixels for image folders.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def data(path: str, as_json: bool, **options: Any) -> None:
    """Check a data set: balance, copies, leaks, damaged files, labels, values; exit 2 on an error."""
    from edgeml.api import inspect

    found = inspect(path, **options)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    if not found.ok:
        sys.exit(UNUSABLE)


def _print(found: Inspection) -> None:
    from rich.table import Table
    from rich.text import Text

    from edgeml.data.guardrails.guardrails import severities

    screen = console()
    height, width, channels = found.input_shape
    parts = ", ".join(f"{count:,} in {part}" for part, count in found.counts.items())
    classes = f", {len(found.classes)} classes" if found.classes else ""
    head = f"{found.path}: {found.kind} {found.task}, {parts}{classes}, {height} x {width} x {channels}"
    screen.print(head, soft_wrap=True, markup=False, highlight=False)
    for remark in found.remarks:
        screen.print(f"  {remark}", soft_wrap=True, markup=False, highlight=False)
    if not found.findings:
        screen.print("no findings", highlight=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name, justify in (("severity", "left"), ("finding", "left"), ("count", "right"), ("what", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=name != "what")
    for one in found.findings:
        what = f"{one.means} edgeml: {one.does}"
        if one.examples:
            more = ", ..." if one.count > len(one.examples) else ""
            what += f"\n{', '.join(one.examples)}{more}"
        table.add_row(Text(one.severity), Text(one.code), f"{one.count:,}", Text(what))
    screen.print(table, highlight=False)
    counts = severities(found.findings)
    said = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items())
    screen.print(said, highlight=False)
