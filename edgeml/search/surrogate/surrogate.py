"""Surrogate: errors seen so far, on any rung -> the full-training error of any architecture, with its spread.

Two Gaussian processes, as in co-kriging (Kennedy & O'Hagan 2000): one for the lowest rung over everything
tried, one for what full training changes, over what was fully trained, around a line between the two. They
work in the logarithm of what an error is above a floor, so that a few bad networks do not take up the scale.
A measured low-rung value is itself noisy (one seed, few epochs), so it counts half and what the first process
says of its neighbourhood counts half.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from edgeml.search.surrogate.gaussian import Floats, Followed, GaussianProcess, typical_square

TRUST = 0.5
"""Weight of a measured low-rung value against the neighbourhood's: .985 against .974 of the hypervolume at
cost 25 of NAS-Bench-201 on a Raspberry Pi 4 with 1, four seeds."""
LEAST_ERROR = 2e-3
FLOOR = 0.8
"""Of the least error seen on a rung. With networks' depths among the features and later promotions: .9894
against .9853 of the hypervolume at cost 25, means of five NAS-Bench-201 tasks and seven seeds."""
ROOM = 0.01
"""So much less is always thought possible: at 99 % a search else sees no use in larger networks."""
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
    """Predicts full errors of points by key; `fit` with everything observed first.

    Args:
        top: index of the highest rung.
        vectors: keys of points -> their vectors, (m, d).
    """

    def __init__(self, top: int, vectors: Callable[[Sequence[str]], Floats]) -> None:
        self._top, self._vectors = top, vectors
        self._processes: list[GaussianProcess] = []
        self._points: list[Followed] = []
        self._tuned_at = self._tuned_full_at = 0.0
        self._line = (0.0, 0.0, 1.0)
        self._full_spread = UNKNOWN
        self._low: dict[str, float] = {}
        self._full_keys: dict[str, None] = {}
        self._floor: dict[int, float] = {}

    def fit(self, keys: Sequence[str], errors: Sequence[Mapping[int, float]]) -> None:
        """Take up all observations; those that come after the ones of the last fit cost little.

        Args:
            keys: of points.
            errors: by rung, for every point; at least one rung each.
        """
        for at in errors:
            for rung, error in at.items():
                self._floor[rung] = min(self._floor.get(rung, math.inf), _floor(max(error, LEAST_ERROR)))
        logs = [
            {rung: math.log(max(e, LEAST_ERROR) - self._floor[rung]) for rung, e in at.items()}
            for at in errors
        ]
        base = np.array([at[min(at)] for at in logs])
        x = self._vectors(keys)
        if not self._processes:
            typical = typical_square(x)
            self._processes = [GaussianProcess(typical), GaussianProcess(typical)]
            self._points = [Followed(process, self._vectors) for process in self._processes]
        tune = len(x) >= self._tuned_at * TUNE_GROWTH
        if tune:
            self._tuned_at = len(x)
        self._processes[0].fit(x, base, tune)
        low = TRUST * self._best_known(logs, base) + (1 - TRUST) * self._points[0].mean(keys)
        self._low = dict(zip(keys, low.tolist(), strict=True))
        self._fit_full(dict(zip(keys, logs, strict=True)))

    def _fit_full(self, logs: Mapping[str, Mapping[int, float]]) -> None:
        """What full training changes, from what was fully trained, in the order in which that was seen."""
        there = {key: None for key, at in logs.items() if self._top in at}
        self._full_keys = {key: None for key in self._full_keys if key in there} | there
        keys = list(self._full_keys)
        full = np.array([logs[key][self._top] for key in keys])
        low = np.array([self._low[key] for key in keys])
        if not self._top:
            self._line, self._full_spread = (0.0, 0.0, 1.0), 0.0
        elif len(keys) < ENOUGH:
            offset = float((full - low).mean()) if keys else 0.0
            self._line, self._full_spread = (0.0, offset, 1.0), UNKNOWN
        else:
            self._fit_change(self._vectors(keys), low, full)

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
        middle, level = float(low.mean()), float(full.mean())
        spread = float(((low - middle) ** 2).sum())
        slope = (float((low - middle) @ (full - level)) + 0.5) / (spread + 0.5)
        self._line, self._full_spread = (middle, level, slope), 0.0
        tune = len(full) >= self._tuned_full_at * TUNE_GROWTH
        if tune:
            self._tuned_full_at = len(full)
        self._processes[1].fit(x, full - level - slope * (low - middle), tune)

    def known(self, keys: Sequence[str]) -> tuple[Floats, Floats]:
        """Points of `fit` that are not fully trained yet -> (expected full error, its deviation)."""
        return self._full(keys, self._measured(keys), (1 - TRUST) * self._points[0].spread(keys))

    def expected(self, keys: Sequence[str]) -> Floats:
        """The same without the deviation."""
        return self._level(keys, self._measured(keys))

    def new(self, keys: Sequence[str]) -> tuple[Floats, Floats]:
        """Other points -> (expected full error, its deviation)."""
        return self._full(keys, self._points[0].mean(keys), self._points[0].spread(keys))

    def forget(self, stay: Collection[str]) -> None:
        """Drop what is held of points but these."""
        for points in self._points:
            points.forget(stay)

    def _measured(self, keys: Sequence[str]) -> Floats:
        return np.array([self._low[key] for key in keys])

    def _level(self, keys: Sequence[str], low: Floats) -> Floats:
        middle, level, slope = self._line
        change = self._points[1].mean(keys) if self._fitted_change else 0.0
        return np.asarray(np.exp(level + slope * (low - middle) + change)) + self._top_floor

    @property
    def _top_floor(self) -> float:
        """Of full training; of the lowest rung while nothing is fully trained, as the errors then are."""
        return self._floor.get(self._top, self._floor[min(self._floor)])

    @property
    def _fitted_change(self) -> bool:
        return bool(self._top) and self._full_spread == 0.0

    def _full(self, keys: Sequence[str], low: Floats, spread: Floats) -> tuple[Floats, Floats]:
        mean = self._level(keys, low)
        change: Floats | float = self._full_spread
        if self._fitted_change:
            change = self._points[1].spread(keys)
        relative = (BOLD if self._top else 1.0) * np.sqrt((self._line[2] * spread) ** 2 + np.square(change))
        return mean, (mean - self._top_floor) * relative


def _floor(error: float) -> float:
    """Error of a network -> what no network is thought to get below."""
    return max(0.0, min(FLOOR * error, error - ROOM))
