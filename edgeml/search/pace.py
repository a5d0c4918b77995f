"""How long the next training may take, so that a search with --time ends in time with all its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from edgeml.search.candidate import Candidate
from edgeml.search.progress import Progress
from edgeml.search.rungs import Rungs
from edgeml.search.settings import Settings

TRIAL_TIME_SHARE = 1.1
"""With --time, a training may take this many times its share of the time left, then its schedule shrinks."""
LEAST_TRAINING = 0.3
"""Of the typical training: schedules shrink to that, then there are fewer trials than were asked for."""
BY_TIME_ALONE = 8
"""Trials that the time is shared between, at least, where their number is not limited."""


class Pace:
    """The clock of a session."""

    def __init__(self, settings: Settings, progress: Progress, rungs: Rungs) -> None:
        self._settings, self._progress, self._rungs = settings, progress, rungs

    def time_left_s(self) -> float:
        """Seconds of this session's --time that are left; negative without a limit."""
        return self._settings.time_s - (time.monotonic() - self._progress.started_at)

    def training_s(self, cost: float, candidates: Iterable[Candidate], slots: int = 1) -> float:
        """Seconds a training of `cost` full trainings may take: its share of the time left, less the rest.

        The time left is that of all `slots` workers; one training has at most that of one.
        """
        rows = list(candidates)
        trials = BY_TIME_ALONE if self._settings.trials is None else self._settings.trials
        left, besides = max(cost, self._rungs.left(trials)), _besides_s(rows)
        share = min(1.0, TRIAL_TIME_SHARE * cost * slots / left) * self.time_left_s() - besides
        return min(max(share, LEAST_TRAINING * cost * _typical_s(rows)), self.time_left_s() - besides)

    def over(self, cost: float, candidates: Iterable[Candidate]) -> bool:
        """Whether what is new now could not be fully trained any more, at `cost` full trainings from here."""
        return bool(self._settings.time_s) and self.time_left_s() < cost * _typical_s(candidates)

    def worth_it(self, cost: float, candidates: Iterable[Candidate]) -> bool:
        """Whether there is time for enough of such a training."""
        if not self._settings.time_s:
            return True
        rows = list(candidates)
        return self.time_left_s() - _besides_s(rows) > LEAST_TRAINING * cost * _typical_s(rows)


def _typical_s(candidates: Iterable[Candidate]) -> float:
    """Seconds of a full training, by all trainings so far; 0 while there is none."""
    return _median(candidates, lambda row: row["train_s"] / max(row["cost"], 1e-9))


def _besides_s(candidates: Iterable[Candidate]) -> float:
    """Seconds that a training takes besides: building, converting, measuring."""
    return _median(candidates, lambda row: row["besides_s"])


def _median(candidates: Iterable[Candidate], of: Callable[[dict[str, float]], float]) -> float:
    """Over all trainings; 0 while there is none."""
    values = sorted(of(row) for candidate in candidates for row in candidate.rungs if "train_s" in row)
    return values[len(values) // 2] if values else 0.0
