"""BatchNorm's statistics after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATISTICS_BATCHES = 16

Mean = Callable[[NDArray[np.int64]], Any]
"""Indices (n, batch) -> mean of those batches' statistics (s,) float32."""


def estimate_statistics(network: Any, mean: Mean, take: Callable[[int], NDArray[np.int64]]) -> None:
    """Replace BatchNorm's moving averages by plain means over some batches, weights unchanged.

    Args:
        network: trained.
        mean: of the statistics of batches, weights unchanged.
        take: count -> indices of that many batches (count, batch).
    """
    network.statistics.assign(mean(take(STATISTICS_BATCHES)))
