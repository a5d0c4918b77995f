"""Strategies: each a function (space, seed) -> Optuna sampler; `sampler` makes any of them distinct.

To add one: a file here with one function, a name in STRATEGIES.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeml.arch.space import Space
from edgeml.errors import UnknownNameError
from edgeml.search.propose import Proposer
from edgeml.search.strategy.evolution import evolution
from edgeml.search.strategy.random_search import random_search

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def sampler(name: str, space: Space, proposer: Proposer, seed: int) -> BaseSampler:
    """The named strategy, made to propose only new, feasible architectures.

    Raises:
        UnknownNameError: no such strategy.
    """
    from edgeml.search.strategy.distinct import DistinctSampler

    if name not in STRATEGIES:
        raise UnknownNameError("strategy", name, STRATEGIES)
    return DistinctSampler(STRATEGIES[name](space, seed), proposer, seed)


STRATEGIES: dict[str, Callable[[Space, int], BaseSampler]] = {
    "random": random_search,
    "evolution": evolution,
}
"""Every strategy by the name of --strategy."""
