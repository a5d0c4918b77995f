"""Which trials a strategy still sees when there are many: the best, those that climbed, the latest.

Every strategy gets slower with each trial that it sees, and a trial takes several kilobytes. Up to LIMIT
trials nothing is dropped.
"""

from __future__ import annotations

import numpy as np

from edgeml.search.strategy.observed import LARGEST, best_rows, constrained_ranks

LIMIT = 2_000
"""Trials that a strategy's study holds at most."""
LEFT = 1_500
"""Trials that stay when it is full: a third the best, up to a third on the highest rungs, then the latest."""
BLOCK = 500
"""Trials that are looked at together; all pairs are compared."""


def active(values: np.ndarray, excess: np.ndarray, rungs: np.ndarray, left: int = LEFT) -> np.ndarray:
    """Rows of the trials that stay, in order; all where there are no more than `left`.

    Args:
        values: minimised, shape (n, objectives), in order of trial numbers; what is not known is infinite.
        excess: by which limits are broken, 0 where none is, shape (n,).
        rungs: highest rung of each, shape (n,).
        left: rows at most.
    """
    count = len(values)
    if count <= left:
        return np.arange(count)
    values = values.clip(-LARGEST, LARGEST)
    taken = np.zeros(count, dtype=bool)
    taken[_best(values, excess, left // 3)] = True
    climbers = np.flatnonzero(rungs > 0)
    taken[climbers[np.argsort(rungs[climbers], kind="stable")][-(left // 3) :]] = True
    others = np.flatnonzero(~taken)
    taken[others[len(others) - (left - int(taken.sum())) :]] = True
    return np.flatnonzero(taken)


def _best(values: np.ndarray, excess: np.ndarray, most: int) -> np.ndarray:
    """Rows of the best by constrained non-domination; of the last rank the least crowded."""
    stays = np.zeros(0, dtype=np.intp)
    for start in range(0, len(values), BLOCK):
        rows = np.concatenate([stays, np.arange(start, min(start + BLOCK, len(values)))])
        ranks = constrained_ranks(values[rows], excess[rows])
        stays = rows[best_rows(ranks, values[rows], most)]
    return stays
