"""How long the next training may take, so that a search with --time ends in time with all its trials."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeml.search.candidate import Candidate
from edgeml.search.progress import Progress
from edgeml.search.rungs import Rungs
from edgeml.search.settings import Settings
from edgeml.search.spending import Bools, Floats, Spending
from edgeml.train import awake

TRIAL_TIME_SHARE = 1.1
"""With --time, a training may take this many times its share of the time left, then its schedule shrinks."""
LEAST_TRAINING = 0.3
"""Of the typical training: schedules shrink to that, then there are fewer trials than were asked for."""
FURTHER = 0.025
"""Of --time, where nothing else ends a search, for every network that is fully trained: what may be left to
training the front further."""
MOST_FURTHER = 0.5
"""Of --time: the most of it."""
DEAR = 0.1
"""Of --time: a full training that takes more is of a network that is not looked for."""
BY_TIME_ALONE = 8
"""Trials that the time is shared between, at least, where their number is not limited."""


class Pace:
    """The clock of a session.

    Args:
        alone: no other coordinator searches with this one.

    Attributes:
        alone: the same.
        may_leave: nothing but --time ends the search, and what is left of that is for its front.
        leaves: the search is over, because what is left of --time does more for its front (`decide`).
        pays: whether that is so now.
        spending: what trainings take by the network's size.
    """

    def __init__(self, settings: Settings, progress: Progress, rungs: Rungs, alone: bool = True) -> None:
        self._settings, self._progress, self._rungs = settings, progress, rungs
        self.alone, self._until_s = alone, math.inf
        self.may_leave = alone and settings.trials is None and settings.time_s > 0
        self.leaves, self.pays = False, _never
        self._complete = 0
        self._typical: list[float] = []  # seconds of a full training, by each training so far, sorted
        self.spending = Spending()
        self._besides: list[float] = []  # what each took besides: building, converting, measuring

    @property
    def besides_s(self) -> float:
        """Seconds that a training takes besides: building, converting, measuring."""
        return _median(self._besides)

    def time_left_s(self) -> float:
        """Seconds of this session's --time that are left for the search; negative without a limit."""
        left = self.all_left_s()
        return min(0.0, left) if self.leaves else left

    def all_left_s(self) -> float:
        """Seconds of this session's --time that are left; negative without a limit."""
        now = awake.now()
        return min(self._settings.time_s - (now - self._progress.started_at), self._until_s - now)

    def end_within(self, seconds: float) -> None:
        """What follows the search ends after so long, also where more is left of --time."""
        self._until_s = awake.now() + seconds

    def decide(self) -> None:
        """A training is over: the search is too, where the rest of --time does more for its front."""
        share = min(MOST_FURTHER, FURTHER * self._complete)
        late = self.all_left_s() <= share * self._settings.time_s
        if self.may_leave and late and not self.leaves:
            self.leaves = self.pays()

    def weight(self, macs: Floats) -> Floats:
        """MACs, (n,) -> what a gain is divided by: seconds, to a power that falls to 0 with the time.

        At first what is cheap to train, in the end what gains most (cost cooling: Lee et al. 2020).
        """
        power = max(0.0, self.time_left_s() / self._settings.time_s) if self._settings.time_s else 1.0
        return np.asarray(self.spending(macs) ** power)

    def affordable(self, macs: Floats, times: float = 1.0) -> Bools:
        """MACs, (n,) -> whether a full training takes at most `times` DEAR of this session's --time, (n,)."""
        return np.asarray(self.spending(macs) <= times * DEAR * self._settings.time_s)

    def count(self, candidate: Candidate, rows: Sequence[Mapping[str, Any]]) -> None:
        """Trainings of a candidate are done; these are their rows."""
        self._complete += candidate.status == "complete"
        self.spending.count(candidate, rows)
        for row in rows if self._settings.time_s else ():
            if "train_s" in row:
                insort(self._typical, row["train_s"] / max(row["cost"], 1e-9))
                insort(self._besides, row["besides_s"])

    def training_s(self, cost: float, slots: int = 1) -> float:
        """Seconds a training of `cost` full trainings may take: its share of the time left, less the rest.

        0 without --time.
        The time left is that of all `slots` workers; one training has at most that of one.
        """
        if not self._settings.time_s:
            return 0.0
        trials = BY_TIME_ALONE if self._settings.trials is None else self._settings.trials
        left, besides = max(cost, self._rungs.left(trials)), self.besides_s
        share = min(1.0, TRIAL_TIME_SHARE * cost * slots / left) * self.time_left_s() - besides
        return min(max(share, LEAST_TRAINING * cost * _median(self._typical)), self.time_left_s() - besides)

    def over(self, cost: float) -> bool:
        """Whether what is new now could not be fully trained any more, at `cost` full trainings from here."""
        besides = len(self._rungs.ladder.used) * self.besides_s
        return bool(self._settings.time_s) and self.time_left_s() < cost * _median(self._typical) + besides

    def worth_it(self, cost: float) -> bool:
        """Whether there is time for enough of such a training."""
        if not self._settings.time_s:
            return True
        least = LEAST_TRAINING * cost * _median(self._typical)
        return self.time_left_s() - self.besides_s > least


def _never() -> bool:
    return False


def _median(ordered: Sequence[float]) -> float:
    """0 while there is nothing."""
    return ordered[len(ordered) // 2] if ordered else 0.0
