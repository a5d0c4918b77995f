"""Commands that show runs: report, compare, dashboard."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from edgeml.cli.output import console, print_json, say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def report(run: Path, show: bool) -> None:
    """Write RUN/report.html, one file that works offline, and RUN/report.md."""
    from edgeml.report.page import write_report

    page = write_report(run)
    say(page)
    if show:
        _open(page.as_uri())


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "--under", multiple=True, metavar="K=V", help="Best accuracy at this cost, such as latency_ms=2."
)
@click.option("--force", is_flag=True, help="Compare runs of other data or another split all the same.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the comparison as an HTML page too.")
@click.option("--json", "as_json", is_flag=True, help="An object instead of tables.")
def compare(
    runs: tuple[Path, ...], under: tuple[str, ...], force: bool, out: Path | None, as_json: bool
) -> None:
    """Put runs side by side: fronts, hypervolumes, best accuracy at given costs, settings that differ."""
    from edgeml.report.compare import compare as compare_runs
    from edgeml.report.compare_json import to_json
    from edgeml.report.compare_page import write_comparison
    from edgeml.report.compare_tables import rich_tables
    from edgeml.target.limits import parse_limits

    found = compare_runs(runs, force, parse_limits(under) if under else None)
    if out is not None:
        write_comparison(found, out)
    if as_json:
        print_json(to_json(found))
        return
    screen = console()
    for table in rich_tables(found):
        screen.print(table)
        screen.print()
    for note in found.notes:
        say(f"note: {note}")
    if out is not None:
        say(f"page: {out}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port on this computer. [default: 8080, or a free one]"
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def dashboard(run: Path, port: int | None, no_open: bool) -> None:
    """Show the run's trials in optuna-dashboard, on a copy that follows the search; Ctrl-C ends it."""
    from edgeml.report.dashboard import HOST, serving

    try:
        with serving(run, port) as server:
            address = f"http://{HOST}:{server.server_port}/dashboard/"
            say(f"dashboard: {address} (Ctrl-C ends it)")
            if not no_open:
                _open(address)
            server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        say("dashboard closed")


def _open(address: str) -> None:
    """Open a browser where there is a screen; else say where the page is."""
    import webbrowser

    screen: Any = sys.platform != "linux" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not (screen and webbrowser.open(address)):
        say(f"no browser can be opened here; open {address}")
