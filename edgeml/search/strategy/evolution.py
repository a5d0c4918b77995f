"""Evolution: mutate members of the Pareto archive after a random start.

A parent is drawn from the non-dominated trials, those in sparse parts of the front twice as often; while the
front is short, the next fronts count too. One to three of its decisions change: a number mostly to a
neighbouring one, anything else to any other choice. Now and then a second parent gives half of its decisions
first. Constraints come first: infeasible trials are parents only while there is nothing else.

`evolution:nsga2` takes Optuna's NSGA-II (Deb et al. 2002): uniform crossover of two parents that win a
tournament, mutation with probability 1 / decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeml.arch.space import Decision, Space
from edgeml.search.strategy.observed import Observed, crowding

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

START = 8
"""Random trials before the first mutation."""
PARENTS = 8
"""At least so many trials may be parents."""
EDITS = (1, 1, 2, 3)
CROSSOVER = 0.15
NEIGHBOUR = 0.75
"""Chance that a number moves by one place only."""
RETRIES_PER_EDIT = 8
"""After so many refused proposals one more decision changes: near the front, all neighbours may be known."""
POPULATION = 20
"""Of NSGA-II. Optuna's 50 leave a search of 100 trials one generation."""


class Mutation:
    """Observed -> a mutated member of the front.

    Args:
        space: whose decisions change.
        seed: of all choices.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._sizes = np.array([len(decision.choices) for decision in space.decisions])
        self._ordered = np.array([_ordered(decision) for decision in space.decisions], dtype=bool)

    def __call__(self, observed: Observed) -> np.ndarray | None:
        """Index of every decision's choice; None during the random start."""
        if len(observed.complete) < START:
            return None
        parents = observed.front()
        if len(parents) < PARENTS:
            parents = observed.best(PARENTS)
        child = np.array(observed.indices[self._parent(parents, observed)])
        if self._rng.random() < CROSSOVER:
            other = observed.indices[self._parent(parents, observed)]
            taken = self._rng.random(len(child)) < 0.5
            child[taken] = other[taken]
        edits = int(self._rng.choice(EDITS)) + observed.retries // RETRIES_PER_EDIT
        for place in self._rng.permutation(len(child))[:edits]:
            child[place] = self._other(int(place), int(child[place]))
        return child

    def _parent(self, rows: np.ndarray, observed: Observed) -> int:
        distance = crowding(observed.values[rows])
        weights = np.where(distance >= np.median(distance), 2.0, 1.0)
        return int(self._rng.choice(rows, p=weights / weights.sum()))

    def _other(self, place: int, index: int) -> int:
        size = int(self._sizes[place])
        if self._ordered[place] and self._rng.random() < NEIGHBOUR:
            near = [i for i in (index - 1, index + 1) if 0 <= i < size]
            return int(self._rng.choice(near))
        return (index + int(self._rng.integers(1, size))) % size


def _ordered(decision: Decision) -> bool:
    numbers = all(isinstance(choice, int | float) for choice in decision.choices)
    return numbers and len(decision.choices) > 2


def evolution(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> sampler that mutates the Pareto archive."""
    from edgeml.search.strategy.learning import LearningSampler

    return LearningSampler(space, seed, Mutation(space, seed))


def nsga2(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> Optuna's NSGA-II, its population chosen anew for every trial.

    Optuna closes a generation after a whole population and notes it in every trial, which trials of a
    resumed search do not have. Here the population is the best of all trials by front and crowding.
    """
    from optuna.distributions import BaseDistribution
    from optuna.samplers import NSGAIISampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from edgeml.search.strategy.learning import distributions

    observed, fixed = Observed(space), distributions(space)

    class SteadyNSGAIISampler(NSGAIISampler):
        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return fixed

        def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
            observed.read(study, trial)
            return len(observed.complete) // POPULATION

        def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
            return [observed.complete[row] for row in observed.best(POPULATION)] if generation else []

    return SteadyNSGAIISampler(population_size=POPULATION, seed=seed)
