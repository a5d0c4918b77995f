"""Archive: every candidate of a run, its front, and who a new architecture may inherit from.

Nothing here takes longer for the 100,000th candidate than for the 1,000th: front and hypervolume are kept up
point by point, and of most candidates only a row stays in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from edgeml.arch.cell import Arch, lower
from edgeml.arch.graph import Graph
from edgeml.search.archive import pareto
from edgeml.search.archive.front import Front, History, Volume
from edgeml.search.archive.kept import Kept, Load
from edgeml.search.archive.row import Row
from edgeml.search.archive.tally import Latest, Tally
from edgeml.search.candidate import Candidate
from edgeml.train.inherit import best_parent_score

RELATIVES = 200
"""Trained candidates that a new one may inherit from."""

Point = tuple[float, ...]
"""1 - accuracy, costs."""


class Archive:
    """Candidates by key.

    Args:
        objectives: costs that are minimised beside the error.
        chance_error: error of guessing.
        load: reads a candidate's folder, so that not all have to stay in memory.

    Attributes:
        candidates: whole candidates, in the order in which they came; reads those that are not in memory.
        rows: what is known of each without reading anything.
        tally: what is counted over all trainings.
    """

    def __init__(self, objectives: list[str], chance_error: float, load: Load | None = None) -> None:
        self.objectives = objectives
        self.chance_error = chance_error
        self.rows: dict[str, Row] = {}
        self.tally = Tally()
        self._kept = Kept(self.rows, load, self._on_a_front)
        self._latest = Latest()
        self._graphs: dict[str, Graph] = {}
        self._waiting: dict[int, dict[str, Row]] = {}
        self._resting: dict[int, int] = {}
        self._start_over()

    def _start_over(self) -> None:
        self._front, self._of_trials, self._history = Front(), Front(), History()
        self._worst: list[float] = []
        self._stale = False

    @property
    def candidates(self) -> Mapping[str, Candidate]:
        """Whole candidates by key."""
        return self._kept

    def keep(self, candidate: Candidate) -> None:
        """Add or replace a candidate."""
        key, new = candidate.key, Row.of(candidate, self.objectives)
        old = self.rows.get(key)
        self.tally.count(old, new, candidate)
        self.rows[key] = new
        self._kept.put(candidate)
        self._latest.put(new)
        self._wait(old, new)
        if old is not None and old.point is not None:
            if old.point == new.point and old.finished_at_s == new.finished_at_s:
                self._front.replace(new)
                self._of_trials.replace(new)
            else:
                self._stale = True
        elif new.point is not None:
            self._score(new, new.point)

    def restore(self, candidates: Iterable[Candidate]) -> None:
        """Take up candidates of earlier sessions, which then stand in order of their trial numbers."""
        self._stale = True
        for candidate in candidates:
            self.keep(candidate)
        ordered = sorted(self.rows.items(), key=lambda item: item[1].number)
        self.rows.clear()
        self.rows.update(ordered)

    # -- the front

    def _score(self, row: Row, point: Point) -> None:
        """One more point for front, reference and history."""
        if self._stale:
            return
        costs = point[1:]
        self._worst = [max(pair) for pair in zip(self._worst or costs, costs, strict=True)]
        self._front.add(row, point)
        if not row.variant:
            self._history.add(row, point, self._of_trials.add(row, point))

    def _fresh(self) -> None:
        """Work the front out anew where points have changed: after a resume, or final figures."""
        if not self._stale:
            return
        self._start_over()
        scored = ((row, row.point) for row in self.rows.values())
        for row, point in sorted(scored, key=lambda pair: (pair[0].finished_at_s, pair[0].number)):
            if point is not None:
                self._score(row, point)

    def _on_a_front(self, key: str) -> bool:
        return key in self._front or key in self._of_trials

    def scored(self) -> list[tuple[Candidate, Point]]:
        """Complete candidates with their points (1 - accuracy, costs...), by trial number; reads them all."""
        rows = sorted(self.rows.values(), key=lambda row: row.number)
        return [(self.candidates[row.key], row.point) for row in rows if row.point is not None]

    def front(self) -> list[Candidate]:
        """Pareto-optimal candidates, most accurate first."""
        self._fresh()
        return [self.candidates[row.key] for row in self._front.rows]

    def front_points(self) -> list[Point]:
        """Points of the front, in no order."""
        self._fresh()
        return self._front.points

    def finalists(self) -> list[Candidate]:
        """The front of what trials made, most accurate first: compressed variants left out."""
        self._fresh()
        return [self.candidates[row.key] for row in self._of_trials.rows]

    def knee(self) -> Candidate | None:
        """The compromise on the front."""
        self._fresh()
        rows = self._front.rows
        index = pareto.knee([row.scores or () for row in rows])
        return None if index is None else self.candidates[rows[index].key]

    def reference_point(self, least: Sequence[float] = ()) -> Point:
        """Reference of the hypervolume for what is there now, with costs that are nowhere below `least`."""
        self._fresh()
        costs = [1.1 * worst for worst in self._worst]
        return (self.chance_error, *map(max, costs, least or costs))

    def hypervolumes(self) -> list[Volume]:
        """(trials complete, seconds, hypervolume) for one reference point.

        After every complete trial; of more than front.MOST_ROWS, after those that changed the front.
        Compressed variants are no trials and left out.
        """
        reference = self.reference_point()
        return self._history.volumes(reference)

    # -- who waits for the next rung

    def _wait(self, old: Row | None, new: Row) -> None:
        if old is not None and old.waiting and self._waiting[old.rung].pop(old.key, None) is None:
            self._resting[old.rung] -= 1
        if new.waiting:
            self._waiting.setdefault(new.rung, {})[new.key] = new

    def waiting(self, rung: int) -> list[Row]:
        """Candidates that may be trained further, done with `rung`; resting ones only after the others."""
        awake = self._waiting.get(rung, {})
        if not awake and self._resting.get(rung):
            awake = {row.key: row for row in self.rows.values() if row.waiting and row.rung == rung}
            self._waiting[rung], self._resting[rung] = awake, 0
        return list(awake.values())

    def reached(self, rung: int, without: Collection[str]) -> int:
        """How many were trained on a rung or a higher one, those with some keys left out."""
        return self.tally.at_least(rung, [self.rows[key] for key in without if key in self.rows])

    def rest(self, keys: Iterable[str]) -> None:
        """Candidates that the strategy has dropped: the others are promoted before them."""
        for key in keys:
            row = self.rows[key]
            if row.waiting and self._waiting[row.rung].pop(key, None) is not None:
                self._resting[row.rung] = self._resting.get(row.rung, 0) + 1

    # -- who a new architecture may inherit from

    def parent(self, graph: Graph) -> Candidate | None:
        """The trained candidate to inherit from: one whose function `graph` can start as, else most overlap.

        Of equals the most accurate. Only the latest RELATIVES by trial number are looked at.
        """
        best: tuple[tuple[bool, float, float], str] | None = None
        for key in self._latest.keys(RELATIVES):
            exact, fraction = best_parent_score(graph, self._graph(key))
            score = (exact, fraction, self.rows[key].accuracy or 0.0)
            if fraction > 0 and (best is None or score > best[0]):
                best = (score, key)
        return None if best is None else self.candidates[best[1]]

    def _graph(self, key: str) -> Graph:
        if key not in self._graphs:
            if len(self._graphs) >= 2 * RELATIVES:
                stay = self._latest.keys(RELATIVES)
                self._graphs = {one: self._graphs[one] for one in stay if one in self._graphs}
            self._graphs[key] = lower(Arch.from_dict(self.candidates[key].arch))
        return self._graphs[key]
