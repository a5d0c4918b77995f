"""Archive: every candidate of a run, its front, and who a new architecture may inherit from."""

from __future__ import annotations

from edgeml.arch.cell import Arch, lower
from edgeml.arch.graph import Graph
from edgeml.search import pareto
from edgeml.search.candidate import Candidate
from edgeml.train.inherit import overlap


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

    def scored(self) -> list[tuple[Candidate, tuple[float, ...]]]:
        """Complete candidates with their points (1 - accuracy, costs...), by trial number."""
        rows = ((candidate, candidate.point(self.objectives)) for candidate in self.candidates.values())
        return sorted(((c, p) for c, p in rows if p is not None), key=lambda row: row[0].number)

    def front(self) -> list[Candidate]:
        """Pareto-optimal candidates, most accurate first."""
        rows = self.scored()
        members = [rows[i] for i in pareto.front([point for _, point in rows])]
        return [candidate for candidate, _ in sorted(members, key=lambda row: row[1])]

    def knee(self) -> Candidate | None:
        """The compromise on the front."""
        rows = self.scored()
        index = pareto.knee([point for _, point in rows])
        return None if index is None else rows[index][0]

    def reference_point(self) -> tuple[float, ...]:
        """Reference of the hypervolume for what is there now."""
        return pareto.reference_point([point for _, point in self.scored()], self.chance_error)

    def hypervolumes(self) -> list[tuple[int, float, float]]:
        """(trial number, seconds, hypervolume) after every complete trial, for one reference point."""
        reference, points, found = self.reference_point(), [], []
        for candidate, point in self.scored():
            points.append(point)
            volume = pareto.hypervolume(points, reference)
            points = [points[i] for i in pareto.front(points)]
            found.append((candidate.number, candidate.finished_at_s, volume))
        return found

    def parent(self, graph: Graph) -> Candidate | None:
        """The trained candidate that shares most kernel weights with `graph`; of equals the most accurate."""
        best: tuple[float, float, Candidate] | None = None
        for candidate in self.candidates.values():
            if candidate.status != "complete" or candidate.artifact is None or candidate.accuracy is None:
                continue
            score = overlap(graph, self._graph(candidate))
            if score > 0 and (best is None or (score, candidate.accuracy) > best[:2]):
                best = (score, candidate.accuracy, candidate)
        return None if best is None else best[2]

    def _graph(self, candidate: Candidate) -> Graph:
        if candidate.key not in self._graphs:
            self._graphs[candidate.key] = lower(Arch.from_dict(candidate.arch))
        return self._graphs[candidate.key]
