"""A command whose --help lists its many options under headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click


class GroupedCommand(click.Command):
    """A click command; `headings` names the options of each heading, the rest follow under "Other"."""

    headings: Mapping[str, Sequence[str]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, heading by heading."""
        shown = [(one.name, record) for one in self.get_params(ctx) if (record := one.get_help_record(ctx))]
        named = {name for names in self.headings.values() for name in names}
        groups = {**self.headings, "Other": [str(name) for name, _ in shown if name not in named]}
        for heading, names in groups.items():
            rows = [record for wanted in names for name, record in shown if name == wanted]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


class SearchCommand(GroupedCommand):
    """`edgeml search`."""

    headings = {  # noqa: RUF012 (read only)
        "What and where": ("data", "target", "limits", "out"),
        "In one word": ("prefer", "budget"),
        "How the data are read": (
            "task",
            "metric",
            "label",
            "group",
            "window",
            "stride",
            "image_size",
            "strict",
        ),
        "How much is spent": ("trials", "time_text", "epochs", "fidelity", "curves"),
        "How it searches": ("space", "strategy", "inherit", "seed", "deterministic", "resume"),
        "Where it runs": (
            "workers",
            "worker_threads",
            "worker_memory",
            "trial_time",
            "scheduler",
            "store",
            "storage",
            "study",
        ),
        "What becomes of the front": ("compress", "max_drop", "confirm"),
    }
