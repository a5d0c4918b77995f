"""Watches the full training of a candidate and ends it where it will hardly join the front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeml.data.dataset import Split
from edgeml.search.evaluate import Order
from edgeml.train.curves import Extrapolator, Prediction, should_stop
from edgeml.train.fit import FitResult
from edgeml.train.watch import CurvePoint, Watch

EARLIEST = 0.2
"""Share of a training before which nothing is stopped: warm-up tells little."""
KNOWN_CURVES = 8
"""Completed curves before a training that starts from trained weights is stopped: its accuracy falls at
first, when the learning rate is warmed up again, which no parametric curve does."""
WORTH_WATCHING = 10
"""Checkpoints of a training."""


class Watching:
    """What one training is watched for; `watch` is what `fit` takes.

    Args:
        order: the training.
        val: what its curve is measured on.
        warm: it starts from trained weights.
    """

    def __init__(self, order: Order, val: Split, warm: bool) -> None:
        self._order, self._warm = order, warm
        self._extrapolator = Extrapolator(order.curves)
        self._last: Prediction | None = None
        self.watch = Watch(val, self._judge, WORTH_WATCHING) if order.top else None

    def _judge(self, curve: Sequence[CurvePoint], epochs: float) -> str | None:
        if self._order.needed <= 0 or (self._warm and len(self._order.curves) < KNOWN_CURVES):
            return None
        points = [(min(1.0, p.epoch / epochs), p.accuracy) for p in curve]
        if points[-1][0] < EARLIEST:
            return None
        self._last = self._extrapolator.predict(points)
        return should_stop(self._last, self._order.needed)

    def found(self, result: FitResult) -> dict[str, Any]:
        """What the candidate's row of this rung says of its curve."""
        if self.watch is None:
            return {}
        row: dict[str, Any] = {"curve": [point.accuracy for point in result.curve]}
        if result.stopped:
            row |= {"stopped": True, "expected": self._last.mean if self._last else None}
        return row
