"""What curves that ran to their end say about one that has not: regressions, weighted by prediction.

They are linear regressions with conjugate priors, so their predictions are Student's t distributions that
are wide while few curves are known and need no minimum number:

- `corrected`: where completed curves ended within their own parametric prediction (as normal scores), on how
  that prediction compares with the others'. It keeps the parametric mixture's form and moves and scales it.
- `direct`: the final angle's distance from the last one, on the last angle and the step before it;
- `scaled`: the same with noise in proportion to the parametric deviation: who begins late is less certain.

Their weights, together with the parametric mixture's, are their likelihoods of the completed curves, each
predicted from the others (stacking by leave-one-out; the exponent below 1 allows for curves being alike).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeml.train.curve_shapes import Floats, Mixture, extrapolate

ENOUGH_FOR_DIRECT = 4
DIRECT_DEVIATIONS = np.array([2.0, 0.3, 0.5])
"""Of the coefficients of `direct` before any curve is known: constant, last angle, last step."""
TEMPERING = 0.35
FLOOR = 1e-2
"""Least density (of an angle) that a prediction is charged with, so that no single miss decides."""


@dataclass(frozen=True, eq=False)
class Regression:
    """Bayesian linear regression, normal-inverse-gamma prior, fitted (Gelman et al., BDA3, 14.2 and 14.8).

    Attributes:
        precision: (d, d), prior's and data's, in units of 1 / noise variance.
        moment: (d,), precision times the coefficients.
        square: sum of squares of prior and data.
        degrees: prior's and data's degrees of freedom.
        rows: (n, d) features fitted.
        targets: (n,) values fitted.
    """

    precision: Floats
    moment: Floats
    square: float
    degrees: float
    rows: Floats
    targets: Floats

    def predict(self, row: Floats) -> tuple[float, float, float]:
        """Features (d,) -> centre, scale and degrees of freedom of a Student's t."""
        coefficients = np.linalg.solve(self.precision, self.moment)
        variance = (self.square - float(self.moment @ coefficients)) / self.degrees
        spread = 1.0 + float(row @ np.linalg.solve(self.precision, row))
        return float(row @ coefficients), float(np.sqrt(max(variance, 1e-10) * spread)), self.degrees

    def left_out_density(self) -> Floats:
        """Density of each fitted target as predicted from the others, (n,)."""
        from scipy.special import gammaln  # type: ignore[import-untyped]

        precisions = self.precision - self.rows[:, :, None] * self.rows[:, None, :]
        moments = self.moment - self.rows * self.targets[:, None]
        solved = np.linalg.solve(precisions, np.stack([moments, self.rows], -1))
        degrees = self.degrees - 1
        squares = self.square - self.targets**2 - (moments * solved[..., 0]).sum(1)
        spread = 1.0 + (self.rows * solved[..., 1]).sum(1)
        variances = np.maximum(squares, 1e-10) / degrees * spread
        misses = (self.targets - (self.rows * solved[..., 0]).sum(1)) ** 2 / variances
        constant = (
            gammaln((degrees + 1) / 2) - gammaln(degrees / 2) - 0.5 * np.log(np.pi * degrees * variances)
        )
        return np.asarray(np.exp(constant - (degrees + 1) / 2 * np.log1p(misses / degrees)))


def regress(
    rows: Floats, targets: Floats, prior: Floats, mean: Floats, scale: float, degrees: float
) -> Regression:
    """Fit targets (n,) on features (n, d).

    Args:
        rows: features, n may be 0.
        targets: values.
        prior: (d,), precision of each coefficient in units of 1 / noise variance.
        mean: (d,), coefficients before any data.
        scale: noise deviation before any data.
        degrees: how many observations that scale is worth.
    """
    precision = np.diag(prior) + rows.T @ rows
    moment = prior * mean + rows.T @ targets
    square = degrees * scale**2 + float(targets @ targets) + float(prior @ mean**2)
    return Regression(precision, moment, square, degrees + len(targets), rows, targets)


class Known:
    """Completed curves, seen up to the same checkpoints as the curve in question."""

    def __init__(self, progress: Floats, angles: Floats, finals: Floats) -> None:
        """Fit the regressions.

        Args:
            progress: (points,), at least one.
            angles: (curves, points), the completed curves so far.
            finals: (curves,), their final angles.
        """
        from scipy.special import ndtri

        mixture = extrapolate(progress, angles)
        self._centre, self._middle = float(mixture.mean.mean()), _movement(angles).mean(0)
        rows = np.column_stack([np.ones(len(angles)), (mixture.mean - self._centre) / 0.3])
        scores = ndtri(np.clip(mixture.below(finals), 1e-4, 1 - 1e-4))
        self._corrected = regress(rows, scores, np.array([1.0, 4.0]), np.zeros(2), 1.0, 8.0)
        gains, moved = finals - angles[:, -1], _movement(angles) - self._middle
        self._unit = 0.5 * float(np.median(mixture.deviation))
        self._direct = _direct(moved, gains, np.full(len(angles), self._unit))
        self._scaled = _direct(moved, gains, 0.5 * mixture.deviation)
        change = self._corrected.left_out_density() / _normal_density(scores)
        density = _density(mixture, finals)
        likelihoods = [density, density * change]
        if len(angles) >= ENOUGH_FOR_DIRECT:
            likelihoods.append(self._direct.left_out_density() / self._unit)
            likelihoods.append(self._scaled.left_out_density() / (0.5 * mixture.deviation))
        totals = TEMPERING * np.log(np.maximum(likelihoods, FLOOR)).sum(1)
        self.weights: Floats = np.exp(totals - totals.max()) / np.exp(totals - totals.max()).sum()

    def cumulative(self, mixture: Mixture, curve: Floats, angles: Floats) -> Floats:
        """Chance that a curve's final angle is below each of `angles`.

        Args:
            mixture: the curve's own parametric prediction.
            curve: (points,), its angles so far.
            angles: (n,).
        """
        from scipy.special import ndtri, stdtr

        parametric = mixture.cumulative(angles)
        row = np.array([1.0, (float(mixture.mean[0]) - self._centre) / 0.3])
        centre, scale, degrees = self._corrected.predict(row)
        scores = ndtri(np.clip(parametric, 1e-12, 1 - 1e-12))
        found = [parametric, stdtr(degrees, (scores - centre) / scale)]
        if len(self.weights) > len(found):
            row = np.concatenate([[1.0], _movement(curve[None])[0] - self._middle])
            for fitted, unit in (
                (self._direct, self._unit),
                (self._scaled, 0.5 * float(mixture.deviation[0])),
            ):
                centre, scale, degrees = fitted.predict(row / unit)
                found.append(stdtr(degrees, ((angles - curve[-1]) / unit - centre) / scale))
        return np.asarray(self.weights @ np.array(found))


def _movement(angles: Floats) -> Floats:
    """Curves (n, points) -> last angle and last step, (n, 2)."""
    last = angles[:, -1]
    return np.column_stack([last, last - angles[:, max(angles.shape[1] - 2, 0)]])


def _direct(moved: Floats, gains: Floats, units: Floats) -> Regression:
    """Gains (n,) on movements (n, 2), each curve's noise in proportion to its unit (n,)."""
    rows = np.column_stack([np.ones(len(gains)), moved]) / units[:, None]
    return regress(rows, gains / units, DIRECT_DEVIATIONS**-2, np.zeros(3), 1.0, 3.0)


def _normal_density(score: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * score**2) / np.sqrt(2 * np.pi))


def _density(mixture: Mixture, angles: Floats) -> Floats:
    """Density of each curve's mixture at its own final angle, (curves,)."""
    scores = (angles[:, None] - mixture.means) / mixture.deviations
    return np.asarray((mixture.weights * _normal_density(scores) / mixture.deviations).sum(1))
