"""Accuracy at a lower fidelity -> predictive distribution of the accuracy at full fidelity.

A Bayesian straight line between the angles 2 asin(sqrt(accuracy)) of the two (`curve_known.regress`): wide
while few pairs are known, the run's own line and scatter afterwards. Before that, full training gains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgeml.train.curve_known import regress
from edgeml.train.curve_shapes import to_angle
from edgeml.train.curves import Prediction, summarise, summary_angles

GAIN_PRIOR = (0.25, 0.25)
"""Mean and deviation of the angle gained between fidelities: 0.80 becomes 0.89, 0.80 to 0.96."""
SLOPE_DEVIATION = 0.4
"""The line's slope is 1 before any pair is known, give or take this."""
SCATTER_PRIOR = (0.1, 4.0)
"""Deviation of angles about the line before any pair is known, and how many pairs that is worth."""


class RungModel:
    """Pairs (accuracy at the lower fidelity, accuracy at full fidelity) of this run -> predictions."""

    def __init__(self, pairs: Sequence[tuple[float, float]] = ()) -> None:
        """Fit the line.

        Args:
            pairs: accuracies 0..1; pairs with a value that is not finite are left out.
        """
        both = np.asarray(pairs, np.float64).reshape(-1, 2)
        both = both[np.isfinite(both).all(1)]
        low, full = to_angle(both[:, 0]), to_angle(both[:, 1])
        self._count, self._middle = len(both), float(low.mean()) if len(both) else math.nan
        rows = np.column_stack([np.ones(len(both)), low - self._middle])
        scatter, worth = SCATTER_PRIOR
        prior = np.array([scatter / GAIN_PRIOR[1], scatter / SLOPE_DEVIATION]) ** 2
        # targets are gains less the expected one, so that coefficients of zero are the prior's line
        self._line = regress(rows, full - low - GAIN_PRIOR[0], prior, np.zeros(2), scatter, worth)

    def __len__(self) -> int:
        """Pairs in use."""
        return self._count

    def predict(self, accuracy: float, progress: float = 0.0) -> Prediction:
        """Accuracy at the lower fidelity, 0..1 -> what to expect at the full one.

        Args:
            accuracy: measured; if not finite, nothing is known and the prediction is 0 to 1.
            progress: the lower fidelity's share of full training, 0..1, for the words of `should_stop`.
        """
        from scipy.special import stdtr  # type: ignore[import-untyped]

        angles = summary_angles()
        if not math.isfinite(accuracy):
            return summarise(angles / np.pi, progress, math.nan)
        angle = float(to_angle(np.array(accuracy)))
        centre, scale, degrees = self._line.predict(
            np.array([1.0, angle - self._middle if self._count else 0.0])
        )
        middle = angle + GAIN_PRIOR[0] + centre
        return summarise(stdtr(degrees, (angles - middle) / scale), progress, accuracy)
