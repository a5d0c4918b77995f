"""Latency on an Arm core, from operators and shapes alone: an estimate of ours with the interval it earned.

Milliseconds are the sum of the profile's coefficients times the amounts of work (arm_work.TERMS). The
coefficients are fitted on published or measured latencies of one runtime, number of threads and type (int8
or float32); the profile says which, with the error of models left out of the fit. `edgeml calibrate` fits
them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.arm_work import TERMS, amounts, computes_in
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Options, Subject, options
from edgeml.target.profile import Target

NAME = "arm_estimate"


class ArmOptions(Options):
    """What the coefficients were fitted on.

    Attributes:
        dtype: the type that layers with weights computed in.
        mmacs_from, mmacs_to: smallest and largest model, in millions of MACs; beyond, estimates are marked.
    """

    dtype: Literal["int8", "float32"] = "int8"
    mmacs_from: float = 0.0
    mmacs_to: float = float("inf")


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Estimated latency of each model; none of one that computes in a type the coefficients do not hold for.

    Raises:
        ConfigError: the profile lacks a coefficient.
    """
    settings = options(target, NAME, ArmOptions)
    found: dict[str, Figures] = {}
    for name, subject in subjects.items():
        dtype = computes_in(subject.model)
        converted = dtype == "int8" and "int8_ratio" in target.coefficients
        known = dtype == settings.dtype or converted
        found[name] = {"latency_ms": _estimate(subject.model, target, settings, dtype)} if known else {}
    return found


def _estimate(model: TfliteModel, target: Target, settings: ArmOptions, dtype: str) -> Measurement:
    value = sum(target.coefficient(name) * amount for name, amount in amounts(model).items())
    low, high = target.coefficient("low_factor"), target.coefficient("high_factor")
    conditions: dict[str, Any] = {"threads": target.threads, "runtime": "LiteRT", "dtype": settings.dtype}
    if dtype != settings.dtype:
        value *= target.coefficient("int8_ratio")
        low, high = target.coefficient("int8_ratio_low"), target.coefficient("int8_ratio_high")
        conditions["dtype"] = "int8, from coefficients for float32"
    mmacs = model.macs / 1e6
    if not settings.mmacs_from <= mmacs <= settings.mmacs_to:
        conditions["outside_fit"] = (
            f"{mmacs:.3g} M MACs; fitted on {settings.mmacs_from:g} to {settings.mmacs_to:g} M"
        )
    return Measurement(
        "latency_ms",
        value,
        "ms",
        "estimated",
        _tool(),
        low=low * value,
        high=high * value,
        conditions=conditions,
    )


@cache
def _tool() -> str:
    """Reading the version takes a millisecond."""
    return f"edgeml {version('edgeml')} {NAME}"


def missing(target: Target) -> str:
    """Why the estimate cannot be made on a target; "" where it can."""
    lacking = [name for name in (*TERMS, "low_factor", "high_factor") if name not in target.coefficients]
    return f"the profile lacks the coefficients {', '.join(lacking)}" if lacking else ""
