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

SAMPLES_LEAST, MOST_EPOCHS = 30_000, 200
"""Small data sets are seen more often, up to so many times, until a network has seen so many samples."""

LEAST_STEPS = 8
"""Optimiser steps that an epoch keeps: small data sets get small batches."""


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
    """Fidelity for a data set of `train_samples`: SAMPLES_FULL seen, between 3 and 30 epochs.

    Below 1,000 samples there are up to MOST_EPOCHS, so that SAMPLES_LEAST are seen, and batches shrink, so
    that an epoch keeps at least 8 optimiser steps.
    """
    usual = min(30.0, max(3.0, SAMPLES_FULL / train_samples))
    wanted = epochs if epochs is not None else max(usual, min(MOST_EPOCHS, SAMPLES_LEAST / train_samples))
    return Fidelity(wanted, max(1, min(128, train_samples // LEAST_STEPS)), max_s)
