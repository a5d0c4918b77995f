"""How well one order agrees with another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["spearman"]


def spearman(one: ArrayLike, other: ArrayLike) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank.

    Args:
        one: shape (n,).
        other: shape (n,), of the same things.

    Returns:
        -1..1; None where either side is constant, or there is nothing.
    """
    ranks = [_ranks(np.asarray(values, float)) for values in (one, other)]
    size = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
    return float(ranks[0] @ ranks[1] / size) if size > 0 else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - 1 - (count - 1) / 2
    found: NDArray[np.float64] = mean_rank[place.reshape(-1)] - (len(values) - 1) / 2
    return found
