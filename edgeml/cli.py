"""The command line: parse, call one function, print. Errors become exit codes here and nowhere else.

Exit codes: 0 done, 1 a check failed, 2 bad input (one sentence on stderr), 130 ended by Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from edgeml.errors import EdgemlError

BAD_INPUT = 2
INTERRUPTED = 130


class _Group(click.Group):
    """Turns EdgemlError into one sentence and exit code 2; `--debug` anywhere shows the traceback."""

    def main(self, args: Any = None, *rest: Any, **named: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in given
        given = [argument for argument in given if argument != "--debug"]
        try:
            return super().main(given, *rest, **named)
        except EdgemlError as error:
            if debug:
                raise
            click.echo(f"error: {error}", err=True)
            sys.exit(BAD_INPUT)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edgeml")
def main() -> None:
    """From a data set and a device to Pareto-optimal, exported int8 models.

    Add --debug to any command to see the traceback of an error.
    """


@main.command()
@click.option("--data", help="digits, a folder of class folders, a .npz file or IDX files.")
@click.option(
    "--target",
    multiple=True,
    help="Device profile; see `edgeml targets`; several give one front. [default: cpu]",
)
@click.option("--space", help="Search space; see `edgeml spaces`. [default: the target's]")
@click.option("--strategy", help="evolution or random. [default: evolution]")
@click.option("--trials", type=int, help="Architectures to train. [default: 30]")
@click.option("--time", "time_text", help="Time limit such as 90s, 30m, 1h30m. [default: none]")
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
    "--inherit/--no-inherit", default=True, show_default=True, help="Start from trained relatives' weights."
)
@click.option(
    "--image-size",
    type=click.IntRange(4, 1024),
    help="Side in pixels for image folders. [default: by the data]",
)
@click.option("--strict", is_flag=True, help="Unreadable images are an error, not skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def search(time_text: str | None, limits: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Search, train, quantise and measure; writes a run directory with a report."""
    from edgeml.api import search as run_search
    from edgeml.search.settings import parse_time
    from edgeml.target.limits import parse_limits
    from edgeml.terminal import LiveListener, PlainListener

    console = _console(stderr=True)
    chosen = {
        "time_s": parse_time(time_text) if time_text else 0.0,
        "limits": parse_limits(limits),
        **options,
    }
    if console.is_terminal:
        with LiveListener(console) as listener:
            run = run_search(listener=listener, **chosen)
    else:
        run = run_search(listener=PlainListener(console), **chosen)
    if as_json:
        click.echo(json.dumps(run.leaderboard, indent=1))
    else:
        _print_end(run.path)
    if run.status == "interrupted":
        sys.exit(INTERRUPTED)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list of objects instead of a table.")
def leaderboard(run: Path, as_json: bool) -> None:
    """Show the candidates of a run, Pareto front first."""
    from edgeml.report.leaderboard import rows, table
    from edgeml.report.run_files import open_run

    files = open_run(run)
    if as_json:
        click.echo(json.dumps(rows(files), indent=1))
    else:
        _console().print(table(files))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Write RUN/report.html, one file that works offline."""
    from edgeml.report.page import write_report

    click.echo(write_report(run))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--pick", default="knee", show_default=True, help="knee, accuracy, latency, size or a candidate's KEY."
)
@click.option("--format", "formats", default="tflite,onnx", show_default=True, help="Comma-separated list.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write. [default: RUN/export/KEY]")
def export(run: Path, pick: str, formats: str, out: Path | None) -> None:
    """Write the files of one candidate: models, labels and what they cost."""
    from edgeml.api import export as export_run

    names = tuple(name.strip() for name in formats.split(",") if name.strip())
    for path in export_run(run, pick, names, out):
        click.echo(f"{path}  {path.stat().st_size:,} bytes")


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", default="cpu", show_default=True, help="Device profile; see `edgeml targets`.")
@click.option("--json", "as_json", is_flag=True, help="An object instead of lines.")
def measure(model: Path, target: str, as_json: bool) -> None:
    """Measure a .tflite file on a target."""
    from edgeml.api import measure as measure_file

    found = measure_file(model, target)
    if as_json:
        click.echo(json.dumps({name: m.to_dict() for name, m in found.items()}, indent=1))
        return
    for m in found.values():
        spread = "" if m.low == m.high else f" [{m.low:.4g}, {m.high:.4g}]"
        click.echo(f"{m.metric}: {m.value:.6g}{spread} {m.unit}, {m.kind} by {m.tool}, n = {m.n}")


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def targets(name: str | None, as_json: bool) -> None:
    """List the device profiles, or show one."""
    from edgeml.resources import names
    from edgeml.target.profile import load_target

    if name is None:
        rows = [{"name": n, "description": load_target(n).description} for n in names("targets")]
        _print_rows(rows, as_json)
    else:
        _print_mapping(load_target(name).model_dump(), as_json)


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def spaces(name: str | None, as_json: bool) -> None:
    """List the search spaces, or show one."""
    from edgeml.arch.space_file import load_space
    from edgeml.resources import names

    loaded = [load_space(n) for n in ([name] if name else names("search_spaces"))]
    if name is None:
        _print_rows(
            [{"name": s.name, "points": s.size, "description": s.description} for s in loaded], as_json
        )
    else:
        decisions = {decision.name: list(decision.choices) for decision in loaded[0].decisions}
        head = {"name": loaded[0].name, "description": loaded[0].description, "points": loaded[0].size}
        _print_mapping({**head, "decisions": decisions}, as_json)


def _print_end(run: Path) -> None:
    """Leaderboard, summary, where the time went and what to do next."""
    from edgeml.report.leaderboard import table
    from edgeml.report.run_files import open_run
    from edgeml.report.summary import summary
    from edgeml.terminal import where_time_went

    files, console = open_run(run), _console()
    console.print(table(files))
    console.print(summary(files), markup=False, highlight=False)
    console.print(where_time_went(dict(files.state["time_s"])), markup=False, highlight=False)
    if files.front:
        click.echo(f"report: {run / 'report.html'}")
        click.echo(f"next:   edgeml export {run} --pick knee")


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        extra = f"{row['points']:.3g} points. " if "points" in row else ""
        click.echo(f"{row['name']:<{width}}  {extra}{row['description']}")


def _print_mapping(value: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value, indent=1))
        return
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110).rstrip())


def _console(stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, width=None if sys.stdout.isatty() else 120)


if __name__ == "__main__":
    main()
