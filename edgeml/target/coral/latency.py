"""Milliseconds of one inference on an Edge TPU: an estimate of ours.

A layer takes its compute time, or the time its parameters need to arrive where they are streamed,
whichever is longer. Compute: 4x4 tiles work on a layer's positions in step (the cycles that the compiler
itself estimates, at 500 MHz, times a fitted factor), the traffic of activations, and a fixed time a layer.
Then come what crosses the link and what the host does. Coefficients, their sources and errors are in the
profiles (targets/coral.yaml); bench/fit_coral.py fits them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeml.target.coral.layers import MappedLayer, Workload
from edgeml.target.coral.memory import MIB, Memory

CYCLES_PER_MS = 500_000
TILES = 4
TILE_MEMORY_BYTES = 3 * MIB
"""Activations that the tiles hold (16 x 192 KiB: no compiled file asks for more). Layers with more are cut
into strips, whose borders are computed twice."""
ELEMENTWISE = ("ADD", "MUL", "SUB", "CONCATENATION")

LAYER_TERMS = (
    "layer_ms",
    "convolution_factor",
    "depthwise_factor",
    "traffic_ms_per_mb",
    "elementwise_ms_per_mb",
    "spill_ms_per_mb",
)
"""Coefficients of a layer, of the chip itself and so the same on every device."""
HOST_TERMS = ("vector_ns", "custom_ns")
"""Coefficients of the host's work, on the reference processor of coral/host.py."""
DEVICE_TERMS = ("start_ms", "link_ms_per_mb", "output_ms_per_mb", "host_factor")
"""Coefficients that differ from device to device."""

Coefficients = Callable[[str], float]
"""Name -> value, for example Target.coefficient."""


@dataclass(frozen=True)
class Parts:
    """Milliseconds of one inference: on the chip, over the link, on the host."""

    chip_ms: float
    link_ms: float
    host_ms: float

    @property
    def total_ms(self) -> float:
        """One inference."""
        return self.chip_ms + self.link_ms + self.host_ms


def latency(work: Workload, stored: Memory, coefficient: Coefficients) -> Parts:
    """Workload, where its parameters are, and coefficients -> Parts."""
    factors = [coefficient(name) for name in LAYER_TERMS]
    per_mb = coefficient("link_ms_per_mb") / 1e6
    chip = 0.0
    for layer, streamed in zip(work.layers, stored.streamed, strict=True):
        time = sum(factor * amount for factor, amount in zip(factors, amounts(layer), strict=True))
        chip += max(time, streamed * per_mb)
    link = coefficient("start_ms") + work.input_bytes * per_mb
    link += work.output_bytes / 1e6 * coefficient("output_ms_per_mb")
    host = work.host.reference_ms + work.output_vectors / 1e6 * coefficient("vector_ns")
    host += work.host.custom_values / 1e6 * coefficient("custom_ns")
    return Parts(chip, link, host * coefficient("host_factor"))


def amounts(layer: MappedLayer) -> tuple[float, ...]:
    """Layer -> what each of LAYER_TERMS is multiplied with."""
    if layer.kind == "move":
        return (0.0,) * len(LAYER_TERMS)
    traffic, spill = layer.traffic_bytes / 1e6, max(0, layer.traffic_bytes - TILE_MEMORY_BYTES) / 1e6
    if layer.kind == "pass":
        return (1.0, 0.0, 0.0, 0.0, traffic if layer.op in ELEMENTWISE else 0.0, spill)
    busy = _cycles(layer) / CYCLES_PER_MS
    if layer.kind == "depthwise":
        return (1.0, 0.0, busy, traffic, 0.0, spill)
    return (1.0, busy, 0.0, traffic, 0.0, spill)


def _cycles(layer: MappedLayer) -> float:
    """Cycles as the compiler estimates them, read off compiled files with one layer each."""
    positions = -(-layer.height // TILES) * -(-layer.width // TILES)
    if layer.kind == "upconv":  # its work is spread over the strides: 64 lanes on 16 tiles
        return layer.macs / 1024
    if layer.kind == "depthwise":
        return positions * -(-layer.taps * layer.outputs // 32)
    if layer.height * layer.width == 1:
        return layer.inputs * -(-layer.outputs // 16) / 64 * 13 / 16
    if layer.taps == 1:
        return positions * -(-layer.outputs // 64) * layer.inputs
    whole = -(-layer.outputs // 64) * max(16, layer.taps * layer.inputs)
    halved = -(-layer.outputs // 32) * max(16, layer.taps * -(-layer.inputs // 2))
    return positions * min(whole, halved)
