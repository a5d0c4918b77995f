"""Parameters of an Edge TPU model: bytes as the compiler pads them, and which stay on the chip.

A layer's parameters are one block: lanes x (taps x padded inputs + bytes a lane). Read off 67 compiled
networks of two or five 3x3 convolutions (exact), MobileNet v1 at four widths, PoseNet and DeepLab (exact).
Whole layers are cached in execution order; what does not fit is streamed on every inference. That is a
cliff: one layer too many, and its bytes cross the link every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgeml.target.coral.layers import MappedLayer

MIB = 2**20
LANES = 64
CACHE_RANGE = (int(5.0 * MIB), int(7.9 * MIB))
"""What compilers 15 and 16 left for parameters, in logs of image networks: 8 MiB less activations and code,
so the least with 3 MiB of activations and the most with tiny ones. In between the verdict may be wrong."""


@dataclass(frozen=True)
class Memory:
    """Where the parameters of a model are, in bytes.

    Attributes:
        parameter_bytes: all blocks.
        on_chip_bytes: cached, uploaded once.
        streamed: bytes sent on every inference, of each layer in execution order.
    """

    parameter_bytes: int
    on_chip_bytes: int
    streamed: tuple[int, ...]

    @property
    def streamed_bytes(self) -> int:
        """Bytes sent on every inference."""
        return sum(self.streamed)

    @property
    def fits(self) -> bool:
        """Nothing is streamed."""
        return not any(self.streamed)

    @property
    def sure(self) -> bool:
        """The verdict does not depend on how much the activations leave."""
        return not CACHE_RANGE[0] < self.parameter_bytes <= CACHE_RANGE[1]


def block_bytes(layer: MappedLayer) -> int:
    """Bytes of a layer's parameters in the compiled file; 0 for layers without weights."""
    if layer.kind in ("move", "pass") or not layer.outputs:
        return 0
    lane = 8 if layer.per_channel else 4  # int32 bias, and a scale where each channel has its own
    if layer.kind == "depthwise":
        return _pad(layer.outputs, 8) * (4 * layer.taps + lane)
    if layer.kind == "dense":  # wider steps would not explain the networks of dense layers
        return _pad(layer.outputs, 16) * (_pad(layer.inputs, 4) + 8)
    lanes = _pad(layer.outputs, LANES if layer.outputs > LANES else 16)
    return lanes * (layer.taps * _pad(layer.inputs, 4) + lane)


def memory(blocks: Iterable[int], cache_bytes: float) -> Memory:
    """`block_bytes` of each layer in execution order, and what the chip keeps of them -> where they are."""
    used = 0
    streamed = []
    for size in blocks:
        kept = used + size <= cache_bytes
        used += size if kept else 0
        streamed.append(0 if kept else size)
    return Memory(used + sum(streamed), used, tuple(streamed))


def _pad(value: int, unit: int) -> int:
    return -(-value // unit) * unit
