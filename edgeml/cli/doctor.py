"""The command that looks at the computer and the installation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeml.cli.output import console, print_json

if TYPE_CHECKING:
    from edgeml.doctor.finding import Diagnosis, Line

PROBLEM = 1
SIGNS = {"ok": "", "note": "note: ", "problem": "PROBLEM: "}
STYLES = {"ok": "", "note": "yellow", "problem": "bold red"}


@click.command()
@click.option("--quick", is_flag=True, help="Leave out the self-test, which takes about 20 seconds.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go."
)
@click.option("--json", "as_json", is_flag=True, help="An object instead of text.")
def doctor(quick: bool, out: Path, as_json: bool) -> None:
    """Say what works here: versions, processor, disk, tools of devices, and a self-test.

    The text is for bug reports: it names no user, no home folder and no value of a variable of yours. The
    network is not used. Exit code 1 where there is a problem.
    """
    from edgeml.doctor.examination import examine

    screen = console(stderr=True)
    if screen.is_terminal:
        with screen.status("looking") as status:
            found = examine(out, quick, lambda what: status.update(f"looking at {what}"))
    else:
        found = examine(out, quick)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    if not found.ok:
        sys.exit(PROBLEM)


def _print(found: Diagnosis) -> None:
    from rich.text import Text

    screen = console()
    for section in found.sections:
        screen.print(Text(section.title, style="bold"))
        for line in section.lines:
            screen.print(_text(line), soft_wrap=True, highlight=False)
    state = "ok" if found.ok else "problem"
    screen.print(Text(found.verdict, style=STYLES[state] or "bold green"), soft_wrap=True, highlight=False)


def _text(line: Line) -> object:
    from rich.text import Text

    said = Text(f"  {line.what}: ")
    said.append(f"{SIGNS[line.state]}{line.found}", style=STYLES[line.state])
    if line.advice:
        said.append(f" -> {line.advice}")
    return said
