"""Cycles and latency on an Ethos-U from layer shapes, before there is a file: a fit to what Vela says.

The fit (bench/fit_ethosu.py) is to random architectures of edgeml's spaces in one configuration of Vela. For
another configuration the coefficients stand for nothing, and the meter gives nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.ethosu.vela import VelaOptions
from edgeml.target.ethosu.work import TERMS, amounts
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Options, Subject, options
from edgeml.target.profile import Target


class EthosuEstimateOptions(Options):
    """The configuration of Vela that the coefficients were fitted for, as `configuration` spells it."""

    fitted_for: str = ""


def configuration(wanted: VelaOptions) -> str:
    """What cycles depend on beside the model."""
    return f"{wanted.accelerator} {wanted.system_config} {wanted.memory_mode} {wanted.optimise}"


def missing(target: Target) -> str:
    """Why the meter cannot be used here, "" where it can."""
    fitted_for = options(target, "ethosu_estimate", EthosuEstimateOptions).fitted_for
    wanted = configuration(options(target, "vela", VelaOptions))
    if fitted_for == wanted:
        return ""
    return (
        f"its coefficients were fitted for {fitted_for or 'no configuration'}, the vela options say {wanted}"
    )


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Cycles and latency of each int8 model; none of a float model.

    Raises:
        MeterUnavailableError: the profile's coefficients are for another configuration.
        ConfigError: the profile lacks a coefficient.
    """
    if reason := missing(target):
        raise MeterUnavailableError(reason)
    costs = {name: target.coefficient(name) for name in TERMS}
    clock_mhz, error = target.coefficient("ethosu_clock_mhz"), target.coefficient("ethosu_error")
    wanted = configuration(options(target, "vela", VelaOptions))
    found: dict[str, Figures] = {}
    for name, subject in subjects.items():
        found[name] = {}
        if not _whole(subject.model):
            continue
        cycles = sum(costs[term] * amount for term, amount in amounts(subject.model).items())
        found[name] = {
            "latency_ms": _estimate("latency_ms", cycles / clock_mhz / 1e3, "ms", error, wanted),
            "cycles": _estimate("cycles", cycles, "cycles", error, wanted),
        }
    return found


def _whole(model: TfliteModel) -> bool:
    """Everything with weights is computed in integers."""
    weighted = [op for op in model.operators if op.macs]
    return all(model.tensors[op.outputs[0]].dtype in ("INT8", "UINT8", "INT16") for op in weighted)


def _estimate(metric: str, value: float, unit: str, error: float, wanted: str) -> Measurement:
    conditions = {"configuration": wanted, "kernels": "int8"}
    low, high = value / (1 + error), value * (1 + error)
    return Measurement(metric, value, unit, "estimated", _tool(), low, high, conditions=conditions)


@cache  # finding out the version takes longer than the estimate
def _tool() -> str:
    return f"edgeml {version('edgeml')} cycles by kind of layer, fitted on Vela"
