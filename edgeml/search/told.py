"""What a strategy is told about a candidate: its objectives as they are, or as full training would make them.

A candidate on a lower rung, or stopped by its learning curve, is told with its expected full accuracy; one
that breaks a limit, with its costs, the error of guessing where it was not trained, and what it breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgeml.search.archive.archive import Archive
from edgeml.search.archive.row import Row
from edgeml.search.asking import Asker, Told
from edgeml.search.candidate import Candidate
from edgeml.target.limits import Limits, violations

GRID = 65


class Teller:
    """Candidates of one run -> objectives to be minimised."""

    def __init__(self, archive: Archive, limits: Limits, top: int) -> None:
        self._archive, self._limits, self._top = archive, limits, top
        self._grids: dict[int, np.ndarray] = {}

    def told(self, key: str) -> tuple[Candidate, Told]:
        """A candidate, and what strategies and readers are told of it."""
        candidate = self._archive.candidates[key]
        return candidate, (self.values(candidate), self.broken(candidate))

    def refresh(self, asker: Asker, candidate: Candidate) -> None:
        """Bring the strategy's study in line after a promotion, which changes what others promise too."""
        self.learn(asker)
        values = self.values(candidate)
        if values is not None:
            asker.refresh(candidate, values, self.broken(candidate))
        if asker.needs_expected:
            waiting = [row for rung in range(self._top) for row in self._archive.waiting(rung)]
            asker.revalue(self.of_waiting(waiting))

    def learn(self, asker: Asker) -> None:
        """Fit what full training makes of each rung's accuracy, for strategies that read values."""
        from edgeml.train.curve_rungs import RungModel

        for rung in range(self._top if asker.needs_expected else 0):
            model = RungModel(self._archive.tally.pairs(rung, self._top))
            self._grids[rung] = np.array([model.predict(x).mean for x in np.linspace(0, 1, GRID)])

    def values(self, candidate: Candidate) -> tuple[float, ...] | None:
        """(error, cost, ...); None where the candidate failed or lacks a measurement."""
        if candidate.status == "complete":
            return candidate.point(self._archive.objectives)
        if candidate.status == "infeasible":  # without a broken limit its workers died on it
            return self._infeasible(candidate) if self.broken(candidate) else None
        scores = candidate.scores(self._archive.objectives)
        if candidate.status != "stopped" or scores is None:
            return None
        return (1 - self._expected(candidate), *scores[1:])

    def of_waiting(self, rows: Iterable[Row]) -> dict[str, tuple[float, ...]]:
        """Values of candidates that wait for their next rung, by key; many at once."""
        known = [row for row in rows if row.scores is not None]
        expected = np.array([row.accuracy for row in known], float)
        rungs = np.array([row.rung for row in known], int)
        for rung, grid in self._grids.items():
            here = rungs == rung
            expected[here] = np.interp(expected[here], np.linspace(0, 1, GRID), grid)
        found = {}
        for row, value in zip(known, expected.tolist(), strict=True):
            assert row.scores is not None
            found[row.key] = (1 - (value if row.expected is None else row.expected), *row.scores[1:])
        return found

    def broken(self, candidate: Candidate) -> Mapping[str, float]:
        """Relative excess of every limit that the candidate breaks."""
        costs = {name: float(figure["value"]) for name, figure in candidate.metrics.items()}
        return violations(costs, self._limits)

    def _expected(self, candidate: Candidate) -> float:
        last = candidate.rungs[-1] if candidate.rungs else {}
        if "expected" in last:
            return float(last["expected"])
        accuracy = float(candidate.accuracy or 0.0)
        if candidate.rung not in self._grids:
            return accuracy
        return float(np.interp(accuracy, np.linspace(0, 1, GRID), self._grids[candidate.rung]))

    def _infeasible(self, candidate: Candidate) -> tuple[float, ...]:
        error = self._archive.chance_error if candidate.accuracy is None else 1 - candidate.accuracy
        worst = self._archive.reference_point()
        costs = []
        for axis, name in enumerate(self._archive.objectives, start=1):
            known = candidate.metrics.get(name, {}).get("value")
            costs.append(float(known if known is not None else worst[axis] if axis < len(worst) else 1e9))
        return (error, *costs)
