"""What a worker is told to do: a new architecture on the lowest rung, or a candidate trained further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeml.search.archive.archive import Archive
from edgeml.search.evaluate import Job, Order
from edgeml.search.ladder import Ladder
from edgeml.search.propose import Proposal
from edgeml.search.rungs import Promotion
from edgeml.search.settings import Settings
from edgeml.train.curves import needed_accuracy
from edgeml.train.fidelity import Fidelity


class Orders:
    """Makes the orders of one run."""

    def __init__(
        self, settings: Settings, job: Job, archive: Archive, ladder: Ladder, fidelity: Fidelity
    ) -> None:
        self._settings, self._job, self._archive = settings, job, archive
        self._ladder, self._full = ladder, fidelity

    def start(self, proposal: Proposal, number: int, costs: Mapping[str, float], seconds: float) -> Order:
        """Train a new architecture; `costs` are those known before."""
        parent = self._archive.parent(proposal.graph) if self._job.inherits else None
        first = self._ladder.first
        return Order(
            number=number,
            key=proposal.key,
            choices=proposal.choices,
            arch=proposal.arch.to_dict(),
            recipe=proposal.recipe,
            rung=self._ladder.rungs[first],
            index=first,
            top=self._ladder.top == first,
            cost=self._ladder.cost(first),
            fidelity=self._fidelity(first, seconds),
            seed=trial_seed(self._settings.seed, number),
            parent=parent.key if parent else None,
            needed=self._needed(costs) if self._ladder.top == first else 0.0,
            curves=self._archive.tally.curves(first),
        )

    def promote(self, promotion: Promotion, seconds: float) -> Order:
        """Train a candidate on the next rung."""
        candidate, index = promotion.candidate, promotion.rung
        costs = {name: float(figure["value"]) for name, figure in candidate.metrics.items()}
        from edgeml.arch.recipe import Recipe

        return Order(
            number=candidate.number,
            key=candidate.key,
            choices=candidate.choices,
            arch=candidate.arch,
            recipe=Recipe(**candidate.recipe),
            rung=self._ladder.rungs[index],
            index=index,
            top=self._ladder.top == index,
            cost=self._ladder.cost(index),
            fidelity=self._fidelity(index, seconds),
            seed=candidate.seed,
            before=candidate,
            carry=self._ladder.goes_on(index),
            needed=self._needed(costs) if self._ladder.top == index else 0.0,
            curves=self._archive.tally.curves(index),
        )

    def again(self, order: Order, seconds: float) -> Order:
        """The same training once more, in the time that there is now."""
        return replace(order, fidelity=self._within(order.fidelity, seconds))

    def _fidelity(self, index: int, seconds: float) -> Fidelity:
        return self._within(self._ladder.fidelity(index, self._full), seconds)

    def _within(self, fidelity: Fidelity, seconds: float) -> Fidelity:
        return replace(fidelity, max_s=max(1.0, seconds)) if self._settings.time_s else fidelity

    def _needed(self, costs: Mapping[str, float]) -> float:
        """Accuracy that joins the front at these costs; 0 where a cost is not known yet or curves are off."""
        if not self._settings.curves:
            return 0.0
        try:
            own = [costs[name] for name in self._archive.objectives]
        except KeyError:
            return 0.0
        return needed_accuracy(self._archive.front_points(), own)


def trial_seed(seed: int, number: int) -> int:
    """Seed of one trial from the run's seed and the trial's number, 0 .. 2**31 - 1."""
    return (seed * 1_000_003 + number * 7_919 + 17) % (2**31 - 1)
