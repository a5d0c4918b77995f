"""Where a search stands, as state.json and front.json hold it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgeml.search.rungs import correlations

if TYPE_CHECKING:
    from edgeml.search.study import Study

EVERY_S = 1.0
"""Between two writings of state.json while a search runs, at least."""
SHARE = 20
"""Writing it takes this part of the time at most."""


class Turns:
    """When state.json is written while a search runs.

    Attributes:
        owed: there is something new that was not written.
    """

    def __init__(self) -> None:
        self.owed = False
        self._next = 0.0

    def now(self) -> bool:
        """Whether it is time; if not, it is owed."""
        self.owed = time.monotonic() < self._next
        return not self.owed

    def skip(self) -> None:
        """What is owed is written at once."""
        self._next = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """It is written now."""
        began = time.monotonic()
        yield
        self.owed = False
        ended = time.monotonic()
        self._next = ended + max(EVERY_S, SHARE * (ended - began))


def state(study: Study, status: str) -> dict[str, Any]:
    """What state.json holds."""
    knee = study.archive.knee()
    return {
        "status": status,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z") if status != "running" else None,
        "elapsed_s": study.progress.elapsed_s,
        "searched_s": study.progress.searched_s,
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
    tally = study.archive.tally
    found = {row["rung"]: row for row in correlations(tally.pairs, study.ladder)}
    rows = []
    for index, rung in enumerate(study.ladder.used, study.ladder.first):
        trained, cost = tally.trained[index], study.rungs.spent[index]
        own = {"rung": index, "epochs": rung.epochs, "trained": trained, "cost": cost}
        rows.append({**own, **found.get(index, {})})
    return rows
