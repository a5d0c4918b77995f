"""Tally: what a search counts over all of its trainings, kept up training by training."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeml.search.archive.row import Row
from edgeml.search.candidate import Candidate
from edgeml.search.rungs import accuracies

CURVES = 60
"""Completed learning curves of a rung that a training is compared with: those of the latest trials."""
MOST = 1_000
"""Trials that others may inherit from, of which the numbers are held; few of them lose their weights."""
PAIRS = 2_000
"""Candidates that say what full training makes of a rung's accuracy: the latest trials."""


class Tally:
    """Counts over candidates and trainings; a training is counted once, however often its candidate is kept.

    Attributes:
        statuses: candidates by status.
        ended: candidates whose learning curve ended a training.
        trained: trainings by rung.
        best: best accuracy by rung.
        waiting: candidates that may be trained further, by the rung that they are done with.
        reached: candidates by the highest rung that they were trained on.
        seconds: spent on all candidates.
    """

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.ended = 0
        self.trained: Counter[int] = Counter()
        self.best: dict[int, float] = {}
        self.waiting: Counter[int] = Counter()
        self.reached: Counter[int] = Counter()
        self.seconds = 0.0
        self._curves: dict[int, list[tuple[int, tuple[float, ...]]]] = {}
        self._both: dict[int, list[tuple[int, Mapping[int, float]]]] = {}

    def count(self, old: Row | None, new: Row, candidate: Candidate) -> None:
        """A candidate is there, or is known anew."""
        if old is not None:
            self._add(old, -1)
        self._add(new, 1)
        for row in candidate.rungs[old.rungs if old else 0 :]:
            self._training(candidate, row)

    def _add(self, row: Row, sign: int) -> None:
        self.statuses[row.status] += sign
        self.ended += sign * row.ended
        self.seconds += sign * row.seconds
        if row.waiting:
            self.waiting[row.rung] += sign
        if row.rungs:
            self.reached[row.rung] += sign

    def _training(self, candidate: Candidate, row: Mapping[str, Any]) -> None:
        rung, accuracy = int(row["rung"]), row.get("accuracy")
        self.trained[rung] += 1
        if accuracy is not None:
            self.best[rung] = max(self.best.get(rung, 0.0), float(accuracy))
        if row.get("stopped"):
            return
        if row.get("curve"):
            curves = self._curves.setdefault(rung, [])
            insort(curves, (candidate.number, tuple(row["curve"])))
            del curves[:-CURVES]
        if rung and accuracy is not None:
            both = self._both.setdefault(rung, [])
            insort(both, (candidate.number, accuracies(candidate)), key=lambda pair: pair[0])
            if len(both) > 2 * PAIRS:
                del both[:-PAIRS]

    def curves(self, rung: int) -> tuple[tuple[float, ...], ...]:
        """Completed learning curves of a rung, by trial number; the latest CURVES."""
        return tuple(curve for _, curve in self._curves.get(rung, ()))

    def pairs(self, rung: int, top: int) -> Sequence[tuple[float, float]]:
        """Accuracies on a rung and fully trained, of candidates that have both, by trial number."""
        known = self._both.get(top, ())
        return [(at[rung], at[top]) for _, at in known[-PAIRS:] if rung in at]

    def at_least(self, rung: int, without: Iterable[Row] = ()) -> int:
        """Candidates that were trained on a rung or a higher one."""
        left = sum(row.rungs > 0 and row.rung >= rung for row in without)
        return sum(count for reached, count in self.reached.items() if reached >= rung) - left


class Latest:
    """Trial numbers in order, of the latest MOST that others may inherit from."""

    def __init__(self) -> None:
        self._numbers: list[tuple[int, str]] = []

    def put(self, row: Row) -> None:
        """Add, or take away one that has no weights any more."""
        entry = (row.number, row.key)
        at = bisect_left(self._numbers, entry)
        there = at < len(self._numbers) and self._numbers[at] == entry
        if row.trained and not there:
            self._numbers.insert(at, entry)
            if len(self._numbers) > 2 * MOST:
                del self._numbers[:-MOST]
        elif there and not row.trained:
            del self._numbers[at]

    def keys(self, count: int) -> list[str]:
        """The latest, by trial number."""
        return [key for _, key in self._numbers[-count:]]
