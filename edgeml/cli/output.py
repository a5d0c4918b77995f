"""What several commands print with."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def print_json(value: Any) -> None:
    """JSON on stdout, for scripts."""
    click.echo(json.dumps(value, indent=1))


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Names with their descriptions."""
    if as_json:
        print_json(rows)
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        extra = f"{row['points']:.3g} points. " if "points" in row else ""
        click.echo(f"{row['name']:<{width}}  {extra}{row['description']}")


def print_mapping(value: dict[str, Any], as_json: bool) -> None:
    """A mapping as JSON or YAML."""
    if as_json:
        print_json(value)
        return
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110).rstrip())


def console(stderr: bool = False) -> Any:
    """A rich console; 120 columns where the output is not a terminal."""
    from rich.console import Console

    return Console(stderr=stderr, width=None if sys.stdout.isatty() else 120)
