"""Recipe: training settings that are not architecture, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Training settings that are not architecture.

    Attributes:
        learning_rate: peak of the cosine schedule (Adam).
        weight_decay: decoupled, on kernels.
        label_smoothing: 0..1.
        shift: largest random translation as a fraction of the side.
        flip: random horizontal mirror.
    """

    learning_rate: float = 8e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    shift: float = 0.1
    flip: bool = False


def default_recipe(channels: int) -> Recipe:
    """Colour photographs are mirrored at random; grey images (digits, spectrograms) are not."""
    return Recipe(flip=channels == 3)
