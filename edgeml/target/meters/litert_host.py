"""Latency on this computer: LiteRT wall clock, by the protocol of host_timing.py."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from edgeml.deploy.runtime import interpreter
from edgeml.errors import ModelError
from edgeml.target.host_timing import random_input, time_runs
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Options, Subject, options
from edgeml.target.profile import Target

Kernels = Literal["xnnpack", "reference"]


class HostOptions(Options):
    """Which kernels LiteRT runs."""

    kernels: Kernels = "xnnpack"


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model, as `latencies` takes it, with the target's threads and kernels."""
    models = {name: subject.artifact for name, subject in subjects.items()}
    found = latencies(models, target.threads, options(target, "litert_host", HostOptions).kernels)
    return {name: {"latency_ms": measurement} for name, measurement in found.items()}


def latencies(
    models: Mapping[str, bytes], threads: int = 1, kernels: Kernels = "xnnpack", seed: int = 0
) -> dict[str, Measurement]:
    """TFLite models by name -> latency of each in milliseconds, all measured in one interleaved session.

    Raises:
        ModelError: a model cannot be loaded by LiteRT, or does not run.
    """
    runs = {name: prepared(model, threads, kernels).invoke for name, model in models.items()}
    runtime = "XNNPACK" if kernels == "xnnpack" else "reference kernels"
    conditions = {"runtime": f"LiteRT {runtime}", "threads": threads}
    try:
        return time_runs(runs, f"LiteRT {version('ai-edge-litert')} ({runtime})", conditions, seed)
    except (RuntimeError, ValueError) as error:  # an operator refused the random inputs
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"LiteRT cannot run the model on random inputs ({reason}).") from error


def prepared(model: bytes, threads: int, kernels: Kernels) -> Any:
    """TFLite bytes -> interpreter with random inputs set."""
    loaded = interpreter(model, threads, reference=kernels == "reference")
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        loaded.set_tensor(details["index"], random_input(rng, details["shape"], np.dtype(details["dtype"])))
    return loaded
