"""Surrogate: errors seen so far, on any rung -> the full-training error of any architecture, with its spread.

Two Gaussian processes, as in co-kriging (Kennedy & O'Hagan 2000): one for the lowest rung over everything
tried, one for what full training changes, over what was fully trained, around a line between the two. They
work in the logarithm of what an error is above a floor, so that a few bad networks do not take up the scale.
A measured low-rung value is itself noisy (one seed, few epochs), so it counts half and what the first process
says of its neighbourhood counts half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgeml.search.gaussian import Floats, GaussianProcess, typical_square

TRUST = 0.5
"""Weight of a measured low-rung value against the neighbourhood's: .985 against .974 of the hypervolume at
cost 25 of NAS-Bench-201 on a Raspberry Pi 4 with 1, four seeds."""
LEAST_ERROR = 2e-3
FLOOR = 0.8
"""Of the least error seen on a rung. With networks' depths among the features and later promotions: .9894
against .9853 of the hypervolume at cost 25, means of five NAS-Bench-201 tasks and seven seeds."""
BOLD = 0.7
"""Factor on deviations where a lower rung tries things cheaply: full trainings go to what looks best. Factors
2, 1.5, 1 and 0.7 reached .981, .984, .986 and .987 at cost 25 (the same five tasks, three seeds)."""
ENOUGH = 3
"""Full trainings before the second process is fitted."""
UNKNOWN = 0.15
"""Deviation of the logarithm that full training adds before that."""
TUNE_GROWTH = 1.2
"""Length scales are chosen anew when there are so many times more observations."""


class Surrogate:
    """Predicts full errors; `fit` with everything observed, then ask for known rows or for new vectors."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._first: GaussianProcess | None = None
        self._second: GaussianProcess | None = None
        self._tuned_at = self._tuned_full_at = 0.0
        self._line = (0.0, 0.0, 1.0)
        self._full_spread = UNKNOWN
        self._low: Floats = np.zeros(0)
        self._x: Floats = np.zeros((0, 0))
        self._floor: dict[int, float] = {}

    def fit(self, x: Floats, errors: Sequence[Mapping[int, float]], scale: float | None = None) -> None:
        """Take up all observations.

        Args:
            x: vectors, (n, d).
            errors: by rung, for every row; at least one rung each.
            scale: typical squared distance; of the rows themselves where None.
        """
        for at in errors:
            for rung, error in at.items():
                self._floor[rung] = min(self._floor.get(rung, math.inf), FLOOR * max(error, LEAST_ERROR))
        logs = [
            {rung: math.log(max(e, LEAST_ERROR) - self._floor[rung]) for rung, e in at.items()}
            for at in errors
        ]
        base = np.array([at[min(at)] for at in logs])
        if self._first is None:
            typical = scale or typical_square(x)
            self._first, self._second = GaussianProcess(typical), GaussianProcess(typical)
        tune = len(x) >= self._tuned_at * TUNE_GROWTH
        if tune:
            self._tuned_at = len(x)
        self._first.fit(x, base, tune)
        self._x = x
        self._low = TRUST * self._best_known(logs, base) + (1 - TRUST) * self._first.mean(x)
        rows = [row for row, at in enumerate(logs) if self._top in at]
        full = np.array([logs[row][self._top] for row in rows])
        if not self._top:
            self._line, self._full_spread = (0.0, 0.0, 1.0), 0.0
        elif len(rows) < ENOUGH:
            offset = float((full - self._low[rows]).mean()) if rows else 0.0
            self._line, self._full_spread = (0.0, offset, 1.0), UNKNOWN
        else:
            self._fit_change(x[rows], self._low[rows], full)

    def _best_known(self, logs: Sequence[Mapping[int, float]], base: Floats) -> Floats:
        """Values of the highest rung below the top, moved to the level of the lowest rung."""
        known = base.copy()
        for rung in range(1, self._top):
            rows = [row for row, at in enumerate(logs) if rung in at and min(at) < rung]
            if rows:
                values = np.array([logs[row][rung] for row in rows])
                known[rows] = values - values.mean() + base[rows].mean()
        return known

    def _fit_change(self, x: Floats, low: Floats, full: Floats) -> None:
        """A line through (low, full), its slope drawn towards 1, and a process for what is left."""
        assert self._second is not None
        middle, level = float(low.mean()), float(full.mean())
        spread = float(((low - middle) ** 2).sum())
        slope = (float((low - middle) @ (full - level)) + 0.5) / (spread + 0.5)
        self._line, self._full_spread = (middle, level, slope), 0.0
        tune = len(full) >= self._tuned_full_at * TUNE_GROWTH
        if tune:
            self._tuned_full_at = len(full)
        self._second.fit(x, full - level - slope * (low - middle), tune)

    def known(self, rows: Floats | Sequence[int]) -> tuple[Floats, Floats]:
        """Rows of `fit` -> (expected full error, its deviation); for those not fully trained yet."""
        index = np.asarray(rows, int)
        assert self._first is not None
        return self._full(self._x[index], self._low[index], (1 - TRUST) * self._first.spread(self._x[index]))

    def new(self, x: Floats) -> tuple[Floats, Floats]:
        """Vectors (m, d) -> (expected full error, its deviation)."""
        assert self._first is not None
        return self._full(x, self._first.mean(x), self._first.spread(x))

    def rough(self, x: Floats) -> Floats:
        """Vectors (m, d) -> expected full error, without the deviation, which costs most."""
        assert self._first is not None
        return self._level(x, self._first.mean(x))

    def _level(self, x: Floats, low: Floats) -> Floats:
        middle, level, slope = self._line
        change = self._second.mean(x) if self._second is not None and self._fitted_change else 0.0
        return np.asarray(np.exp(level + slope * (low - middle) + change)) + self._top_floor

    @property
    def _top_floor(self) -> float:
        """Of full training; of the lowest rung while nothing is fully trained, as the errors then are."""
        return self._floor.get(self._top, self._floor[min(self._floor)])

    @property
    def _fitted_change(self) -> bool:
        return bool(self._top) and self._full_spread == 0.0

    def _full(self, x: Floats, low: Floats, spread: Floats) -> tuple[Floats, Floats]:
        mean = self._level(x, low)
        change: Floats | float = self._full_spread
        if self._fitted_change:
            assert self._second is not None
            change = self._second.spread(x)
        relative = (BOLD if self._top else 1.0) * np.sqrt((self._line[2] * spread) ** 2 + np.square(change))
        return mean, (mean - self._top_floor) * relative
