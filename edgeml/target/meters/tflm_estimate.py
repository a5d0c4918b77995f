"""RAM and flash of a microcontroller before there is a file: tflite-micro's memory plan, worked out.

On a file the arena is exact (bench/truth_mcu.py); on an outline it is wrong where the converter lists the
operators of branching networks in another order, and the interval says by how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.mcu.flash import flash_bytes
from edgeml.target.mcu.plan import arena, cmsis_nn_conditions, order_is_forced
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject
from edgeml.target.profile import Target

ERROR = 0.005
"""Largest error on networks whose operators have one possible order (bench/truth_mcu.py)."""

BRANCHING_ERROR = 0.25
"""Largest error on the others."""


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Arena and flash of each model, both estimated."""
    return {
        name: {"ram_bytes": _arena(subject.model), "flash_bytes": flash_bytes(subject.model, target)}
        for name, subject in subjects.items()
    }


def _arena(model: TfliteModel) -> Measurement:
    plan = arena(model)
    error = ERROR if model.file_bytes or order_is_forced(model) else BRANCHING_ERROR
    return Measurement(
        "ram_bytes",
        plan.total,
        "bytes",
        "estimated",
        _tool(),
        low=plan.total / (1 + error),
        high=plan.total / (1 - error),
        conditions={
            "what": "tensor arena",
            "kernels": "reference, on 64-bit pointers",
            "activations_bytes": plan.activations,
            "structures_bytes": plan.structures,
            **cmsis_nn_conditions(model),
        },
    )


@cache  # finding out the version takes longer than the estimate
def _tool() -> str:
    return f"edgeml {version('edgeml')} plan of tflite-micro's arena"
