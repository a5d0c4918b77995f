"""Commands about what is handed over: export, rebuild."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeml.cli.output import INTERRUPTED, console, print_json, say

if TYPE_CHECKING:
    from edgeml.export.folder import Exported
    from edgeml.export.rebuild import Rebuilt

PROOF_FAILED = 1


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--pick",
    default="preferred",
    show_default=True,
    help="preferred (by --prefer of the search), knee, accuracy, latency, size or a candidate's KEY.",
)
@click.option(
    "--format",
    "formats",
    default="tflite,onnx",
    show_default=True,
    help="Comma-separated list, see docs/export.md; all for whatever can be made here.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write. [default: RUN/export/KEY]")
@click.option("--json", "as_json", is_flag=True, help="An object instead of a table.")
def export(run: Path, pick: str, formats: str, out: Path | None, as_json: bool) -> None:
    """Write one candidate as a folder that stands alone, every model file proven against what was scored.

    Exit code 1 where a file is not what was scored.
    """
    from edgeml.api import export as export_run

    names = tuple(name.strip() for name in formats.split(",") if name.strip())
    with _ended_by_ctrl_c():
        done = export_run(run, pick, names, out)
    if as_json:
        print_json(done.to_dict())
    else:
        _print_export(done)
    if not done.ok:
        sys.exit(PROOF_FAILED)


def _print_export(done: Exported) -> None:
    rows = [(one.name, f"{one.size:,}", one.format or "-", one.proof or "-") for one in done.files]
    _print_table(("file", "bytes", "format", "proof"), rows)
    for name, reason in done.skipped.items():
        say(f"not made: {name}: {reason}")
    for note in done.notes:
        say(f"note: {note}")
    say(f"folder: {done.folder}; what it is: {done.folder / 'MODEL_CARD.md'}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--data",
    help="Where the data are now, or the data/ of a run that has moved. [default: as the run has them]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write. [default: FOLDER-rebuilt]")
@click.option("--seed", type=click.IntRange(min=0), help="Of the training. [default: the original's]")
@click.option("--other-data", is_flag=True, help="Accept data that are not those of the original.")
@click.option("--json", "as_json", is_flag=True, help="An object instead of a table.")
def rebuild(folder: Path, as_json: bool, **options: Any) -> None:
    """Train an exported model's architecture again from its spec.json, from scratch, and compare.

    Recipe, data (checked by hash), seed, total number of epochs and compression are the original's. What the
    original inherited or learned on lower rungs of a search is not repeated, so figures may differ.
    """
    from edgeml.api import rebuild as rebuild_folder

    with _ended_by_ctrl_c():
        done = rebuild_folder(folder, **options)
    if as_json:
        print_json(done.to_dict())
    else:
        _print_rebuild(done)


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Exit code 1 would say that a proof failed."""
    try:
        yield
    except KeyboardInterrupt:
        say("ended by Ctrl-C; nothing was written.", err=True)
        sys.exit(INTERRUPTED)


def _print_rebuild(done: Rebuilt) -> None:
    _print_table((f"int8 {done.goals[1].title}", "original", "rebuilt"), done.rows())
    for note in done.notes:
        say(f"note: {note}")
    say(f"folder: {done.folder} ({done.epochs:g} epochs from scratch, {done.seconds:.0f} s)")


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        shown.add_column(title, justify="right" if title == "bytes" else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    console().print(shown)
