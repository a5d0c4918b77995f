"""Latency on this computer: LiteRT wall clock, models interleaved in shuffled order.

Protocol: warm up every model, then rounds in which the models take turns in a new random order; a round
times a model for a few milliseconds and keeps the 10th percentile. The value is the median over rounds;
the interval spans the rounds' 5th to 95th percentile, widened by WIDEN on both sides. Sequential blocks
with a mean misranked 10 of 84 neighbouring networks, interleaved low percentiles none (noise study on the
machines edgeml is made on).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from edgeml.deploy.runtime import interpreter
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Options, Subject
from edgeml.target.profile import Target

ROUNDS = 25
ROUND_S = 0.004
WARM_UP_RUNS = 5
WIDEN = 0.05


class HostOptions(Options):
    """Which kernels LiteRT runs."""

    kernels: Literal["xnnpack", "reference"] = "xnnpack"


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model, as `latencies` takes it, with the target's threads and kernels."""
    models = {name: subject.artifact for name, subject in subjects.items()}
    found = latencies(models, target.threads)
    return {name: {"latency_ms": measurement} for name, measurement in found.items()}


def latencies(models: Mapping[str, bytes], threads: int = 1, seed: int = 0) -> dict[str, Measurement]:
    """TFLite models by name -> latency of each in milliseconds, all measured in one interleaved session.

    Raises:
        ModelError: a model cannot be loaded by LiteRT.
    """
    runs = {name: _prepare(model, threads) for name, model in models.items()}
    readings: dict[str, list[float]] = {name: [] for name in runs}
    order, rng, count = list(runs), random.Random(seed), dict.fromkeys(runs, 0)
    for _ in range(ROUNDS):
        rng.shuffle(order)
        for name in order:
            times = _round(runs[name])
            readings[name].append(float(np.percentile(times, 10)))
            count[name] += len(times)
    conditions = {
        "runtime": "LiteRT XNNPACK",
        "threads": threads,
        "rounds": ROUNDS,
        "interleaved_with": len(models) - 1,
        "statistic": "median over rounds of the 10th percentile",
    }
    tool = f"LiteRT {version('ai-edge-litert')} (XNNPACK)"
    return {
        name: _measurement(np.array(values) * 1e3, count[name], tool, conditions)
        for name, values in readings.items()
    }


def _measurement(values: Any, n: int, tool: str, conditions: dict[str, Any]) -> Measurement:
    low, middle, high = (float(q) for q in np.percentile(values, (5, 50, 95)))
    return Measurement(
        "latency_ms",
        middle,
        "ms",
        "measured",
        tool,
        low=low * (1 - WIDEN),
        high=high * (1 + WIDEN),
        n=n,
        conditions=conditions,
    )


def _prepare(model: bytes, threads: int) -> Any:
    loaded = interpreter(model, threads)
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        kind = np.dtype(details["dtype"])
        if kind.kind == "f":
            value = rng.random(details["shape"]).astype(kind)
        else:
            limits = np.iinfo(kind)
            value = rng.integers(limits.min, limits.max, details["shape"], dtype=kind, endpoint=True)
        loaded.set_tensor(details["index"], value)
    for _ in range(WARM_UP_RUNS):
        loaded.invoke()
    return loaded


def _round(loaded: Any) -> list[float]:
    """Seconds of single invocations, at least 3, for ROUND_S seconds."""
    times: list[float] = []
    end = time.perf_counter() + ROUND_S
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        loaded.invoke()
        times.append(time.perf_counter() - began)
    return times
