"""Instructions per inference on an emulated aarch64 CPU: LiteRT under qemu-aarch64 with a counting plugin.

Counted is one `Invoke` after warm-up with the target's kernels on one thread, less what a marker costs.
XNNPACK picks its kernels by the CPU, so the CPU is part of the figure, which is equal from run to run. The
reference kernels' figure moves by some 3e-5 with memory addresses; REFERENCE_SPREAD is its interval.
Instructions are measured; milliseconds made from them would be an estimate, and are not given here.
"""

from __future__ import annotations

import atexit
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from edgeml.errors import ModelError, StorageError
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Options, Subject, options
from edgeml.target.profile import Target
from edgeml.target.qemu.cpu import cpu_names, load_cpu
from edgeml.target.qemu.guest import Guest, GuestError, GuestRefusedError, start
from edgeml.target.qemu.sysroot import QEMU, find, qemu_version

REFERENCE_SPREAD = 1e-4


class QemuArmOptions(Options):
    """Which CPU is emulated, which kernels LiteRT runs, and for how long a model may run."""

    cpu: str = "cortex-a53"
    kernels: Literal["xnnpack", "reference"] = "xnnpack"
    time_limit_s: float = Field(300, gt=0)

    @field_validator("cpu")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in cpu_names():
            raise ValueError(f"expected one of {', '.join(cpu_names())}")
        return name


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Instructions of each model on the target's CPU.

    Raises:
        MeterUnavailableError: no qemu-aarch64 or no sysroot, or the worker does not start.
        ModelError: LiteRT refuses a model, crashes or takes longer than `time_limit_s`.
    """
    wanted = options(target, "qemu_arm", QemuArmOptions)
    found: dict[str, Figures] = {}
    for name, subject in subjects.items():
        runs, _ = count(subject.artifact, wanted)
        found[name] = {"instructions": _measurement(runs, wanted)}
    return found


def missing(target: Target) -> str:
    """Why the meter cannot be used here and how that changes, "" where it can."""
    sysroot = find()
    return sysroot if isinstance(sysroot, str) else ""


def count(model: bytes, wanted: QemuArmOptions) -> tuple[list[int], str]:
    """TFLite bytes -> instructions of each counted run, and the SHA-256 of the outputs for fixed inputs.

    Raises:
        MeterUnavailableError, ModelError: as `measure`.
    """
    with _LOCK:
        place = _started(wanted.cpu)
        file = place.folder / "model.tflite"
        try:
            file.write_bytes(model)
            return place.guest.count(file, wanted.kernels, wanted.time_limit_s)
        except GuestRefusedError as error:
            raise ModelError(f"LiteRT for aarch64 cannot run the model: {str(error).rstrip('.')}.") from error
        except OSError as error:
            raise StorageError(f"{file}: {error.strerror}; the model is written there for {QEMU}.") from error
        except GuestError as error:
            raise ModelError(
                f"LiteRT under {QEMU} (cpu {wanted.cpu}, kernels {wanted.kernels}) failed: {error}."
            ) from error
        finally:
            file.unlink(missing_ok=True)


class _Place:
    """A running guest and the folder that holds its root and the model it reads."""

    def __init__(self, cpu: str) -> None:
        sysroot = find()
        if isinstance(sysroot, str):
            raise MeterUnavailableError(sysroot)
        self.litert, self.qemu = sysroot.versions["ai-edge-litert"], qemu_version()
        self._temporary = tempfile.TemporaryDirectory(prefix="edgeml-qemu-")
        self.folder = Path(self._temporary.name)
        try:
            self.guest: Guest = start(sysroot, load_cpu(cpu), self.folder)
        except GuestError as error:
            self._temporary.cleanup()
            raise MeterUnavailableError(f"the worker under {QEMU} did not start: {error}.") from error

    def close(self) -> None:
        self.guest.close()
        self._temporary.cleanup()


_LOCK = threading.Lock()
_PLACES: dict[str, _Place] = {}


def _started(cpu: str) -> _Place:
    """The CPU's guest; a new one where it is gone."""
    place = _PLACES.get(cpu)
    if place is not None and place.guest.alive:
        return place
    if place is not None:
        _PLACES.pop(cpu).close()
    _PLACES[cpu] = _Place(cpu)
    return _PLACES[cpu]


def close_all() -> None:
    """End every worker; the next model starts a new one."""
    while _PLACES:
        _PLACES.popitem()[1].close()


atexit.register(close_all)


def _measurement(runs: list[int], wanted: QemuArmOptions) -> Measurement:
    place = _PLACES[wanted.cpu]
    kernels = "XNNPACK" if wanted.kernels == "xnnpack" else "reference kernels"
    spread = 0.0 if wanted.kernels == "xnnpack" else REFERENCE_SPREAD
    return Measurement(
        "instructions",
        float(sorted(runs)[len(runs) // 2]),
        "instructions",
        "measured",
        f"{QEMU} {place.qemu} with edgeml's counting plugin, LiteRT {place.litert} ({kernels})",
        low=min(runs) * (1 - spread),
        high=max(runs) * (1 + spread),
        n=len(runs),
        conditions={
            "cpu": wanted.cpu,
            "cpuinfo": load_cpu(wanted.cpu).cpuinfo.model_dump(),
            "runtime": f"LiteRT {place.litert}",
            "kernels": wanted.kernels,
            "threads": 1,
            "emulator": f"{QEMU} {place.qemu}",
        },
    )
