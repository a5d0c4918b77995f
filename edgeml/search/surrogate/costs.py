"""Costs of networks before they are trained: as the targets know them, or as a model has learnt them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from edgeml.search.surrogate.gaussian import Floats, Followed, GaussianProcess, typical_square
from edgeml.search.surrogate.surrogate import TUNE_GROWTH

Vectors = Callable[[Sequence[str]], Floats]
"""Keys -> features of networks, (n, d)."""


class CostModels:
    """Logarithms of costs that only a trained network shows, learnt from those of networks that were tried.

    Args:
        vectors: features of networks.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._models: list[tuple[GaussianProcess, Followed]] = []
        self._tuned_at = 0

    def fit(self, keys: Sequence[str], costs: Floats) -> None:
        """Learn the costs, (n, k), of the networks with these keys."""
        logs, x = np.log(np.maximum(costs, 1e-12)), self._vectors(keys)
        if len(self._models) != logs.shape[1]:
            models = [GaussianProcess(typical_square(x)) for _ in range(logs.shape[1])]
            self._models = [(model, Followed(model, self._vectors)) for model in models]
            self._tuned_at = 0
        tune = len(x) >= self._tuned_at * TUNE_GROWTH
        if tune:
            self._tuned_at = len(x)
        for (model, _), column in zip(self._models, logs.T, strict=True):
            model.fit(x, column, tune)

    def __call__(self, keys: Sequence[str]) -> Floats:
        """Expected costs, (n, k)."""
        return np.exp(np.column_stack([points.mean(keys) for _, points in self._models]))

    def forget(self, stay: Collection[str]) -> None:
        """Let go of what is known of all other networks."""
        for _, points in self._models:
            points.forget(stay)
