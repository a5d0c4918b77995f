"""Options of `edgeml search` that say where evaluations run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgeml.search.workers.compute import Compute

OPTIONS = (
    click.option(
        "--workers", type=int, default=1, show_default=True, help="Processes that train at once, here."
    ),
    click.option("--worker-threads", type=int, help="Threads of each. [default: the cores shared evenly]"),
    click.option(
        "--worker-memory",
        metavar="SIZE",
        help="Memory of each, such as 4g; above it a training is given up. [default: its share of 80 %]",
    ),
    click.option(
        "--trial-time", metavar="TIME", help="Longest evaluation, such as 30m, then its worker is ended."
    ),
    click.option("--scheduler", metavar="URL", help="Dask scheduler whose workers train, tcp://host:8786."),
    click.option(
        "--store",
        metavar="URL",
        help="Where weights and models go through, file:// or s3://. [default: the run directory]",
    ),
    click.option(
        "--storage",
        metavar="URL",
        help="Database of a study that several searches share, postgresql://. [default: SQLite, not shared]",
    ),
    click.option("--study", metavar="NAME", help="Name of the shared study. [default: from the settings]"),
)


def compute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def compute_from(options: dict[str, Any]) -> Compute:
    """Take the options out of a command's; texts become values.

    Raises:
        ConfigError: a size, a time or a number that cannot be used.
    """
    from edgeml.search.settings import parse_time
    from edgeml.search.workers.compute import Compute, parse_size

    memory, time_text = options.pop("worker_memory"), options.pop("trial_time")
    return Compute(
        workers=options.pop("workers"),
        threads=options.pop("worker_threads"),
        memory_bytes=parse_size(memory) if memory else None,
        trial_s=parse_time(time_text, "--trial-time") if time_text else None,
        **{name: options.pop(name) for name in ("scheduler", "store", "storage", "study")},
    )
