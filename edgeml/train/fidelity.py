"""Fidelity: how much training a candidate gets."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SAMPLES_FULL = 180_000
"""Samples a candidate sees at full fidelity. Fashion-MNIST (51,000 training images): 3.5 epochs."""


@dataclass(frozen=True)
class Fidelity:
    """A share of full training.

    Attributes:
        epochs: passes over the training split (may be fractional).
        batch_size: samples a step.
        max_s: wall-clock seconds after which the schedule is shortened; 0 for no limit.
    """

    epochs: float
    batch_size: int = 128
    max_s: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return asdict(self)


def full_fidelity(train_samples: int, epochs: float | None = None, max_s: float = 0.0) -> Fidelity:
    """Fidelity for a data set of `train_samples`: SAMPLES_FULL seen, between 3 and 30 epochs.

    Below 1,000 samples batches shrink, so that an epoch keeps at least 8 optimiser steps.
    """
    wanted = epochs if epochs is not None else min(30.0, max(3.0, SAMPLES_FULL / train_samples))
    return Fidelity(wanted, max(1, min(128, train_samples // 8)), max_s)
