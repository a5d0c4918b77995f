"""Seen: the feasible trials of a strategy's study as arrays, brought up to date before every proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeml.arch.space import Choice
from edgeml.search.surrogate.gaussian import Floats

RUNGS = "rungs"
"""User attribute of a trial: errors by rung, as [[rung, error], ...]; without it, values are full ones."""


class Seen:
    """Feasible trials, in the order of the study.

    Attributes:
        keys: of the networks; the trial's number where it has none.
        at: key -> row.
        errors: by rung.
        costs: shape (n, costs).
        choices: of the space.
    """

    def __init__(self) -> None:
        self._feasible: dict[int, tuple[Any, bool]] = {}
        self._start_over()

    def _start_over(self) -> None:
        self.keys: list[str] = []
        self.at: dict[str, int] = {}
        self.errors: list[dict[int, float]] = []
        self.costs: Floats = np.zeros((0, 1))
        self.choices: list[Mapping[str, Choice]] = []
        self._marks: list[Any] = []

    def forget(self) -> None:
        """The study holds other trials, under other numbers."""
        self._feasible = {}
        self._marks = []

    def read(self, trials: Sequence[Any]) -> int | None:
        """Take up what is new and what was refreshed.

        Returns:
            How many trials were there before; None where they are others now, and all were read.
        """
        for trial in trials:
            mark = _mark(trial)
            known = self._feasible.get(trial.number)
            if known is None or known[0] is not mark:
                self._feasible[trial.number] = mark, not any(v > 0 for v in trial.constraints.values())
        feasible = [trial for trial in trials if self._feasible[trial.number][1]]
        marks = [self._feasible[trial.number][0] for trial in feasible]
        changed = [row for row, (a, b) in enumerate(zip(self._marks, marks, strict=False)) if a is not b]
        there = len(self._marks)
        same = 0 < there <= len(marks) and all(_key(feasible[row]) == self.keys[row] for row in changed)
        if not same:
            self._start_over()
            changed, there = [], 0
        self._marks = marks
        for row in changed:
            self.errors[row] = _errors(feasible[row])
            self.costs[row] = feasible[row].values[1:]
        for trial in feasible[there:]:
            self.at[_key(trial)] = len(self.keys)
            self.keys.append(_key(trial))
            self.errors.append(_errors(trial))
            self.choices.append(trial.params)
        if len(feasible) > there:
            costs = np.array([trial.values[1:] for trial in feasible[there:]], float)
            self.costs = np.concatenate([self.costs, costs]) if there else costs
        return there if same else None

    def window(self, top: int, most: int) -> list[int]:
        """Rows of `most` trials: those on higher rungs, the best by error at every cost, and the latest."""
        count = len(self.keys)
        if count <= most:
            return list(range(count))
        promoted = [row for row, at in enumerate(self.errors) if len(at) > 1 or (top and top in at)]
        order = sorted(range(count), key=lambda row: min(self.errors[row].values()))
        # the best by error in every part of the range of costs, so that cheap ones stay in
        strata = np.argsort(np.argsort(self.costs[:, 0])) * 16 // count
        taken = set(promoted[-most // 2 :])
        rank = [0] * 16
        for row in order:
            rank[strata[row]] += 1
            if rank[strata[row]] <= most // 32:
                taken.add(row)
        recent = (row for row in range(count - 1, -1, -1) if row not in taken)
        taken.update(row for row, _ in zip(recent, range(max(0, most - len(taken))), strict=False))
        return sorted(taken)

    def leaders(self) -> list[int]:
        """Rows near the front of the errors on the highest rungs seen."""
        from edgeml.search.strategy.observed import non_domination_ranks

        if not self.keys:
            return []
        latest = np.array([min(at.values()) for at in self.errors])
        recent = np.argsort(latest)[:200]
        ranks = non_domination_ranks(np.column_stack([latest[recent], self.costs[recent]]))
        return [int(recent[i]) for i in np.flatnonzero(ranks <= 1)]


def _key(trial: Any) -> str:
    return trial.user_attrs.get("key") or str(trial.number)


def _mark(trial: Any) -> Any:
    """An object that is another one once the trial was refreshed."""
    return trial.user_attrs.get(RUNGS) or trial.values


def _errors(trial: Any) -> dict[int, float]:
    """Errors by rung."""
    rungs = trial.user_attrs.get(RUNGS) or [[0, trial.values[0]]]
    return {int(rung): float(error) for rung, error in rungs}
