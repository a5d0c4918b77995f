"""Optuna sampler around a plain function that proposes from what was observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from edgeml.arch.space import Space
from edgeml.search.strategy.observed import Observed

Propose = Callable[[Observed], np.ndarray | None]
"""What was observed -> index of every decision's choice; None for a uniformly random point."""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Space -> Optuna's distribution of every decision, in order."""
    return {decision.name: CategoricalDistribution(decision.choices) for decision in space.decisions}


class LearningSampler(BaseSampler):
    """Asks `propose` for every trial; random where it has nothing to propose."""

    def __init__(self, space: Space, seed: int, propose: Propose) -> None:
        self._propose, self._observed = propose, Observed(space)
        self._distributions = distributions(space)
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._observed.read(study, trial)
        indices = self._propose(self._observed)
        return {} if indices is None else dict(self._observed.to_choices(indices))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)
