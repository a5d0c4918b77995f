"""Compared -> plain values for scripts."""

from __future__ import annotations

from typing import Any

from edgeml.report.compare import Compared, kinds
from edgeml.report.compare_fronts import best, chance_error, rescored
from edgeml.report.plain_settings import differing
from edgeml.report.run_files import RunFiles


def cpu_seconds(run: RunFiles) -> float | None:
    """CPU seconds of all trainings; None where none was counted."""
    own = [row.get("cpu_s") for c in run.trials for row in (*c.rungs, *c.further)]
    known = [float(value) for value in own if value is not None]
    return sum(known) if known else None


def to_json(found: Compared) -> dict[str, Any]:
    """Compared -> plain values: runs, notes, hypervolume, under, settings.

    Scores are 0..1 on the first run's scale, which `metric` tells (an error is (1 - score) * baseline).
    """
    runs = []
    for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True)):
        runs.append(
            {
                "name": name,
                "path": str(run.path),
                "targets": [t.get("name") for t in run.run.get("targets") or ()],
                "trials": len(run.trials),
                "trained_fully": sum(c.status == "complete" for c in run.trials),
                "front": len(run.front),
                "elapsed_s": run.state.get("elapsed_s"),
                "cpu_s": cpu_seconds(run),
                "best": _best(run, found.runs[0]),
                "hypervolume": {cost: found.hypervolume(cost, index) for cost in found.costs},
            }
        )
    under = [
        {
            "cost": cost,
            "highest": highest,
            "best": [
                None
                if (p := found.best_under(cost, highest, i)) is None
                else {"key": p[0].key, "score": p[2]}
                for i in range(len(runs))
            ],
        }
        for cost, highest in found.under
    ]
    references = {cost: [chance_error(found.runs[0]), top] for cost, top in found.references.items()}
    settings = differing(found.runs)
    return {
        "metric": dict(found.runs[0].metric),
        "runs": runs,
        "references": references,
        "kinds": {cost: kinds(found, cost) for cost in found.costs},
        "under": under,
        "settings": settings,
        "notes": list(found.notes),
    }


def _best(run: RunFiles, first: RunFiles) -> dict[str, Any]:
    found = best(run)
    test = found.test_accuracy
    ends = {name: rescored(run, test[name], first) for name in ("value", "low", "high")} if test else {}
    score = None if found.accuracy is None else rescored(run, found.accuracy, first)
    return {"key": found.key, "score": score, "test": {**test, **ends} if test else None}
