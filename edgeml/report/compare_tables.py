"""Compared -> tables: for a terminal (rich) and for the page, from the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeml.report import figures, score_axis
from edgeml.report.compare import Compared, kinds
from edgeml.report.compare_json import to_json
from edgeml.report.plain_settings import differing
from edgeml.report.run_files import Figure
from edgeml.report.summary import duration
from edgeml.report.tables import plain

if TYPE_CHECKING:
    from rich.table import Table

Rows = list[list[str]]


def tables(found: Compared) -> list[tuple[str, list[str], Rows]]:
    """(title, heads, rows) of every table that has rows; the first cell heads a row."""
    named = list(found.names)
    made = [
        ("Runs", ["", *named], runs(found)),
        ("Hypervolume, share of the box", ["score and", *named], hypervolumes(found)),
        (f"Best int8 {found.runs[0].goal.title} (validation) at", ["at most", *named], under(found)),
        ("Settings that differ", ["setting", *named], settings(found)),
    ]
    return [one for one in made if one[2]]


def runs(found: Compared) -> Rows:
    """One row a fact."""
    values = to_json(found)["runs"]
    first = found.runs[0]
    columns = [
        [
            ", ".join(map(str, v["targets"])),
            str(v["trials"]),
            str(v["trained_fully"]),
            str(v["front"]),
            f"{figures.score(first, v['best']['score'])} ({v['best']['key']})",
            _test(found, v["best"]["test"]),
            "-" if v["elapsed_s"] is None else duration(v["elapsed_s"]),
            "-" if v["cpu_s"] is None else duration(v["cpu_s"]),
        ]
        for v in values
    ]
    names = [
        "target",
        "architectures tried",
        "trained fully",
        "on the front",
        f"best int8 {first.goal.title}, validation",
        "the same on test (95 %)",
        "time",
        "CPU time of training",
    ]
    return [[name, *(column[i] for column in columns)] for i, name in enumerate(names)]


def _test(found: Compared, test: dict[str, float] | None) -> str:
    if not test:
        return "-"
    run = found.runs[0]
    low, high = score_axis.upwards(run, test["low"], test["high"])
    ends = [figures.score(run, end).removesuffix(" %") for end in (low, high)]
    return f"{figures.score(run, test['value'])} ({ends[0]} to {ends[1]})"


def hypervolumes(found: Compared) -> Rows:
    """One row a cost."""
    return [
        [
            f"{figures.title(cost)} up to {shown(found, cost, found.references[cost])}",
            *(f"{found.hypervolume(cost, i):.4f}" for i in range(len(found.runs))),
        ]
        for cost in found.costs
    ]


def under(found: Compared) -> Rows:
    """One row a highest cost."""
    rows = []
    for cost, highest in found.under:
        best = [found.best_under(cost, highest, i) for i in range(len(found.runs))]
        cells = ["-" if p is None else f"{figures.score(found.runs[0], p[2])} ({p[0].key})" for p in best]
        rows.append([f"{figures.title(cost)} {shown(found, cost, highest)}", *cells])
    return rows


def settings(found: Compared) -> Rows:
    """One row a setting that differs."""
    values = differing(found.runs)
    return [
        [name.replace("_", " "), *("-" if v is None else plain(v) for v in own)]
        for name, own in values.items()
    ]


def shown(found: Compared, cost: str, value: float) -> str:
    """A cost with its unit, and how such figures were found out where they were not measured."""
    words = figures.shown(Figure(cost, value, "", None, None, None, "", "", {}))
    return words + figures.unmeasured(kinds(found, cost))


def rich_tables(found: Compared) -> list[Table]:
    """Compared -> tables for a terminal."""
    from rich.table import Table
    from rich.text import Text

    made = []
    for title, heads, rows in tables(found):
        table = Table(title=Text(title), box=None, title_justify="left", pad_edge=False)
        for head in heads:
            table.add_column(Text(head), overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        made.append(table)
    return made
