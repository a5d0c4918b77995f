"""A Gaussian process over vectors: the surrogate's regression (Rasmussen & Williams 2006, ch. 2 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[Any]
"""Single precision."""
LENGTHS = (0.3, 0.45, 0.6, 0.85, 1.2, 2.0)
"""Length scales that are tried, in typical distances between two points."""
NOISES = (3e-3, 1e-2, 3e-2, 1e-1)
"""Shares of noise in the variance that are tried."""


class GaussianProcess:
    """Squared-exponential kernel, constant mean; length and noise by marginal likelihood.

    Observations that are added to those of the last fit take n**2 operations each, not n**3.

    Args:
        typical: typical squared distance between two points, the unit of lengths.

    Attributes:
        generation: counts fits that were made from nothing; between them rows are only added.
        rows: observations.
        lower: Cholesky factor of their covariance, in units of the signal's variance.
        white: their values, standardised and whitened by it.
    """

    def __init__(self, typical: float) -> None:
        self._typical = max(typical, 1e-9)
        self._length, self._noise = LENGTHS[3], NOISES[1]
        self._x: Floats = np.zeros((0, 0))
        self._mean, self._scale, self._variance = 0.0, 1.0, 1.0
        self.generation = 0
        self.lower: Floats = np.zeros((0, 0))
        self.white: Floats = np.zeros(0)

    @property
    def rows(self) -> int:
        """Observations."""
        return len(self._x)

    def fit(self, x: Floats, y: Floats, tune: bool) -> None:
        """Take up observations; where `x` begins with the rows of the last fit, the others are added.

        Args:
            x: (n, d).
            y: (n,).
            tune: choose length and noise anew (24 factorisations).
        """
        from scipy.linalg import solve_triangular  # type: ignore[import-untyped]

        known = len(self._x)
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        z = (y - self._mean) / self._scale
        if tune or not known or len(x) < known or not np.array_equal(x[:known], self._x):
            self.lower = np.zeros((0, 0))  # not held beside the new one
            squares = _distances(x, x)
            if tune:
                tried = [(self._likelihood(squares, z, length, noise), length, noise)
                         for length in LENGTHS for noise in NOISES]  # fmt: skip
                _, self._length, self._noise = max(tried)
            self.lower = self._factor(squares, self._length, self._noise)
            self.generation += 1
        elif len(x) > known:
            self.lower = self._grown(x[:known], x[known:])
        self._x = x
        self.white = np.asarray(solve_triangular(self.lower, z, lower=True, check_finite=False))
        self._variance = max(float(self.white @ self.white) / len(z), 1e-3)

    def _grown(self, old: Floats, new: Floats) -> Floats:
        """The factor with rows added."""
        from scipy.linalg import solve_triangular

        between = solve_triangular(
            self.lower, self._kernel(_distances(old, new)), lower=True, check_finite=False
        )
        corner = self._kernel(_distances(new, new)) - between.T @ between
        corner[np.diag_indices_from(corner)] += self._noise
        count = len(self.lower)
        lower = np.zeros((count + len(new), count + len(new)))
        lower[:count, :count] = self.lower
        lower[count:, :count] = between.T
        lower[count:, count:] = np.linalg.cholesky(corner)
        return lower

    def covariances(self, x: Singles, first: int = 0) -> Floats:
        """Covariances of vectors with the observations from row `first` on, (n - first, m)."""
        return self._kernel(_distances(self._x[first:].astype(x.dtype), x))

    def means(self, whitened: Floats) -> Floats:
        """Expected values from whitened covariances (n, m), (m,)."""
        found = self.white.astype(whitened.dtype) @ whitened
        return np.asarray(self._mean + self._scale * found.astype(float))

    def spreads(self, explained: Floats) -> Floats:
        """Standard deviations of the function's values from whitened covariances' sums of squares, (m,)."""
        left = np.maximum(1e-6, 1.0 - explained)
        return np.asarray(self._scale * np.sqrt(self._variance * left))

    def _kernel(self, squares: Floats, length: float | None = None) -> Floats:
        squares = squares * (-1 / (2 * (length or self._length) ** 2 * self._typical))
        return np.asarray(np.exp(squares, out=squares))

    def _factor(self, squares: Floats, length: float, noise: float) -> Floats:
        from scipy.linalg import cholesky

        matrix = self._kernel(squares, length)
        matrix[np.diag_indices_from(matrix)] += noise
        # Symmetric, so its transpose is itself in the order that LAPACK overwrites.
        return np.asarray(cholesky(matrix.T, lower=True, overwrite_a=True, check_finite=False))

    def _likelihood(self, squares: Floats, z: Floats, length: float, noise: float) -> float:
        """Log marginal likelihood with the best signal variance, up to a constant."""
        from scipy.linalg import solve_triangular

        lower = self._factor(squares, length, noise)
        white = solve_triangular(lower, z, lower=True, check_finite=False)
        variance = max(float(white @ white) / len(z), 1e-3)
        return float(-0.5 * len(z) * np.log(variance) - np.log(np.diag(lower)).sum())


class Followed:
    """Points whose predictions are kept up while observations are added to a process.

    Of every point its whitened covariances with the observations are held, in single precision: a new
    observation is one row more, and a mean or a deviation one sum.

    Args:
        process: predicts.
        vectors: keys of points -> their vectors, (m, d).
    """

    def __init__(self, process: GaussianProcess, vectors: Callable[[Sequence[str]], Floats]) -> None:
        self._process, self._vectors = process, vectors
        self._place: dict[str, int] = {}
        self._x: Singles = np.zeros((0, 0), np.float32)
        self._room: Singles = np.zeros((0, 0), np.float32)
        self._explained: Floats = np.zeros(0)
        self._state = (0, 0)

    def mean(self, keys: Sequence[str]) -> Floats:
        """Expected values, (m,)."""
        places = self._places(keys)
        return self._process.means(self._white())[places]

    def spread(self, keys: Sequence[str]) -> Floats:
        """Standard deviations of the function's values, (m,)."""
        return self._process.spreads(self._explained[self._places(keys)])

    def forget(self, stay: Collection[str]) -> None:
        """Drop all points but these."""
        kept = {key: place for key, place in self._place.items() if key in stay}
        places = list(kept.values())
        self._x, self._explained = self._x[places], self._explained[places]
        self._room = np.ascontiguousarray(self._room[:, places])
        self._place = {key: place for place, key in enumerate(kept)}

    def _white(self) -> Singles:
        """Whitened covariances, (n, points): a part of the room that there is for more of both."""
        return self._room[: self._state[1], : len(self._place)]

    def _places(self, keys: Sequence[str]) -> list[int]:
        """Where the points are, all brought up to date."""
        self._update()
        missing = list(dict.fromkeys(key for key in keys if key not in self._place))
        if missing:
            self._put(missing)
        return [self._place[key] for key in keys]

    def _update(self) -> None:
        """Rows for the observations that are new."""
        process = self._process
        state = (process.generation, process.rows)
        if state == self._state:
            return
        first = self._state[1] if self._state[0] == process.generation else 0
        before, self._state = self._white()[:first], state
        self._make_room(process.rows, len(self._place))
        if not self._place:
            return
        added = process.covariances(self._x, first)
        if first:
            added -= process.lower[first:, :first].astype(np.float32) @ before
        white = _solved(process.lower[first:, first:], added)
        self._white()[first:] = white
        self._explained = _squares(white) + (self._explained if first else 0.0)

    def _put(self, keys: Sequence[str]) -> None:
        x = self._vectors(keys).astype(np.float32)
        white = _solved(self._process.lower, self._process.covariances(x))
        count = len(self._place)
        self._make_room(len(white), count + len(keys))
        self._place.update(zip(keys, range(count, count + len(keys)), strict=True))
        self._white()[:, count:] = white
        self._x = np.concatenate([self._x, x]) if count else x
        self._explained = np.concatenate([self._explained, _squares(white)])

    def _make_room(self, rows: int, points: int) -> None:
        room = self._room.shape
        if rows > room[0] or points > room[1]:
            wider = np.zeros((max(rows * 9 // 8, room[0]), max(points * 9 // 8, room[1])), np.float32)
            wider[: room[0], : room[1]] = self._room
            self._room = wider


def _solved(lower: Floats, right: Singles) -> Singles:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(lower.astype(np.float32), right, lower=True, check_finite=False))


def _squares(white: Singles) -> Floats:
    return np.asarray(np.einsum("ij,ij->j", white, white), float)


def _distances(a: Floats, b: Floats) -> Floats:
    """Squared distances between rows, (len(a), len(b))."""
    found = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(found, 0.0, out=found))


def typical_square(x: Floats) -> float:
    """Mean squared distance between two rows."""
    return float(2 * x.var(axis=0).sum()) or 1.0
