"""Which training comes next: a new architecture on the lowest rung, or a promotion; and do the rungs rank?

Asynchronous, as in ASHA (Li et al. 2020): nothing waits for a rung to be full. A rung is due while it has had
less than its share of all training. Who is promoted to it: the candidate with the largest expected gain of
hypervolume where the strategy has a surrogate, else the first by Pareto rank and crowding distance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeml.ranks import spearman
from edgeml.search.archive import pareto
from edgeml.search.candidate import Candidate
from edgeml.search.ladder import Ladder

LEAST = 4
"""Candidates on a rung before one of them is promoted."""
PATIENCE = 48
"""The same for the lowest rung where a surrogate chooses, at most a third of the trials: it knows little."""
HURRIED = 6
"""The same where time ends a search: so that something is done early, whatever the time."""
ENOUGH_PAIRS = 8
"""Candidates on both rungs before their rank correlation says something."""
MIN_PAIRS = 3
"""Below, a rank correlation is not worked out."""
POOR = 0.5
"""A rank correlation below is reported as a warning."""


class Waits(Protocol):
    """A candidate that may be trained further."""

    key: str
    number: int
    scores: tuple[float, ...] | None


class Climbers(Protocol):
    """Candidates of a run, as far as they have come."""

    @property
    def candidates(self) -> Mapping[str, Candidate]:
        """By key."""

    def waiting(self, rung: int) -> Sequence[Waits]:
        """Those that are done with a rung and may be trained further."""

    def reached(self, rung: int, without: Collection[str]) -> int:
        """How many were trained on a rung or a higher one, some left out."""


Gains = Callable[[Sequence[Waits]], Sequence[float]]
"""Candidates -> what their full training is expected to add to the hypervolume."""
Pairs = Callable[[int, int], Sequence[tuple[float, float]]]
"""Two rungs -> accuracies of the candidates that have both."""


@dataclass(frozen=True)
class Promotion:
    """A candidate that is trained further, and the rung it goes to."""

    candidate: Candidate
    rung: int

    @property
    def key(self) -> str:
        """Of the candidate."""
        return self.candidate.key


class Rungs:
    """What has been spent on every rung, and what is due.

    Attributes:
        spent: full trainings by rung, of what is done.
        under_way: rungs of the trainings that run now; they count as spent where it is asked what is due.
    """

    def __init__(self, ladder: Ladder, objectives: list[str], trials: int | None) -> None:
        self.ladder, self._objectives = ladder, objectives
        self._patience = HURRIED if trials is None else max(LEAST, min(PATIENCE, trials // 3))
        self.spent = [0.0] * len(ladder.rungs)
        self.under_way: list[int] = []

    def count(self, rung: int) -> None:
        """A training on `rung` is done."""
        self.spent[rung] += self.ladder.cost(rung)

    def left(self, trials: int) -> float:
        """Training that a run of so many trials has left, in full trainings."""
        first = trials * self.ladder.cost(self.ladder.first) / self.ladder.used[0].share
        return max(0.0, first - sum(self.spent))

    def promotion(
        self, climbers: Climbers, more: bool, gains: Gains | None, busy: Collection[str] = ()
    ) -> Promotion | None:
        """The promotion that is due, None where a new architecture is (or, with `more` False, nothing).

        Args:
            climbers: all candidates of the run.
            more: new architectures may still be proposed.
            gains: of a strategy with a surrogate.
            busy: keys of candidates that are being trained.
        """
        for rung in range(self.ladder.top, self.ladder.first, -1):
            least = self._patience if gains is not None and rung == 1 else LEAST
            if not self._due(rung, more) or (more and climbers.reached(rung - 1, busy) < least):
                continue
            if waiting := [one for one in climbers.waiting(rung - 1) if one.key not in busy]:
                return Promotion(climbers.candidates[self._best(waiting, gains).key], rung)
        return None

    def _due(self, rung: int, more: bool) -> bool:
        cost, share = self.ladder.cost(rung), self.ladder.rungs[rung].share
        spent = [done + self.under_way.count(i) * self.ladder.cost(i) for i, done in enumerate(self.spent)]
        if more:
            return spent[rung] + cost <= share * (sum(spent) + cost) + 1e-9
        first = (
            spent[self.ladder.first] / self.ladder.used[0].share
        )  # what the whole run costs, by its shares
        if not any(spent[rung:]):  # nothing gets to the top but through it
            return True
        return spent[rung] + cost / 2 <= share * first + 1e-9

    def _best(self, waiting: list[Waits], gains: Gains | None) -> Waits:
        if gains is not None:
            expected = gains(waiting)
            return max(zip(expected, waiting, strict=True), key=lambda pair: (pair[0], -pair[1].number))[1]
        points = [candidate.scores or () for candidate in waiting]
        members = pareto.front(points)
        distance = pareto.crowding([points[i] for i in members])
        # Of equals the more accurate: a cheap network that guesses is on every front.
        order = sorted(zip(distance, members, strict=True), key=lambda pair: (-pair[0], points[pair[1]]))
        return waiting[order[0][1]]


def correlations(pairs_of: Pairs, ladder: Ladder) -> list[dict[str, Any]]:
    """Rank correlation that a run observed between each rung and full training.

    Args:
        pairs_of: two rungs -> accuracies of the candidates that have both.
        ladder: the rungs.

    Returns:
        One row a lower rung: rung, epochs (share of full), pairs, spearman (None where there are fewer than
        3 pairs or one side is constant) and ranks (False: it does not order candidates well; None: unknown).
    """
    rows = []
    for index in range(ladder.first, ladder.top):
        pairs = pairs_of(index, ladder.top)
        value = spearman(*zip(*pairs, strict=True)) if len(pairs) >= MIN_PAIRS else None
        known = value is not None and len(pairs) >= ENOUGH_PAIRS
        rows.append(
            {
                "rung": index,
                "epochs": ladder.rungs[index].epochs,
                "pairs": len(pairs),
                "spearman": value,
                "ranks": value >= POOR if value is not None and known else None,
            }
        )
    return rows


def accuracies(candidate: Candidate) -> Mapping[int, float]:
    """Accuracy by rung, of the rungs that a candidate was trained on to the end."""
    return {int(r["rung"]): float(r["accuracy"]) for r in candidate.rungs if not r.get("stopped")}
