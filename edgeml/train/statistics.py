"""BatchNorm's statistics after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATISTICS_BATCHES = 16


def estimate_statistics(network: Any, step: Any, take: Callable[[int], NDArray[np.int64]]) -> None:
    """Replace BatchNorm's moving averages by plain means over some batches, weights unchanged.

    The training step runs with learning rate zero, so that nothing needs tracing again.

    Args:
        network: trained.
        step: of `edgeml.train.loop.Loop`.
        take: count -> indices of that many batches (count, batch).
    """
    found = [step(indices, np.float32(0))[2].numpy() for indices in take(STATISTICS_BATCHES)]
    network.statistics.assign(np.mean(found, 0, np.float64).astype(np.float32))
