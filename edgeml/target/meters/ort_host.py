"""Latency on this computer: onnxruntime wall clock, by the protocol of host_timing.py.

onnxruntime reads no .tflite: the file's int8 network is written as ONNX in QDQ form
(deploy/onnx_quantized.py) with the file's own weights and scales, which onnxruntime fuses into int8 kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from edgeml.deploy.foreign import first_line
from edgeml.deploy.onnx_quantized import to_quantized_onnx
from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import ModelError
from edgeml.target.host_timing import Run, random_input, time_runs
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject
from edgeml.target.profile import Target

WIDEN = 0.15
"""Sessions of onnxruntime differ more than LiteRT's (0.05): 87 to 90 % of 30 repeats agreed with that."""


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model, as `latencies` takes it, with the target's threads."""
    models = {name: subject.model for name, subject in subjects.items()}
    found = latencies(models, target.threads)
    return {name: {"latency_ms": measurement} for name, measurement in found.items()}


def latencies(models: Mapping[str, TfliteModel], threads: int = 1, seed: int = 0) -> dict[str, Measurement]:
    """TFLite models as read, by name -> latency of each in milliseconds, in one interleaved session.

    Raises:
        ModelError: a model cannot be translated to ONNX, or onnxruntime cannot load it.
    """
    runs = {name: _run(session(to_quantized_onnx(model), threads)) for name, model in models.items()}
    tool = f"onnxruntime {version('onnxruntime')} (QDQ conversion of the .tflite)"
    return time_runs(runs, tool, {"runtime": "onnxruntime CPU", "threads": threads}, seed, WIDEN)


def session(model: bytes, threads: int = 1) -> Any:
    """ONNX model -> onnxruntime session on the CPU.

    Raises:
        ModelError: onnxruntime cannot load it.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    # Else int8 products overflow 16 bits on CPUs with AVX2 but no VNNI: top-1 agreement fell to 73 %.
    settings.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise ModelError(f"onnxruntime cannot load the model: {first_line(error)}") from error


def _run(loaded: Any) -> Run:
    (given,) = loaded.get_inputs()
    kind = np.dtype(given.type.removeprefix("tensor(").removesuffix(")"))
    feed = {given.name: random_input(np.random.default_rng(0), given.shape, kind)}
    return lambda: loaded.run(None, feed)
