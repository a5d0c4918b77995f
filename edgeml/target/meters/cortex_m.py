"""Milliseconds on a Cortex-M, estimated from layers: cycles per MAC by kind of kernel and per output.

Fitted on MLPerf Tiny submissions that call CMSIS-NN kernels (bench/fit_cortex_m.py); pooling and other
operators without weights count by their outputs only, since no benchmark network says more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from edgeml.target.mcu import rules as tflm_rules
from edgeml.target.mcu.cortex_m import work
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject
from edgeml.target.profile import Target


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Cycles and latency of each int8 model; none of a float model.

    Raises:
        ConfigError: the profile lacks a coefficient.
    """
    per_mac = target.coefficient("cortex_m_cycles_per_mac")
    weights = [target.coefficient(f"cortex_m_{kind}_macs") for kind in ("depthwise", "dense", "output")]
    clock, error = target.coefficient("clock_mhz"), target.coefficient("cortex_m_error")
    found: dict[str, Figures] = {}
    for name, subject in subjects.items():
        found[name] = {}
        if tflm_rules.not_quantized(subject.model):
            continue  # these are the costs of int8 kernels
        cycles = per_mac * work(subject.model).equivalent_macs(*weights)
        found[name] = {
            "latency_ms": _estimate("latency_ms", cycles / clock / 1e3, "ms", error, clock),
            "cycles": _estimate("cycles", cycles, "cycles", error, clock),
        }
    return found


def _estimate(metric: str, value: float, unit: str, error: float, clock_mhz: float) -> Measurement:
    return Measurement(
        metric,
        value,
        unit,
        "estimated",
        _tool(),
        low=value / (1 + error),
        high=value * (1 + error),
        conditions={"clock_mhz": clock_mhz, "kernels": "CMSIS-NN, int8", "threads": 1},
    )


@cache  # finding out the version takes longer than the estimate
def _tool() -> str:
    return f"edgeml {version('edgeml')} cycles by kind of kernel, fitted on MLPerf Tiny"
