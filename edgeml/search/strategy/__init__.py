"""Strategies: each a function (space, seed) -> Optuna sampler; `sampler` makes any of them distinct.

To add one: a file here with one function, a name in STRATEGIES. A variant of one is an option after a colon
in its name, listed in OPTIONS. A sampler with a method `bind` is given the judge of what may be proposed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeml.arch.space import Space
from edgeml.errors import UnknownNameError
from edgeml.search.propose import Proposer
from edgeml.search.strategy.auto import auto
from edgeml.search.strategy.bayesian import bayesian, gaussian_process
from edgeml.search.strategy.evolution import evolution, nsga2
from edgeml.search.strategy.grid import grid
from edgeml.search.strategy.random_search import random_search
from edgeml.search.strategy.rl import rl

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from edgeml.search.strategy.distinct import DistinctSampler

Strategy = Callable[[Space, int], "BaseSampler"]


def strategy(name: str) -> Strategy:
    """Name of a strategy, with or without an option ("bayesian:gp") -> its function.

    Raises:
        UnknownNameError: no such strategy, or no such option of it.
    """
    plain, colon, _ = name.partition(":")
    if plain not in STRATEGIES:
        raise UnknownNameError("strategy", plain, STRATEGIES)
    if not colon:
        return STRATEGIES[plain]
    known = [option for option in OPTIONS if option.startswith(f"{plain}:")]
    if name not in known:
        raise UnknownNameError(f"option of --strategy {plain}", name, [plain, *known])
    return OPTIONS[name]


def sampler(name: str, space: Space, proposer: Proposer, seed: int) -> DistinctSampler:
    """The named strategy, made to propose only new, feasible architectures.

    Raises:
        UnknownNameError: no such strategy or option.
        ConfigError: the strategy refuses the space.
        MissingToolError: it needs a package that is not installed.
    """
    chosen = strategy(name)(space, seed)
    if hasattr(chosen, "bind"):
        chosen.bind(proposer)
    from edgeml.search.strategy.distinct import DistinctSampler

    return DistinctSampler(chosen, proposer, seed)


STRATEGIES: dict[str, Strategy] = {
    "auto": auto,
    "grid": grid,
    "random": random_search,
    "bayesian": bayesian,
    "evolution": evolution,
    "rl": rl,
}
"""Every strategy by the name of --strategy."""

OPTIONS: dict[str, Strategy] = {
    "bayesian:gp": gaussian_process,
    "evolution:nsga2": nsga2,
}
"""Variants of strategies."""
