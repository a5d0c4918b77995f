"""The command line: parse, call one function, print. Errors become exit codes here and nowhere else.

Exit codes: 0 done, 1 a check failed, 2 bad input (one sentence on stderr), 130 ended by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from edgeml.arch.own_ops import load_own
from edgeml.cli import data, devices, doctor, export, lists, reports, runs
from edgeml.cli.output import INTERRUPTED, one_line, say
from edgeml.errors import EdgemlError

BAD_INPUT = 2


class _Group(click.Group):
    """Turns EdgemlError into one sentence and exit code 2; `--debug` anywhere shows the traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # which click itself would end with 1, a failed check
            say("ended by Ctrl-C.", err=True)
            sys.exit(INTERRUPTED)

    def main(self, args: Any = None, *rest: Any, **named: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in given
        if args is None:
            _imports_only_what_is_installed()
        given = [argument for argument in given if argument != "--debug"]
        try:
            load_own()
            return super().main(given, *rest, **named)
        except EdgemlError as error:
            if debug:
                raise
            say(f"error: {one_line(error)}", err=True)
            sys.exit(BAD_INPUT)


def _imports_only_what_is_installed() -> None:
    """Keep the processes that this program starts from importing the working directory's files.

    It may be a folder of data from elsewhere, with a json.py in it; `python -m` and multiprocessing's spawned
    processes would run that.
    """
    os.environ["PYTHONSAFEPATH"] = "1"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edgeml")
def main() -> None:
    """From a data set and a device to Pareto-optimal, exported int8 models.

    Add --debug to any command to see the traceback of an error.
    """


for command in (
    runs.search,
    runs.leaderboard,
    reports.report,
    reports.compare,
    reports.dashboard,
    data.data,
    export.export,
    export.rebuild,
    devices.check,
    devices.measure,
    devices.calibrate,
    lists.targets,
    lists.spaces,
    lists.fidelities,
    doctor.doctor,
):
    main.add_command(command)
