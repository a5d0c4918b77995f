"""Fidelity: how much training a candidate gets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.data.split import stratified_order
from edgeml.errors import ConfigError

SAMPLES_FULL = 180_000
"""Samples a candidate sees at full fidelity. Fashion-MNIST (51,000 training images): 3.5 epochs."""

EPOCHS_FEW, SAMPLES_LEAST, MOST_EPOCHS = 20.0, 50_000, 200
"""Smaller data sets are seen so many times; the smallest more often, up to so many times, until a network has
seen so many samples (docs/decisions/013-time.md)."""

STEPS_FULL, BATCHES = 2_000, (128, 64, 32)
"""Full training wants so many optimiser steps: the largest of these batches that gives them, or 32."""

LEAST_STEPS = 8
"""Optimiser steps that an epoch keeps: the smallest data sets get still smaller batches."""


@dataclass(frozen=True)
class Fidelity:
    """A share of full training.

    Attributes:
        epochs: passes over the samples used (may be fractional).
        batch_size: samples a step.
        max_s: wall-clock seconds after which the schedule is shortened; 0 for no limit.
        data_fraction: share of the training split that is used, above 0 and at most 1.
        resolution: factor on the input's height and width; the caller applies it (arch/scale.py).
        width: factor on channels; the caller applies it.
        cells: factor on cells per stage; the caller applies it.
    """

    epochs: float
    batch_size: int = 128
    max_s: float = 0.0
    data_fraction: float = 1.0
    resolution: float = 1.0
    width: float = 1.0
    cells: float = 1.0

    def __post_init__(self) -> None:
        for name in ("data_fraction", "resolution", "width", "cells"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(f"fidelity: {name} is {value}, expected above 0 and at most 1.")
        if not 0 < self.epochs < math.inf or self.batch_size < 1 or not 0 <= self.max_s < math.inf:
            raise ConfigError(
                f"fidelity: {self.epochs} epochs in batches of {self.batch_size} for {self.max_s} s, "
                "expected epochs above 0, a batch of at least 1 and no negative time."
            )

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values; Fidelity(**values) is its inverse."""
        return asdict(self)

    def subset(self, labels: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
        """Positions of the samples used, ascending; stratified, and nested for rising fractions of one seed.

        Returns:
            None for all of them.
        """
        if self.data_fraction == 1:
            return None
        count = max(1, round(self.data_fraction * len(labels)))
        return np.sort(stratified_order(labels, np.random.default_rng(seed))[:count])

    def batch(self, samples: int, wanted: int | None) -> int:
        """Samples a step: as `wanted` or this fidelity's; fewer where an epoch would lack LEAST_STEPS."""
        return max(1, min(wanted or self.batch_size, samples // LEAST_STEPS))


def full_fidelity(train_samples: int, epochs: float | None = None, max_s: float = 0.0) -> Fidelity:
    """Fidelity for a data set of `train_samples`: SAMPLES_FULL seen, 3 epochs at least, EPOCHS_FEW if less.

    Below 2,500 samples there are up to MOST_EPOCHS, so that SAMPLES_LEAST are seen. Batches are those that
    give STEPS_FULL by the usual epochs, whatever `epochs` is, and leave an epoch at least 8 steps.
    """
    seen = min(SAMPLES_FULL, max(SAMPLES_LEAST, EPOCHS_FEW * train_samples))
    usual = min(MOST_EPOCHS, max(3.0, seen / train_samples))
    usual = round(usual) if usual >= 10 else usual
    enough = [batch for batch in BATCHES if usual * train_samples >= STEPS_FULL * batch]
    batch = min(enough[0] if enough else BATCHES[-1], train_samples // LEAST_STEPS)
    return Fidelity(usual if epochs is None else epochs, max(1, batch), max_s)
