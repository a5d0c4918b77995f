"""Trials of an Optuna study as arrays, and which of them are best: what the learning strategies read.

A trial's values may change in place when it is trained further, so everything is read anew for every trial
that is asked for; what is expensive, the order of the best, is kept and only merged with what changed.
Constraints are read again where the trial's values, or the trial as an object, changed.
"""

from __future__ import annotations

from itertools import chain
from operator import is_
from typing import TYPE_CHECKING

import numpy as np

from edgeml.arch.space import Choice, Space

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

POOL = 256
"""Trials that stay in the running for the best; a merge compares all pairs, 2 ms."""
LARGEST = 1e100
"""Objectives beyond are cut, so that spans and sums stay finite."""


class Observed:
    """What a study knows at the moment a trial is asked for.

    Attributes:
        complete: finished trials that hold every decision, in the order in which they were seen; n of them.
        running: trials in training that hold every decision.
        values: objectives, all minimised, shape (n, objectives).
        excess: sum of the constraints' violations, 0 where feasible, shape (n,).
        indices: choice of every decision as an index, small before large, shape (n, decisions).
        retries: how often the same trial was asked for again because its proposals were refused.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.complete: list[FrozenTrial] = []
        self.running: list[FrozenTrial] = []
        self.retries = 0
        self._study: Study | None = None
        self._asked = -1
        self._places = [{choice: i for i, choice in enumerate(d.choices)} for d in space.decisions]
        self._forget()

    def _forget(self) -> None:
        self.complete, self.running = [], []
        self.values = np.zeros((0, 1))
        self.excess = np.zeros(0)
        self.indices = np.zeros((0, len(self.space.decisions)), dtype=np.intp)
        self._numbers: list[int] = []
        self._open: list[int] = []
        self._looked_at = 0
        self._pool = np.zeros(0, dtype=np.intp)
        self._ranks = np.zeros(0, dtype=np.intp)

    def read(self, study: Study, trial: FrozenTrial) -> None:
        """Bring everything up to date for a trial that is asked for.

        Args:
            study: whose trials hold one value per objective, minimised, and their constraints.
            trial: asked for; the same number as before means that the last proposal was refused.
        """
        from optuna.trial import TrialState

        if study is self._study and trial.number == self._asked:
            self.retries += 1
            return
        trials = study.get_trials(deepcopy=False)
        if study is not self._study or len(trials) < self._looked_at:
            self._forget()
        self._study, self._asked, self.retries = study, trial.number, 0
        looked = [*self._open, *range(self._looked_at, len(trials))]
        self._looked_at = len(trials)
        self._open = [number for number in looked if not trials[number].state.is_finished()]
        names = len(self._places)
        self._numbers += [
            number
            for number in looked
            if trials[number].state == TrialState.COMPLETE and len(trials[number].params) >= names
        ]
        self.running = [trials[number] for number in self._open if len(trials[number].params) >= names]
        self._take([trials[number] for number in self._numbers])

    def _take(self, complete: list[FrozenTrial]) -> None:
        before, count, known = len(self.complete), len(complete), self.complete
        self.complete = complete
        if not count:
            return
        flat = chain.from_iterable(t.values for t in complete)
        values = np.fromiter(flat, dtype=float).reshape(count, -1).clip(-LARGEST, LARGEST)
        changed = np.ones(count, dtype=bool)
        if before:
            same = np.fromiter(map(is_, complete, known), dtype=bool, count=before)
            changed[:before] = ~same | (values[:before] != self.values).any(axis=1)
        fresh = np.flatnonzero(changed)
        self.values = values
        self.excess = np.concatenate([self.excess, np.zeros(count - before)])
        self.excess[fresh] = [_excess(complete[row]) for row in fresh]
        if count > before:
            new = [self.to_indices(t.params) for t in complete[before:]]
            self.indices = np.concatenate([self.indices, np.array(new, dtype=np.intp)])
        self._merge(fresh)

    def _merge(self, fresh: np.ndarray) -> None:
        """Put changed rows into the pool of the best, some at a time."""
        stays = self._pool[~np.isin(self._pool, fresh)]
        for start in range(0, len(fresh), POOL):
            rows = np.concatenate([stays, fresh[start : start + POOL]])
            ranks = constrained_ranks(self.values[rows], self.excess[rows])
            kept = best_rows(ranks, self.values[rows], POOL)
            stays, self._ranks = rows[kept], ranks[kept]
        self._pool = stays

    def best(self, count: int) -> np.ndarray:
        """Rows of the best trials, at most `count` (and POOL): by front, then by crowding distance.

        Infeasible trials come after all feasible ones, by how much they break.
        """
        return np.asarray(self._pool[best_rows(self._ranks, self.values[self._pool], count)])

    def front(self) -> np.ndarray:
        """Rows of the front, at most POOL; where nothing is feasible, the row that breaks least."""
        return np.asarray(self._pool[self._ranks == 0])

    def to_indices(self, choices: dict[str, Choice]) -> list[int]:
        """Choices -> index of every decision's choice."""
        pairs = zip(self.space.decisions, self._places, strict=True)
        return [place[choices[decision.name]] for decision, place in pairs]

    def to_choices(self, indices: np.ndarray) -> dict[str, Choice]:
        """Index of every decision's choice -> choices."""
        pairs = zip(self.space.decisions, indices.tolist(), strict=True)
        return {decision.name: decision.choices[index] for decision, index in pairs}


def _excess(trial: FrozenTrial) -> float:
    return min(LARGEST, sum(amount for amount in trial.constraints.values() if amount > 0))


def constrained_ranks(values: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Constrained non-domination (Deb et al. 2002): feasible ones by front, then infeasible ones by excess.

    Args:
        values: minimised, shape (n, objectives).
        excess: 0 where feasible, shape (n,).

    Returns:
        Rank from 0, shape (n,); equal points share one.
    """
    ranks = np.zeros(len(values), dtype=np.intp)
    feasible = excess <= 0
    ranks[feasible] = non_domination_ranks(values[feasible])
    amounts, order = np.unique(excess[~feasible], return_inverse=True)
    if len(amounts):
        ranks[~feasible] = order + (ranks[feasible].max() + 1 if feasible.any() else 0)
    return ranks


def non_domination_ranks(values: np.ndarray) -> np.ndarray:
    """Rank of every point: 0 on the front, 1 on the front without it, and so on; shape (n,).

    Compares all pairs: n**2 bytes.
    """
    count = len(values)
    no_worse = np.ones((count, count), dtype=bool)
    for column in values.T:
        no_worse &= column[:, None] <= column[None, :]
    dominates = no_worse & ~no_worse.T
    dominators = dominates.sum(axis=0)
    ranks = np.full(count, -1, dtype=np.intp)
    rank = 0
    while (ranks < 0).any():
        members = (ranks < 0) & (dominators == 0)
        ranks[members] = rank
        dominators = dominators - dominates[members].sum(axis=0)
        rank += 1
    return ranks


def crowding(values: np.ndarray) -> np.ndarray:
    """Crowding distance (Deb et al. 2002) of points of one front, shape (n,); extremes are infinite."""
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / (span if span > 0 else 1.0)
        distance[order[[0, -1]]] = np.inf
    return distance


def best_rows(ranks: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Positions of the first `count` by rank; of the rank that does not fit, the least crowded."""
    order = np.argsort(ranks, kind="stable")
    if len(order) <= count:
        return order
    last = ranks[order[count]]
    inside = order[ranks[order] < last]
    tied = order[ranks[order] == last]
    sparse = np.argsort(-crowding(values[tied]), kind="stable")
    return np.concatenate([inside, tied[sparse[: count - len(inside)]]])
