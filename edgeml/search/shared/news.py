"""What others have finished, until their files are here; and who has fallen silent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeml.search.candidate import Candidate
from edgeml.search.shared.folders import Coordinator, Files, Folders

TRY_AGAIN_S = 1.0
MISSING_S = 120.0
"""After so long without its files a candidate is no longer waited for, only looked for now and then."""
SELDOM_S = 30.0


@dataclass
class _Pending:
    candidate: Candidate
    files: Files
    owner: str
    since: float
    tried: float = -TRY_AGAIN_S

    def missing(self, now: float) -> bool:
        return now - self.since > MISSING_S


class Inbox:
    """Results of others on their way here.

    Args:
        me: this coordinator.
        folders: how candidates' files come here.

    Attributes:
        owners: all coordinators of the study by id.
        published: trainings whose results the study has.
    """

    def __init__(self, me: Coordinator, folders: Folders) -> None:
        self.owners: dict[str, Coordinator] = {me.id: me}
        self.published: set[tuple[str, int]] = set()
        self._me, self._folders = me, folders
        self._rungs: dict[str, int] = {}
        self._pending: dict[str, _Pending] = {}

    def have(self, candidate: Candidate) -> None:
        """A candidate is in this run directory, as trained on its rung."""
        self._rungs[candidate.key] = max(candidate.rung, self._rungs.get(candidate.key, -1))

    def put(self, rows: Iterable[Any]) -> None:
        """Rows of results, in their order."""
        now = time.monotonic()
        for row in rows:
            self.published.add((row.key, row.rung))
            if row.rung <= self._rungs.get(row.key, -1):
                continue
            candidate = Candidate.from_dict(json.loads(row.candidate), f"result {row.key} of the study")
            self._pending[row.key] = _Pending(candidate, json.loads(row.files), row.coordinator, now)

    def take(self) -> list[Candidate]:
        """Candidates whose files have come, by trial number."""
        now, found = time.monotonic(), []
        for key, one in list(self._pending.items()):
            if now - one.tried < (SELDOM_S if one.missing(now) else TRY_AGAIN_S):
                continue
            one.tried = now
            if any(self._folders.get(one.candidate, one.files, owner) for owner in self._who_has(one)):
                del self._pending[key]
                self.have(one.candidate)
                found.append(one.candidate)
        return sorted(found, key=lambda candidate: candidate.number)

    def _who_has(self, one: _Pending) -> list[Coordinator]:
        """Who trained it, then the others, who have taken it up."""
        first = [self.owners[one.owner]] if one.owner in self.owners else []
        rest = [owner for owner in self.owners.values() if owner.id not in (one.owner, self._me.id)]
        return first + rest

    def trainings(self) -> set[tuple[str, int]]:
        """What is on its way."""
        return {(key, one.candidate.rung) for key, one in self._pending.items()}

    @property
    def expects(self) -> bool:
        """Whether something is on its way that is likely to come."""
        now = time.monotonic()
        return any(not one.missing(now) and one.owner != self._me.id for one in self._pending.values())

    def unreachable(self) -> list[Coordinator]:
        """Owners of what is on its way whose files cannot be read here."""
        owners = {one.owner for one in self._pending.values()}
        return [
            self.owners[i] for i in owners if i in self.owners and not self._folders.reaches(self.owners[i])
        ]


class Silence:
    """Who has not shown a sign of life, judged by this computer's steady clock alone.

    Args:
        after_s: seconds without a beat, in which the database was seen all the time.

    Attributes:
        silent: ids of coordinators.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self.silent: frozenset[str] = frozenset()
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked: float | None = None

    def see(self, beats: Mapping[str, int], now: float | None = None) -> None:
        """Take note of how often each has given a sign of life."""
        now = time.monotonic() if now is None else now
        if self._looked is None or now - self._looked > self.after_s / 2:
            self._seen = {}  # this process was stopped, or the database away: they may have been too
        self._looked = now
        for one, count in beats.items():
            if one not in self._seen or self._seen[one][0] != count:
                self._seen[one] = count, now
        self.silent = frozenset(
            one for one in beats if one in self._seen and now - self._seen[one][1] >= self.after_s
        )

    def interrupted(self) -> None:
        """The database could not be seen: nobody could give a sign of life either."""
        self._looked, self.silent = None, frozenset()
