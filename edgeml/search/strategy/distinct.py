"""Wraps any Optuna sampler so that it proposes only new, feasible architectures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from edgeml.search.propose import Proposer
from edgeml.search.strategy.learning import distributions

TRIES = 40
"""Proposals of the wrapped sampler before a random new point is taken instead."""


class SpaceExhaustedError(Exception):
    """Every feasible architecture of the space has been evaluated."""


class DistinctSampler(BaseSampler):
    """Asks the wrapped sampler until the canonical key is new and the limits hold."""

    def __init__(self, wrapped: BaseSampler, proposer: Proposer, seed: int) -> None:
        self.wrapped, self.proposer = wrapped, proposer
        self._rng = random.Random(seed + 1)
        self.distributions = distributions(proposer.space)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space, always."""
        return self.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choices of a new, feasible architecture.

        Raises:
            SpaceExhaustedError: there is none left.
        """
        space = self.wrapped.infer_relative_search_space(study, trial)
        for _ in range(TRIES):
            choices = dict(self.wrapped.sample_relative(study, trial, space))
            for name, distribution in self.distributions.items():
                if name not in choices:
                    choices[name] = self.wrapped.sample_independent(study, trial, name, distribution)
            if self.proposer.judge(choices) is not None:
                return choices
            repaired = self.proposer.repair(choices, self._rng)
            if repaired != choices and self.proposer.judge(repaired) is not None:
                return repaired
        proposal = self.proposer.any_new(self._rng)
        if proposal is None:
            raise SpaceExhaustedError
        return proposal.choices

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Passed on; only reached for parameters outside the space."""
        return self.wrapped.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self.wrapped.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Passed on."""
        self.wrapped.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Passed on."""
        self._rng.seed()
        self.wrapped.reseed_rng()
