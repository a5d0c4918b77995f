"""Cycles, memory and fallbacks on an Ethos-U, from Arm Vela, which is deterministic: one run is the figure.

Latency is Vela's cycles over the clock of its system configuration: the compiler's model of the NPU and its
memories, not a run on silicon. Figures of different configurations do not compare.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeml.errors import ModelError
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.rules import already_compiled
from edgeml.target.ethosu.vela import Compiled, VelaOptions, compile_model
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject, options
from edgeml.target.profile import Target
from edgeml.target.rules import words


def missing(target: Target) -> str:
    """Why the meter cannot be used here, "" where it can."""
    return ethosu_vela.missing()


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """What Vela says of each model in the target's configuration.

    Raises:
        MeterUnavailableError: Vela is not installed.
        ConfigError: it does not know the configuration.
        ModelError: it cannot compile a model, or places nothing of it on the NPU.
    """
    wanted = options(target, "vela", VelaOptions)
    return {name: _figures(subject, wanted) for name, subject in subjects.items()}


def _figures(subject: Subject, wanted: VelaOptions) -> Figures:
    if already_compiled(subject.model):
        raise ModelError(". ".join(words(already_compiled)))
    said = compile_model(subject.artifact, wanted)
    if not said.npu_ops:
        first = next(iter(said.complaints.values()), None)
        raise ModelError(
            f"Vela {said.version} leaves all {said.host_ops} operators to the CPU"
            + (f" ({first.reason})" if first else "")
            + "; expected a full int8 model that the NPU runs: convert it with calibration data."
        )
    found = {
        "latency_ms": _measurement("latency_ms", said.latency_ms, "ms", said, wanted),
        "cycles": _measurement("cycles", said.cycles, "cycles", said, wanted),
        "ram_bytes": _measurement("ram_bytes", said.memory["sram"], "bytes", said, wanted),
        "host_ops": _measurement("host_ops", said.host_ops, "operators", said, wanted),
    }
    flash = said.memory["off_chip_flash"] + said.memory["on_chip_flash"]
    if flash:  # with DRAM the constants lie there, and what the flash must hold is not said
        found["flash_bytes"] = _measurement("flash_bytes", flash, "bytes", said, wanted)
    return found


def _measurement(metric: str, value: float, unit: str, said: Compiled, wanted: VelaOptions) -> Measurement:
    conditions = {
        "accelerator": wanted.accelerator,
        "system_config": wanted.system_config,
        "memory_mode": wanted.memory_mode,
        "optimise": wanted.optimise,
        "clock_mhz": said.clock_hz / 1e6,
        "memory_bytes": {name: used for name, used in said.memory.items() if used},
        "compiled_file_bytes": said.file_bytes,
    }
    if said.host_ops:
        conditions["notes"] = [f"Vela's cycles leave out what runs on the CPU (operators: {said.host_ops})."]
    tool = f"Vela {said.version}"
    return Measurement(metric, value, unit, "compiled", tool, low=value, high=value, conditions=conditions)
