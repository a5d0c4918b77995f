"""Parametric learning curves: the accuracies so far -> a mixture of normals for the final one.

Every member is a saturating curve y(t) = y(1) - s h(t), where h falls to 0 at the end of training, t = 1. Its
shape h comes from the families of Domhan et al. 2015 ("Speeding up automatic hyperparameter optimization",
IJCAI; power laws, Weibull, MMF, log) on a grid of their non-linear parameters, in two clocks: the share of
steps done, and the share of the cosine schedule's learning rate spent. What is left, y(1), s and the size of
the noise, is linear regression with normal priors in closed form; members are weighted by their marginal
likelihood. So a fit is a handful of array operations, without iteration and without a failure to converge.

All of it works on angles 2 asin(sqrt(accuracy)): the variance of a counted accuracy is 1/n there whatever the
accuracy is, and nothing can be predicted above 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIRST = 0.1
"""Share of training at which the rise s that is still to come is counted."""
FINAL_PRIOR = (2.4, 0.6)
"""Mean and deviation of the final angle before anything is seen: an accuracy of 0.87, 0.60 to 0.99."""
RISE_PRIOR = (1.0, 1.0)
"""Mean and deviation of the angle gained from FIRST to the end."""
NOISE = 0.03
"""Deviation of a measured angle at the end of training; 2,000 images alone give 0.022."""
NOISE_FACTORS = (0.5, 1.0, 2.0, 4.0)
NOISE_CHANCES = (0.3, 0.4, 0.2, 0.1)
EARLY_VARIANCE = 8.0
"""How much larger the variance is at full learning rate than at the end, where weights rest."""
NEGLIGIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class Mixture:
    """Normals for the final angle, one row for each curve.

    Attributes:
        weights: (curves, members), each row sums to 1.
        means: (curves, members).
        deviations: (curves, members).
    """

    weights: Floats
    means: Floats
    deviations: Floats

    @property
    def mean(self) -> Floats:
        """Mean of each curve's mixture, (curves,)."""
        return np.asarray((self.weights * self.means).sum(1))

    @property
    def deviation(self) -> Floats:
        """Standard deviation of each curve's mixture, (curves,)."""
        second = (self.weights * (self.deviations**2 + self.means**2)).sum(1)
        return np.asarray(np.sqrt(np.maximum(second - self.mean**2, 1e-12)))

    def below(self, angles: Floats) -> Floats:
        """Chance that the final angle of curve i is below angles[i]; (curves,) -> (curves,)."""
        chances = normal_below((angles[:, None] - self.means) / self.deviations)
        return np.asarray((self.weights * chances).sum(1))

    def cumulative(self, angles: Floats) -> Floats:
        """Chance that the first curve's final angle is below each of `angles`, (n,) -> (n,)."""
        kept = self.weights[0] > NEGLIGIBLE * self.weights[0].max()
        weights, means, deviations = self.weights[0, kept], self.means[0, kept], self.deviations[0, kept]
        chances = normal_below((angles[:, None] - means) / deviations)
        return np.asarray(chances @ (weights / weights.sum()))


def to_angle(accuracy: Floats) -> Floats:
    """Accuracy 0..1 -> 2 asin(sqrt(accuracy)), 0..pi."""
    return 2.0 * np.arcsin(np.sqrt(np.clip(accuracy, 0.0, 1.0)))


def to_accuracy(angle: Floats) -> Floats:
    """Angle -> accuracy 0..1; angles beyond 0..pi are cut off."""
    return np.asarray(np.sin(np.clip(angle, 0.0, np.pi) / 2.0) ** 2)


def normal_below(scores: Floats) -> Floats:
    """Standard normal distribution function."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    return np.asarray(ndtr(scores))


def noise_variance(progress: Floats) -> Floats:
    """Variance of a measured angle, as a multiple of that at the end of training."""
    return 1.0 + (EARLY_VARIANCE - 1.0) * 0.5 * (1.0 + np.cos(np.pi * progress))


def extrapolate(progress: Floats, angles: Floats) -> Mixture:
    """Curves of the same checkpoints -> mixtures for what would be measured at the end.

    Args:
        progress: (points,), share of training done, each in 0..1; may be empty.
        angles: (curves, points), all finite.
    """
    shapes, prior = _shapes(tuple(progress.tolist())), _member_chances()
    mean, rise = FINAL_PRIOR[0], RISE_PRIOR[0]
    precision, rise_precision = FINAL_PRIOR[1] ** -2, RISE_PRIOR[1] ** -2
    inverse = 1.0 / noise_variance(progress)
    left = angles[:, None, :] - (mean - rise * shapes)[None]  # what the prior means do not explain
    sigma2 = (NOISE * np.array(NOISE_FACTORS)) ** 2  # axes of all that follows: curve, shape, noise
    p11 = (inverse.sum() / sigma2 + precision)[None, None, :]
    p12 = (-(shapes @ inverse)[:, None] / sigma2)[None]
    p22 = ((shapes**2 @ inverse)[:, None] / sigma2 + rise_precision)[None]
    g1 = (left @ inverse)[..., None] / sigma2
    g2 = -(left * shapes) @ inverse
    g2 = g2[..., None] / sigma2
    determinant = p11 * p22 - p12**2
    final, slope = (p22 * g1 - p12 * g2) / determinant, (p11 * g2 - p12 * g1) / determinant
    squares = ((left**2) @ inverse)[..., None] / sigma2
    evidence = -0.5 * (
        len(progress) * np.log(sigma2) + np.log(determinant) + squares - g1 * final - g2 * slope
    )
    evidence = evidence + prior[None, :, None] + np.log(NOISE_CHANCES)
    # a curve that falls as it is trained is noise, not a shape: the rise is above zero
    evidence = evidence + np.log(normal_below((rise + slope) / np.sqrt(p11 / determinant)) + 1e-12)
    curves = len(angles)
    evidence = evidence.reshape(curves, -1)
    weights = np.exp(evidence - evidence.max(1, keepdims=True))
    variance = np.broadcast_to(p22 / determinant + sigma2, final.shape)
    return Mixture(
        weights / weights.sum(1, keepdims=True),
        mean + final.reshape(curves, -1),
        np.sqrt(variance).reshape(curves, -1),
    )


def _families(t: Floats) -> dict[str, list[Floats]]:
    """Falling curves over a clock `t` in 0..1, by family."""
    rates = (1.0, 2.0, 3.5, 6.0, 10.0, 20.0)
    return {
        "pow4": [(t + b) ** -a for a in (0.25, 0.5, 1.0, 2.0, 4.0) for b in (0.0, 0.03, 0.1, 0.3)],
        "weibull": [np.exp(-((k * t) ** d)) for d in (0.5, 0.75, 1.0, 1.5, 2.5) for k in rates],
        "mmf": [1.0 / (1.0 + (k * t) ** d) for d in (0.7, 1.0, 1.5, 2.5, 4.0) for k in rates],
        "ilog": [1.0 / np.log1p(k * t) for k in (1.0, 3.0, 10.0, 30.0, 100.0)],
    }


def _clocks(progress: Floats) -> tuple[Floats, Floats]:
    """Share of steps done, and share of the cosine's learning rate spent."""
    return progress, progress + np.sin(np.pi * progress) / np.pi


@lru_cache(maxsize=256)
def _shapes(progress: tuple[float, ...]) -> Floats:
    """Members' h at the checkpoints, (members, points): 1 at FIRST, 0 at the end."""
    places = np.array([FIRST, 1.0, *(max(t, 1e-3) for t in progress)])
    rows = np.array([row for t in _clocks(places) for rows in _families(t).values() for row in rows])
    first, end = rows[:, :1], rows[:, 1:2]
    shapes: Floats = (rows[:, 2:] - end) / (first - end)
    shapes.setflags(write=False)
    return shapes


@lru_cache(maxsize=1)
def _member_chances() -> Floats:
    """Logarithms of the members' prior chances: families and clocks alike, members alike within them."""
    sizes = [len(rows) for rows in _families(np.array([1.0])).values()] * 2
    chances = np.concatenate([np.full(size, 1.0 / (size * len(sizes))) for size in sizes])
    return np.asarray(np.log(chances))
