"""Commands that show what there is: targets, spaces."""

from __future__ import annotations

import click

from edgeml.cli.output import console, print_json, print_mapping, print_rows


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def targets(name: str | None, as_json: bool) -> None:
    """List the device profiles, or show what one allows, costs and refuses, and from where it knows."""
    from edgeml.report.target_page import describe, page
    from edgeml.resources import names
    from edgeml.target.measure import known_target

    if name is None:
        rows = [{"name": n, "description": known_target(n).description} for n in names("targets")]
        print_rows(rows, as_json)
    elif as_json:
        print_json(describe(known_target(name)))
    else:
        console().print(page(known_target(name)), highlight=False)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def spaces(name: str | None, as_json: bool) -> None:
    """List the search spaces, or show one."""
    from edgeml.arch.space_file import load_space
    from edgeml.resources import names

    loaded = [load_space(n) for n in ([name] if name else names("search_spaces"))]
    if name is None:
        print_rows(
            [{"name": s.name, "points": s.size, "description": s.description} for s in loaded], as_json
        )
    else:
        decisions = {decision.name: list(decision.choices) for decision in loaded[0].decisions}
        head = {"name": loaded[0].name, "description": loaded[0].description, "points": loaded[0].size}
        print_mapping({**head, "decisions": decisions}, as_json)
