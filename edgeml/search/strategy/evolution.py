"""Evolution: mutate members of the Pareto archive after a random start.

A parent is drawn from the non-dominated trials, those in sparse parts of the front twice as often; one to
three of its decisions change. Constraints come first: infeasible trials are parents only while there is
nothing else.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from edgeml.arch.space import Space
from edgeml.search import pareto

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

START = 8
"""Random trials before the first mutation."""


def evolution(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> Optuna sampler."""
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState

    class EvolutionSampler(BaseSampler):
        def __init__(self) -> None:
            self._rng = random.Random(seed)
            self._random = RandomSampler(seed=seed)

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return {}

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if len(done) < START:
                return {}
            parent = self._parent([t for t in done if _feasible(t)] or done)
            return dict(space.mutate(parent.params, self._rng, self._rng.choice((1, 1, 2, 3))))

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            return self._random.sample_independent(study, trial, param_name, param_distribution)

        def _parent(self, trials: list[FrozenTrial]) -> FrozenTrial:
            points = [trial.values for trial in trials]
            members = pareto.front(points)
            distance = pareto.crowding([points[i] for i in members])
            middle = sorted(distance)[len(distance) // 2]
            weights = [2 if d >= middle else 1 for d in distance]
            return trials[self._rng.choices(members, weights)[0]]

        def reseed_rng(self) -> None:
            self._rng.seed()
            self._random.reseed_rng()

    return EvolutionSampler()


def _feasible(trial: Any) -> bool:
    return not any(value > 0 for value in trial.constraints.values())
