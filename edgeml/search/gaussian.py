"""A Gaussian process over vectors: the surrogate's regression (Rasmussen & Williams 2006, ch. 2 and 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LENGTHS = (0.3, 0.45, 0.6, 0.85, 1.2, 2.0)
"""Length scales that are tried, in typical distances between two points."""
NOISES = (3e-3, 1e-2, 3e-2, 1e-1)
"""Shares of noise in the variance that are tried."""


class GaussianProcess:
    """Squared-exponential kernel, constant mean; length and noise by marginal likelihood.

    Args:
        typical: typical squared distance between two points, the unit of lengths.
    """

    def __init__(self, typical: float) -> None:
        self._typical = max(typical, 1e-9)
        self._length, self._noise = LENGTHS[3], NOISES[1]
        self._x: Floats = np.zeros((0, 0))
        self._norms: Floats = np.zeros(0)
        self._mean, self._scale, self._variance = 0.0, 1.0, 1.0
        self._lower: Floats = np.zeros((0, 0))
        self._weights: Floats = np.zeros(0)

    def fit(self, x: Floats, y: Floats, tune: bool) -> None:
        """Take up observations.

        Args:
            x: (n, d).
            y: (n,).
            tune: choose length and noise anew (24 factorisations).
        """
        self._x, self._mean = x, float(y.mean())
        self._scale = float(y.std()) or 1.0
        z = (y - self._mean) / self._scale
        self._norms = (x**2).sum(1)
        squares = self._distances(x)
        if tune:
            tried = [(self._likelihood(squares, z, length, noise), length, noise)
                     for length in LENGTHS for noise in NOISES]  # fmt: skip
            _, self._length, self._noise = max(tried)
        self._lower, self._weights = self._solve(squares, z, self._length, self._noise)
        self._variance = max(float(z @ self._weights) / len(z), 1e-3)

    def mean(self, x: Floats) -> Floats:
        """Expected values, (m,)."""
        return np.asarray(self._mean + self._scale * (self._kernel(self._distances(x)) @ self._weights))

    def spread(self, x: Floats) -> Floats:
        """Standard deviations of the function's values, (m,)."""
        from scipy.linalg import solve_triangular  # type: ignore[import-untyped]

        known = solve_triangular(self._lower, self._kernel(self._distances(x).T), lower=True)
        left = np.maximum(1e-6, 1.0 - (known**2).sum(axis=0))
        return np.asarray(self._scale * np.sqrt(self._variance * left))

    def _distances(self, x: Floats) -> Floats:
        """Squared distances to what was observed, (m, n)."""
        found = (x**2).sum(1)[:, None] + self._norms[None] - 2 * x @ self._x.T
        return np.asarray(np.maximum(found, 0.0))

    def _kernel(self, squares: Floats, length: float | None = None) -> Floats:
        return np.asarray(np.exp(-squares / (2 * (length or self._length) ** 2 * self._typical)))

    def _solve(self, squares: Floats, z: Floats, length: float, noise: float) -> tuple[Floats, Floats]:
        from scipy.linalg import cho_solve

        matrix = self._kernel(squares, length)
        matrix[np.diag_indices_from(matrix)] += noise
        lower = np.linalg.cholesky(matrix)
        return np.asarray(lower, float), np.asarray(cho_solve((lower, True), z))

    def _likelihood(self, squares: Floats, z: Floats, length: float, noise: float) -> float:
        """Log marginal likelihood with the best signal variance, up to a constant."""
        lower, weights = self._solve(squares, z, length, noise)
        variance = max(float(z @ weights) / len(z), 1e-3)
        return float(-0.5 * len(z) * np.log(variance) - np.log(np.diag(lower)).sum())


def typical_square(x: Floats) -> float:
    """Mean squared distance between two rows."""
    return float(2 * x.var(axis=0).sum()) or 1.0
