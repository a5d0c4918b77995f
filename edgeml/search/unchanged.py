"""Whether a run that goes on has the search space and the rungs that it was started with."""

from __future__ import annotations

import json
from typing import Any

from edgeml.arch.space import Space
from edgeml.errors import RunError
from edgeml.search.ladder import Ladder
from edgeml.search.run_dir import RunDir


def check_unchanged(run_dir: RunDir, space: Space, ladder: Ladder) -> None:
    """Refuse to go on with another space or other rungs.

    Raises:
        RunError: names what has changed.
    """
    run = run_dir.open()
    if run["space"] != space_dict(space):
        raise RunError(
            f"--resume: search space {space.name} has changed since {run_dir.path} was started; "
            "restore it or start a new run with another --out."
        )
    if run["ladder"] != json.loads(json.dumps(ladder.to_dict())):
        raise RunError(
            f"--resume: fidelity {ladder.name} has changed since {run_dir.path} was started; "
            "restore it or start a new run with another --out."
        )


def space_dict(space: Space) -> dict[str, Any]:
    """What run.json holds of a search space."""
    return {
        "name": space.name,
        "size": str(space.size),
        "decisions": {decision.name: list(decision.choices) for decision in space.decisions},
    }
