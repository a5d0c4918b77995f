"""Where a search stands, as state.json and front.json hold it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgeml.search.rungs import correlations

if TYPE_CHECKING:
    from edgeml.search.study import Study


def state(study: Study, status: str) -> dict[str, Any]:
    """What state.json holds."""
    knee = study.archive.knee()
    return {
        "status": status,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z") if status != "running" else None,
        "elapsed_s": study.elapsed_s,
        "time_s": {name: round(value, 3) for name, value in study.seconds.items()},
        "trials": study.progress.trials,
        "failed": study.progress.failed,
        "refused": dict(study.proposer.refused),
        "duplicates_avoided": study.proposer.duplicates,
        "exhausted": study.progress.exhausted,
        "reference_point": study.archive.reference_point(),
        "hypervolume": study.archive.hypervolumes(),
        "knee": knee.key if knee else None,
        "rungs": rung_rows(study),
    }


def front(study: Study) -> dict[str, Any]:
    """What front.json holds."""
    knee = study.archive.knee()
    return {
        "keys": [candidate.key for candidate in study.archive.front()],
        "knee": knee.key if knee else None,
    }


def rung_rows(study: Study) -> list[dict[str, Any]]:
    """One row a rung: what it is, trainings, their cost, and whether it ranks as full training does."""
    candidates = list(study.archive.candidates.values())
    found = {row["rung"]: row for row in correlations(candidates, study.ladder)}
    rows = []
    for index, rung in enumerate(study.ladder.rungs):
        trained = sum(row["rung"] == index for c in candidates for row in c.rungs)
        own = {"rung": index, "epochs": rung.epochs, "trained": trained, "cost": study.rungs.spent[index]}
        rows.append({**own, **found.get(index, {})})
    return rows
