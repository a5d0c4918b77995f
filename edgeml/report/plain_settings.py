"""Runs -> the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeml.report.run_files import RunFiles


def differing(runs: Sequence[RunFiles]) -> dict[str, list[Any]]:
    """Setting -> its value in each run, where they are not all alike; None where a run has none."""
    known = [_settings(run) for run in runs]
    names = dict.fromkeys(name for one in known for name in one)
    return {
        name: [one.get(name) for one in known]
        for name in names
        if any(one.get(name) != known[0].get(name) for one in known)
    }


def _settings(run: RunFiles) -> dict[str, Any]:
    """What was asked, the version, and the ladder that was used."""
    ladder = run.run.get("ladder") or {}
    return {
        **(run.run.get("settings") or {}),
        "edgeml": run.run.get("edgeml"),
        "ladder": ladder.get("name"),
        "cpu": (run.run.get("host") or {}).get("cpu"),
    }
