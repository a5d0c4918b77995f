"""Commands about runs: search, leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from edgeml.cli.compute import compute_from, compute_options
from edgeml.cli.grouped import SearchCommand
from edgeml.cli.output import INTERRUPTED, console, print_json, say

NOTHING = 1
"""Exit code of a search that has no front."""


@click.command(cls=SearchCommand)
@click.option("--data", help="digits, a folder of class folders, a .npz file or IDX files.")
@click.option(
    "--target",
    multiple=True,
    help="Device profile; see `edgeml targets`; several give one front. [default: cpu]",
)
@click.option("--prefer", metavar="WHAT", help="balanced, accuracy, latency or size. [default: balanced]")
@click.option(
    "--budget",
    metavar="HOW_MUCH",
    help="quick, standard or thorough: trials, time, epochs and fidelity by the data's size; each of these "
    "options wins. [default: standard]",
)
@click.option("--space", help="Search space; see `edgeml spaces`. [default: the target's]")
@click.option(
    "--strategy",
    help="auto, grid, random, bayesian[:gp], evolution[:nsga2] or rl. [default: auto]",
)
@click.option(
    "--fidelity",
    help="Rungs of training: fast, balanced, full or a YAML file. [default: balanced]",
)
@click.option(
    "--trials",
    type=int,
    help="Architectures to train. [default: 30, by --budget; with --time, what it allows]",
)
@click.option(
    "--time",
    "time_text",
    help="Time limit such as 90s, 30m, 1h30m. [default: by --budget; with --trials, none]",
)
@click.option(
    "--limit", "limits", multiple=True, metavar="K=V", help="Such as size_kb=100, ram_kb, macs, latency_ms."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run directory. [default: a new one under runs/]"
)
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --out (the newest under runs/ without it)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of split, sampling and training.")
@click.option(
    "--epochs",
    type=click.FloatRange(min=0, min_open=True),
    help="Passes over the data at full training. [default: by size of the data]",
)
@click.option(
    "--inherit",
    help="Where new networks' weights come from: auto, morph, bank or none. [default: auto]",
)
@click.option("--no-inherit", "inherit", flag_value="none", hidden=True, help="Means --inherit none.")
@click.option(
    "--curves/--no-curves",
    default=True,
    show_default=True,
    help="End trainings whose learning curve will hardly reach the front.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="The same files every time, byte for byte: slower, and nothing may be decided by the clock.",
)
@click.option("--confirm", is_flag=True, help="Train the front's members from scratch too; show both.")
@click.option(
    "--compress",
    metavar="HOW",
    help="Of the front's members: auto, ptq, qat, prune[:0.7 or :2:4], cluster[:32] or none. [default: auto]",
)
@click.option(
    "--max-drop",
    type=float,
    metavar="POINTS",
    help="Points of accuracy (of an error: per cent of a constant guess's) that int8 may lose against float "
    "before auto trains quantisation-aware. [default: 0.5]",
)
@click.option(
    "--image-size",
    type=click.IntRange(4, 1024),
    help="Side in pixels for image folders. [default: by the data]",
)
@click.option("--strict", is_flag=True, help="Unreadable files are an error, not skipped.")
@click.option(
    "--task",
    help="{image,audio,sensor,tabular}-classification, tabular-regression or anomaly. [default: guessed]",
)
@click.option("--metric", help="What is maximised, such as balanced_accuracy. [default: the task's]")
@click.option("--label", metavar="COLUMN", help="Label column of a table. [default: guessed]")
@click.option(
    "--group", metavar="COLUMN", help="Column whose equal values, such as a person, stay in one split."
)
@click.option("--window", type=int, metavar="N", help="Samples of a sensor window. [default: by the data]")
@click.option("--stride", type=int, metavar="N", help="Samples from one window to the next.")
@compute_options
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def search(time_text: str | None, limits: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Search, train, quantise and measure; writes a run directory with a report.

    Exit code 1 where no candidate could be trained fully within the limits.
    """
    from edgeml.api import search as run_search
    from edgeml.cli.heap import return_large_blocks
    from edgeml.search.settings import parse_time
    from edgeml.target.limits import parse_limits
    from edgeml.terminal import LiveListener, PlainListener

    return_large_blocks()
    screen = console(stderr=True)
    compute = compute_from(options)
    chosen = {
        "compute": compute,
        "time_s": parse_time(time_text) if time_text else 0.0,
        "limits": parse_limits(limits),
        **options,
    }
    if screen.is_terminal:
        with LiveListener(screen) as listener:
            run = run_search(listener=listener, **chosen)
    else:
        run = run_search(listener=PlainListener(screen), **chosen)
    if as_json:
        print_json(run.leaderboard)
    else:
        _print_end(run.path)
    if run.status == "interrupted":
        sys.exit(INTERRUPTED)
    if not run.front:
        sys.exit(NOTHING)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list of objects instead of a table.")
def leaderboard(run: Path, as_json: bool) -> None:
    """Show the candidates of a run, Pareto front first."""
    from edgeml.report.leaderboard import rows, table
    from edgeml.report.run_files import open_run

    files = open_run(run)
    if as_json:
        print_json(rows(files))
    else:
        console().print(table(files))


def _print_end(run: Path) -> None:
    """Leaderboard, summary, where the time went and what to do next."""
    from edgeml.report.leaderboard import table
    from edgeml.report.run_files import open_run
    from edgeml.report.summary import summary
    from edgeml.terminal import where_time_went

    files, screen = open_run(run), console()
    screen.print(table(files))
    screen.print(summary(files), markup=False, highlight=False)
    screen.print(where_time_went(dict(files.state["time_s"])), markup=False, highlight=False)
    if files.front:
        say(f"report: {run / 'report.html'}")
        say(f"next:   edgeml export {run}")
