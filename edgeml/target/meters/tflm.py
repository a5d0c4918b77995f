"""RAM and flash of a microcontroller: the tensor arena that tflite-micro needs, measured by running it.

The arena is the smallest with which the real interpreter (reference kernels, this computer's 64-bit
pointers) allocates and runs the model. Flash is an estimate: the model's bytes and the profile's figures
for the runtime and for the kernels of the operators in use.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from edgeml.target.mcu import process as tflm_process
from edgeml.target.mcu.flash import flash_bytes
from edgeml.target.mcu.plan import cmsis_nn_conditions
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject, TimeLimited, options
from edgeml.target.profile import Target

MIB = 1 << 20


class TflmOptions(TimeLimited):
    """How long and with how much memory a model may run."""

    memory_limit_mib: int = Field(4096, ge=1024)


def missing(target: Target) -> str:
    """Why the meter cannot be used here and how that changes, "" where it can."""
    return tflm_process.missing()


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Arena (measured) and flash (estimated) of each model.

    Raises:
        MeterUnavailableError: tflite-micro is not installed or cannot be started.
        ModelError: tflite-micro refuses a model, crashes on it or takes longer than the time limit.
    """
    wanted = options(target, "tflm", TflmOptions)
    found: dict[str, Figures] = {}
    for name, subject in subjects.items():
        answer = tflm_process.ask(subject.artifact, wanted.time_limit_s, wanted.memory_limit_mib * MIB)
        arena = float(answer["arena_bytes"])
        conditions = {
            "what": "smallest tensor arena that allocates and runs the model",
            "kernels": "reference, on 64-bit pointers; a 32-bit build needs less for its structures",
            "reported_bytes": answer["reported_bytes"],
            "activations_bytes": answer["head_bytes"],
            **cmsis_nn_conditions(subject.model),
            "attempts": answer["attempts"],
        }
        ram = Measurement(
            "ram_bytes", arena, "bytes", "measured", tflm_process.tool(), arena, arena, conditions=conditions
        )
        found[name] = {"ram_bytes": ram, "flash_bytes": flash_bytes(subject.model, target)}
    return found
