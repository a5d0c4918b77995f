"""Learning curve so far -> predictive distribution of the final accuracy, and whether to train on.

Of a training whose cosine schedule was planned in advance, `Extrapolator` predicts the accuracy at its end:

- with no completed curve, by 170 parametric learning curves averaged by their likelihood (`curve_shapes`);
- with completed curves of the same schedule, by that average, the same average corrected by where completed
  curves ended within it, and two regressions of the final value on the last two; each is weighted by how well
  it predicts the completed curves from one another (`curve_known`).

Predicted is the float model's accuracy on the images of the curve; what int8 loses is the caller's to take
off. Curves that were stopped are not among the completed ones, which are therefore better than the average.

Figures and what was tried instead: docs/decisions/006-learning-curves.md, `python bench/curves.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeml.train.curve_known import Known
from edgeml.train.curve_shapes import Floats, extrapolate, normal_below, to_accuracy, to_angle

_ANGLES = np.linspace(0.0, np.pi, 501)
_ACCURACIES = to_accuracy(_ANGLES)
LATEST = 64
"""Completed curves used: three coefficients need no more, and a search's candidates drift."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is expected of a final accuracy; accuracies are 0..1.

    Attributes:
        mean: expected value.
        low: 5 % quantile.
        high: 95 % quantile.
        progress: share of the training done, 0..1.
        last: accuracy measured last; NaN where none is known.
        cumulative: chance of ending below each of 501 accuracies that are evenly spaced as angles.
    """

    mean: float
    low: float
    high: float
    progress: float
    last: float
    cumulative: Floats = field(repr=False)

    def chance_above(self, threshold: float) -> float:
        """Probability that the final accuracy is above `threshold`, 0..1."""
        if threshold >= 1.0 or threshold < 0.0:
            return float(threshold < 0.0)
        return float(1.0 - np.interp(float(to_angle(np.array(threshold))), _ANGLES, self.cumulative))


class Extrapolator:
    """Completed curves -> predictions of others of the same schedule."""

    def __init__(
        self, completed: Sequence[Sequence[float]] = (), checkpoints: Sequence[float] | None = None
    ) -> None:
        """Remember the completed curves.

        Args:
            completed: accuracies of each at its checkpoints, the last at the end of training. Curves with
                fewer than two of them, or without a finite final value, are left out.
            checkpoints: share of training at each checkpoint, rising to 1; evenly spaced if not given.

        Raises:
            ValueError: a curve of another length than `checkpoints`, or an accuracy outside 0..1.
        """
        self._curves: list[tuple[Floats, Floats]] = []
        for values in completed:
            accuracies = np.asarray(values, np.float64)
            places = np.arange(1, len(accuracies) + 1) / max(len(accuracies), 1)
            places = places if checkpoints is None else np.asarray(checkpoints, np.float64)
            places, angles = _angles(places, accuracies)
            if len(angles) >= 2 and places[-1] >= 1.0:
                self._curves.append((places, angles))
        self._curves = self._curves[-LATEST:]
        self._known: dict[tuple[float, ...], Known] = {}

    def __len__(self) -> int:
        """Completed curves in use."""
        return len(self._curves)

    def predict(self, curve: Sequence[tuple[float, float]]) -> Prediction:
        """A curve so far -> what to expect of its end.

        Args:
            curve: (share of training done 0..1, accuracy 0..1) in order; accuracies that are not finite are
                left out, and without any left the prediction is what is known of other curves.

        Raises:
            ValueError: shares that do not rise or are outside 0..1, an accuracy outside 0..1.
        """
        points = np.asarray(curve, np.float64).reshape(-1, 2)
        progress, angles = _angles(points[:, 0], points[:, 1])
        done = float(points[-1, 0]) if len(points) else 0.0
        last = float(to_accuracy(angles[-1])) if len(angles) else math.nan
        if len(progress) and progress[-1] >= 1.0:
            return Prediction(last, last, last, 1.0, last, np.where(last <= _ACCURACIES, 1.0, 0.0))
        if len(progress) and self._curves:
            known = self._seen_until(progress)
            mixture = extrapolate(progress, angles[None])
            return summarise(known.cumulative(mixture, angles, _ANGLES), done, last)
        if self._curves:
            return summarise(self._of_finals(), done, last)
        return summarise(extrapolate(progress, angles[None]).cumulative(_ANGLES), done, last)

    def _seen_until(self, progress: Floats) -> Known:
        key = tuple(progress.tolist())
        if key not in self._known:
            angles = np.array([np.interp(progress, *curve) for curve in self._curves])
            finals = np.array([curve[1][-1] for curve in self._curves])
            self._known[key] = Known(progress, angles, finals)
        return self._known[key]

    def _of_finals(self) -> Floats:
        """Before any point of a curve: the completed finals, smoothed, and the prior as one curve more."""
        nothing = extrapolate(np.empty(0), np.empty((1, 0)))
        finals = np.array([curve[1][-1] for curve in self._curves])
        width = max(float(finals.std()), 0.1)
        smoothed = normal_below((_ANGLES[:, None] - finals) / width).sum(1) + nothing.cumulative(_ANGLES)
        return np.asarray(smoothed / (len(finals) + 1))


def should_stop(prediction: Prediction, needed: float, threshold: float = 0.05, at: str = "") -> str | None:
    """Whether a training is not worth going on with.

    Args:
        prediction: of its final accuracy.
        needed: accuracy that joins the front at its cost (`needed_accuracy`), 0..1.
        threshold: smallest chance of reaching it that is worth the training.
        at: the cost in words, for the sentence, such as "1.2 MMACs".

    Returns:
        The reason in one sentence, or None to go on.
    """
    chance = prediction.chance_above(needed)
    if needed <= 0.0 or prediction.progress >= 1.0 or chance >= threshold:
        return None
    done = f"{100 * prediction.progress:.0f} % of training done, " if prediction.progress > 0 else ""
    so_far = f"{100 * prediction.last:.1f} % so far, " if math.isfinite(prediction.last) else ""
    spread = f"{100 * prediction.low:.1f} to {100 * prediction.high:.1f}"
    return (
        f"{done}{so_far}expected {100 * prediction.mean:.1f} % ({spread}), {100 * needed:.1f} % needed "
        f"to join the front{f' at {at}' if at else ''}: chance {_percent(chance)}"
    )


def needed_accuracy(front_points: Sequence[tuple[float, ...]], costs: Sequence[float]) -> float:
    """The accuracy above which a candidate of these costs joins a front, 0..1; 0 if nothing is as cheap.

    Args:
        front_points: (error 0..1, costs...), all minimised.
        costs: of the candidate, in the same order.

    Raises:
        ValueError: a point with another number of costs.
    """
    if any(len(point) != len(costs) + 1 for point in front_points):
        raise ValueError(f"a front of {len(front_points[0]) - 1} costs and a candidate of {len(costs)}")
    errors = [
        error
        for error, *theirs in front_points
        if all(there <= here for there, here in zip(theirs, costs, strict=True))
    ]
    return max(0.0, 1.0 - min(errors)) if errors else 0.0


def _percent(chance: float) -> str:
    return "below 1 %" if chance < 0.01 else f"{100 * chance:.0f} %"


def _angles(progress: Floats, accuracies: Floats) -> tuple[Floats, Floats]:
    """Checks, and drops what is not finite: shares (n,) and accuracies (n,) -> shares and angles (m,)."""
    if progress.shape != accuracies.shape:
        raise ValueError(f"{len(progress)} checkpoints and {len(accuracies)} accuracies")
    if not (np.diff(progress, prepend=0.0) >= 0).all() or not (progress <= 1.0 + 1e-9).all():
        raise ValueError(f"shares of training are {progress.tolist()}, expected rising in 0..1")
    finite = np.isfinite(accuracies)
    if ((accuracies[finite] < 0) | (accuracies[finite] > 1)).any():
        raise ValueError(f"accuracies are {accuracies.tolist()}, expected 0..1")
    return progress[finite], to_angle(accuracies[finite])


def summary_angles() -> Floats:
    """The angles, 0 to pi, at which `summarise` wants cumulative chances, (501,)."""
    return _ANGLES


def summarise(cumulative: Floats, progress: float, last: float) -> Prediction:
    """Chances of ending below each of `summary_angles` -> prediction; the ends take what is beyond them."""
    rising = np.maximum.accumulate(np.clip(cumulative, 0.0, 1.0))
    rising[-1] = 1.0
    middles = (_ACCURACIES[1:] + _ACCURACIES[:-1]) / 2
    mean = float(np.diff(rising) @ middles + rising[0] * _ACCURACIES[0])
    steep = rising + np.arange(len(rising)) * 1e-12  # np.interp wants its points in rising order
    low, high = to_accuracy(np.interp([0.05, 0.95], steep, _ANGLES))
    return Prediction(mean, float(low), float(high), progress, last, rising)
