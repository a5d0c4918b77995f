"""Recipe: training settings that are not architecture, as plain data."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.layers import Shape
from edgeml.errors import ConfigError, UnknownNameError


@dataclass(frozen=True)
class Recipe:
    """Training settings that are not architecture. Dropout and activation are the Arch's.

    Attributes:
        learning_rate: peak of the cosine schedule, in Adam's scale; "sgd" multiplies it (train/optimiser.py).
        weight_decay: decoupled (Loshchilov & Hutter 2019), on kernels.
        label_smoothing: 0..1.
        shift: largest random translation as a fraction of the side, at augmentation 1.
        flip: random horizontal mirror.
        optimiser: one of OPTIMISERS.
        batch_size: samples a step; None leaves it to the fidelity.
        initialiser: of convolution kernels, one of INITIALISERS.
        augmentation: strength; multiplies `shift`, `speed`, `gain` and `noise`, and 0 switches all off.
        compression: what a fully trained network goes through before it is scored, one of COMPRESSIONS.
        speed: largest random change of tempo (stretch along the height), as a fraction.
        gain: largest random change of amplitude around the middle of the range, as a fraction.
        noise: standard deviation of what is added to each value, as a fraction of the range.
        shift_across: whether `shift` moves along the width too; the height of a spectrogram is time.
    """

    learning_rate: float = 8e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    shift: float = 0.1
    flip: bool = False
    optimiser: str = "adam"
    batch_size: int | None = None
    initialiser: str = "he_normal"
    augmentation: float = 1.0
    compression: str = "none"
    speed: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    shift_across: bool = True

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise UnknownNameError("optimiser", self.optimiser, OPTIMISERS)
        if self.initialiser not in INITIALISERS:
            raise UnknownNameError("initialiser", self.initialiser, INITIALISERS)
        if self.compression not in COMPRESSIONS:
            raise UnknownNameError("compression", self.compression, COMPRESSIONS)
        for name, (least, most, refused) in LIMITS.items():
            value = getattr(self, name)
            if value is None or ((least < value or (least == value and not refused)) and value <= most):
                continue
            bound = f"{'above' if refused else 'at least'} {least:g} and at most {most:g}"
            raise ConfigError(f"training setting {name} is {value}, expected {bound}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; Recipe(**values) is its inverse."""
        return asdict(self)


def default_recipe(shape: Shape, front: str = "") -> Recipe:
    """Input shape and audio front end -> how its kind of data is trained.

    Colour photographs are mirrored at random; grey images (digits) are not. Spectrograms move in time only: a
    spoken word is another one at three times the pitch. What is one wide is no image: sensor windows change
    tempo and amplitude, tables only get noise (docs/data.md has the figures).
    """
    height, width, channels = shape
    if front:
        return Recipe(shift_across=False)
    if width > 1:
        return Recipe(flip=channels == 3)
    return Recipe(speed=0.1, gain=0.1, noise=0.005) if height > 1 else Recipe(noise=0.1)


def candidate_key(arch: Arch, recipe: Recipe) -> str:
    """Identity of a candidate: the architecture's key, and how it is trained where that is not the default.

    Returns:
        `arch.key` for the default recipe, else 12 hexadecimal digits of both.

    Raises:
        DisconnectedArchError: there is no path from input to output (identity "graph" only).
    """
    # NATS-Bench's identity knows nothing of dropout; a graph's own key does.
    dropout = arch.dropout if arch.identity == "published" else 0.0
    usual = default_recipe(arch.input_shape, arch.front)
    if not recipe.augmentation:  # which switches all of these off
        recipe = replace(recipe, **{name: getattr(usual, name) for name in AUGMENTATIONS})
    if recipe == usual and not dropout:
        return arch.key
    # 1 and 1.0 are equal settings and must be one key.
    settings = {k: float(v) if isinstance(v, int) else v for k, v in recipe.to_dict().items()}
    for name, unsaid in NEWER.items():  # keys are older than these settings
        if getattr(recipe, name) == unsaid:
            del settings[name]
    told = repr((arch.key, sorted(settings.items()), dropout))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


AUGMENTATIONS = ("shift", "shift_across", "flip", "speed", "gain", "noise")
"""Settings that `augmentation` multiplies."""

OPTIMISERS = ("adam", "sgd", "rmsprop")
"""With decoupled weight decay, "adam" is AdamW. "sgd" has Nesterov momentum."""

COMPRESSIONS = ("none", "qat", "prune", "cluster")
"""Fine-tunings for compression (edgeml.train.compress)."""

NEWER = {"compression": "none", "speed": 0.0, "gain": 0.0, "noise": 0.0, "shift_across": True}
"""Settings that came later, and what they were before."""

INITIALISERS = {
    "he_normal": (2.0, "fan_in", "normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "normal"),
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "lecun_normal": (1.0, "fan_in", "normal"),
}
"""Scale of the variance, by which fan it is divided, distribution."""

LIMITS: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (0.0, 1.0, True),
    "weight_decay": (0.0, 1.0, False),
    "label_smoothing": (0.0, 0.9, False),
    "shift": (0.0, 0.5, False),
    "batch_size": (1, 4096, False),
    "augmentation": (0.0, 4.0, False),
    "speed": (0.0, 0.5, False),
    "gain": (0.0, 0.9, False),
    "noise": (0.0, 0.5, False),
}
"""Least, most, and whether the least itself is refused."""
