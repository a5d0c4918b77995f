"""Archive: every candidate of a run, its front, and who a new architecture may inherit from."""

from __future__ import annotations

from edgeml.arch.cell import Arch, lower
from edgeml.arch.graph import Graph
from edgeml.search import pareto
from edgeml.search.candidate import Candidate
from edgeml.train.inherit import best_parent_score

RELATIVES = 200
"""Trained candidates that a new one may inherit from."""

Row = tuple[Candidate, tuple[float, ...]]
"""A candidate and its point: 1 - accuracy, costs."""


class Archive:
    """Candidates by key, in order of trial number."""

    def __init__(self, objectives: list[str], chance_error: float) -> None:
        self.objectives = objectives
        self.chance_error = chance_error
        self.candidates: dict[str, Candidate] = {}
        self._graphs: dict[str, Graph] = {}

    def keep(self, candidate: Candidate) -> None:
        """Add or replace a candidate."""
        self.candidates[candidate.key] = candidate

    def scored(self) -> list[Row]:
        """Complete candidates with their points (1 - accuracy, costs...), by trial number."""
        rows = ((candidate, candidate.point(self.objectives)) for candidate in self.candidates.values())
        return sorted(((c, p) for c, p in rows if p is not None), key=lambda row: row[0].number)

    def front(self) -> list[Candidate]:
        """Pareto-optimal candidates, most accurate first."""
        return _front(self.scored())

    def finalists(self) -> list[Candidate]:
        """The front of what trials made, most accurate first: compressed variants left out."""
        return _front(self._of_trials())

    def _of_trials(self) -> list[Row]:
        return [row for row in self.scored() if not row[0].is_variant]

    def knee(self) -> Candidate | None:
        """The compromise on the front."""
        rows = self.scored()
        index = pareto.knee([point for _, point in rows])
        return None if index is None else rows[index][0]

    def reference_point(self) -> tuple[float, ...]:
        """Reference of the hypervolume for what is there now."""
        return pareto.reference_point([point for _, point in self.scored()], self.chance_error)

    def hypervolumes(self) -> list[tuple[int, float, float]]:
        """(trials complete, seconds, hypervolume) after every complete trial, for one reference point.

        Compressed variants are no trials and left out.
        """
        reference, points = self.reference_point(), list[tuple[float, ...]]()
        found: list[tuple[int, float, float]] = []
        done = sorted(self._of_trials(), key=lambda row: (row[0].finished_at_s, row[0].number))
        for candidate, point in done:
            points.append(point)
            volume = pareto.hypervolume(points, reference)
            points = [points[i] for i in pareto.front(points)]
            found.append((len(found) + 1, candidate.finished_at_s, volume))
        return found

    def parent(self, graph: Graph) -> Candidate | None:
        """The trained candidate to inherit from: one whose function `graph` can start as, else most overlap.

        Of equals the most accurate. Only the latest RELATIVES are looked at.
        """
        best: tuple[tuple[bool, float, float], Candidate] | None = None
        trained = [c for c in self.candidates.values() if c.artifact is not None and c.accuracy is not None]
        for candidate in trained[-RELATIVES:]:
            exact, fraction = best_parent_score(graph, self._graph(candidate))
            score = (exact, fraction, candidate.accuracy or 0.0)
            if fraction > 0 and (best is None or score > best[0]):
                best = (score, candidate)
        return None if best is None else best[1]

    def _graph(self, candidate: Candidate) -> Graph:
        if candidate.key not in self._graphs:
            self._graphs[candidate.key] = lower(Arch.from_dict(candidate.arch))
        return self._graphs[candidate.key]


def _front(rows: list[Row]) -> list[Candidate]:
    """Pareto-optimal ones, most accurate first."""
    members = [rows[i] for i in pareto.front([point for _, point in rows])]
    return [candidate for candidate, _ in sorted(members, key=lambda row: row[1])]
