"""Auto: proposes what a surrogate expects to add most to the front, its costs being known before training.

A pool of feasible points grows by mutants of the best and by random points; search/surrogate/surrogate.py
predicts the fully trained error of each from everything trained so far, on any rung; the point with the
largest expected gain of hypervolume is proposed. The same prediction says who is promoted (search/rungs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeml.arch.space import Space
from edgeml.search.propose import Proposer
from edgeml.search.surrogate.guide import Guide

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def auto(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> Optuna sampler guided by a surrogate; random until `bind` gives it a judge."""
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState

    from edgeml.search.strategy.learning import distributions

    fixed = distributions(space)

    class SurrogateSampler(BaseSampler):
        def __init__(self) -> None:
            self.guide: Guide | None = None
            self.top = 0
            self._random = RandomSampler(seed=seed)

        def bind(self, proposer: Proposer) -> None:
            self.guide = Guide(space, seed, proposer)

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return fixed

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            return dict(self.guide.propose(done, self.top) or {}) if self.guide else {}

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            return self._random.sample_independent(study, trial, param_name, param_distribution)

    return SurrogateSampler()
