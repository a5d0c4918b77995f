"""Arch and fidelity factors -> the smaller Arch that is trained in its place."""

from __future__ import annotations

import math
from dataclasses import replace

from edgeml.arch.cell import Arch, Stage
from edgeml.errors import ConfigError


def scaled(arch: Arch, resolution: float = 1.0, width: float = 1.0, cells: float = 1.0) -> Arch:
    """The same kind of network, smaller or larger; a factor of 1 leaves what it scales as it is.

    Args:
        arch: what to scale.
        resolution: factor on the input's height and width; at least 1 px is left.
        width: factor on all channels but those behind the head of an autoencoder; multiples of 4, at least 4.
        cells: factor on the cells of each stage; at least 1 is left where there was one.

    Raises:
        ConfigError: a factor is not a number above 0.
    """
    for name, factor in (("resolution", resolution), ("width", width), ("cells", cells)):
        if not 0 < factor < math.inf:
            raise ConfigError(f"scaling by a {name} of {factor}, expected a factor above 0.")

    def channels(count: int) -> int:
        return count if width == 1 or count == 0 else 4 * max(1, _nearest(count * width / 4))

    def stage(old: Stage) -> Stage:
        repeat = min(old.repeat, 1) if cells < 1 else old.repeat
        return replace(old, repeat=max(repeat, _nearest(old.repeat * cells)), channels=channels(old.channels))

    height, across, depth = arch.input_shape
    return replace(
        arch,
        input_shape=(max(1, _nearest(height * resolution)), max(1, _nearest(across * resolution)), depth),
        stem_channels=channels(arch.stem_channels),
        stages=tuple(stage(old) for old in arch.stages),
        head_channels=channels(arch.head_channels),
    )


def _nearest(value: float) -> int:
    """Halves go up, unlike with `round`."""
    return math.floor(value + 0.5)
