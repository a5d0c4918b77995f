"""What a model costs on a target: from its graph before training, from its bytes afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Protocol

from edgeml.arch.cost import Cost
from edgeml.errors import ConfigError, UnknownNameError
from edgeml.target.measurement import Measurement, exact
from edgeml.target.meters import litert_host
from edgeml.target.profile import Target


class Meter(Protocol):
    """TFLite models by name -> latency of each in milliseconds, measured together where that matters."""

    def __call__(self, models: Mapping[str, bytes], threads: int = 1) -> dict[str, Measurement]:
        """Measure; raises ModelError for a model the device cannot run."""
        ...


def expected_costs(cost: Cost) -> dict[str, float]:
    """What is known before training, by metric; size is an estimate of ours, the rest exact."""
    return {
        "size_bytes": cost.size_bytes,
        "ram_bytes": cost.ram_bytes,
        "macs": cost.macs,
        "params": cost.params,
    }


def measure(model: bytes, cost: Cost | None, target: Target) -> dict[str, Measurement]:
    """TFLite bytes and its graph's cost -> every metric of the target.

    Args:
        model: flatbuffer.
        cost: of the graph it was made from; None for a foreign file (then no RAM, MACs or parameters).
        target: decides the meters.
    """
    found = {"size_bytes": exact("size_bytes", len(model), "bytes", "measured", "length of the .tflite file")}
    if cost is not None:
        found["ram_bytes"] = exact(
            "ram_bytes", cost.ram_bytes, "bytes", "estimated", _own("liveness of activations")
        )
        found["macs"] = exact("macs", cost.macs, "MACs", "counted", _own("graph"))
        found["params"] = exact("params", cost.params, "parameters", "counted", _own("graph"))
    if target.meters:
        found["latency_ms"] = latencies({"model": model}, target)["model"]
    return found


def latencies(models: Mapping[str, bytes], target: Target) -> dict[str, Measurement]:
    """Models by name -> latency, by the first meter of the target.

    Raises:
        ConfigError: the target has no meter.
        UnknownNameError: the profile names a meter that does not exist.
    """
    if not target.meters:
        raise ConfigError(f"target {target.name} has no meter for latency; choose a target that has.")
    name = target.meters[0]
    if name not in METERS:
        raise UnknownNameError("meter", name, METERS)
    return METERS[name](models, threads=target.threads)


def _own(what: str) -> str:
    return f"edgeml {version('edgeml')} {what}"


METERS: dict[str, Meter] = {"litert_host": litert_host.latencies}
"""Meters by the name used in target files."""
