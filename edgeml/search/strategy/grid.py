"""Grid: every point of a small space once, in an order that the seed fixes.

The order is a pseudo-random permutation, not a lexicographic walk: a search that is stopped early has then
seen a fair sample of the space and not its first corner.
"""

from __future__ import annotations

import random
from math import prod
from typing import TYPE_CHECKING, Any

from edgeml.arch.space import Choice, Space
from edgeml.errors import ConfigError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

LIMIT = 10_000
"""Points of a space beyond which a grid is refused."""


def point(space: Space, number: int) -> dict[str, Choice]:
    """Number from 0 to size - 1 -> that point of the space, in lexicographic order."""
    choices: dict[str, Choice] = {}
    left = prod(len(decision.choices) for decision in space.decisions)
    for decision in space.decisions:
        left //= len(decision.choices)
        place, number = divmod(number, left)
        choices[decision.name] = decision.choices[place]
    return choices


def grid(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> sampler that walks through the whole space and then ends the search.

    Points that the study holds, in whatever state, are passed over; so a resumed search goes on.

    Raises:
        ConfigError: the space has more than LIMIT points.
    """
    if space.size > LIMIT:
        raise ConfigError(
            f"--strategy grid would train {space.size:,} architectures of space {space.name}, more than "
            f"{LIMIT:,}; use another --strategy or a smaller --space."
        )
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from edgeml.search.strategy.distinct import SpaceExhaustedError
    from edgeml.search.strategy.learning import distributions

    class GridSampler(BaseSampler):
        sees_all = True

        def __init__(self) -> None:
            numbers = list(range(space.size))
            random.Random(seed).shuffle(numbers)
            self._left = iter(numbers)
            self._distributions = distributions(space)
            self._tried: set[tuple[Any, ...]] = set()
            self._read = 0

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return self._distributions

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            trials = study.get_trials(deepcopy=False)
            self._tried |= {_values(space, t.params) for t in trials[self._read :]}
            self._read = trial.number  # which has no parameters yet, and is read next time
            for number in self._left:
                choices = point(space, number)
                if _values(space, choices) not in self._tried:
                    return dict(choices)
            raise SpaceExhaustedError

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            return RandomSampler(seed=seed).sample_independent(study, trial, param_name, param_distribution)

    return GridSampler()


def _values(space: Space, choices: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(choices.get(decision.name) for decision in space.decisions)
