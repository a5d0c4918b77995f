"""Commands that show what there is: targets, spaces, fidelities."""

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


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def fidelities(name: str | None, as_json: bool) -> None:
    """List the ladders of rungs that --fidelity knows, or show one."""
    from edgeml.report.climb import share
    from edgeml.resources import find, load_yaml, names
    from edgeml.search.ladder import load_ladder

    rows = []
    for one in [name] if name else names("fidelities"):
        ladder = load_ladder(one).to_dict()  # validates the file, description included
        description = load_yaml(find("fidelities", one, "fidelity"))[0]["description"]
        rows.append({"name": ladder["name"], "description": description, **ladder})
    if name is not None:
        print_mapping({**rows[0], "rungs": list(rows[0]["rungs"])}, as_json)
    elif as_json:
        print_rows(rows, as_json)
    else:
        steps = {row["name"]: ", then ".join(map(share, row["rungs"])) for row in rows}
        told = [{**row, "description": f"{steps[row['name']]}. {row['description']}"} for row in rows]
        print_rows(told, as_json)
