"""Random search: uniform over the decisions. The baseline every other strategy has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeml.arch.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def random_search(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> Optuna's RandomSampler."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)
