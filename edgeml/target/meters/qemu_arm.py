"""Instructions per inference on an emulated aarch64 CPU: LiteRT under qemu-aarch64 with a counting plugin.

Counted is one `Invoke` after warm-up with the target's kernels on one thread, less what a marker costs.
XNNPACK picks its kernels by the CPU, so the CPU is part of the figure, which is equal from run to run. The
reference kernels' figure moves by some 3e-5 with memory addresses; REFERENCE_SPREAD is its interval.
Instructions are measured; milliseconds made from them would be an estimate, and are not given here.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from edgeml.errors import ModelError
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Subject, TimeLimited, options
from edgeml.target.profile import Target
from edgeml.target.qemu.cpu import cpu_names, load_cpu
from edgeml.target.qemu.guest import Guest, GuestError, GuestRefusedError, start
from edgeml.target.qemu.sysroot import QEMU, find, qemu_version

REFERENCE_SPREAD = 1e-4


class QemuArmOptions(TimeLimited):
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
        try:
            return _started(wanted.cpu).guest.count(model, wanted.kernels, wanted.time_limit_s)
        except GuestRefusedError as error:
            raise ModelError(f"LiteRT for aarch64 cannot run the model: {str(error).rstrip('.')}.") from error
        except GuestError as error:
            raise ModelError(
                f"LiteRT under {QEMU} (cpu {wanted.cpu}, kernels {wanted.kernels}) failed: {error}."
            ) from error


@dataclass(frozen=True)
class _Started:
    """A running guest, and the versions of what it runs and of what runs it."""

    guest: Guest
    litert: str
    qemu: str


_LOCK = threading.Lock()
_GUESTS: dict[str, _Started] = {}


def _started(cpu: str) -> _Started:
    """The CPU's guest; a new one where it is gone."""
    if cpu in _GUESTS and not _GUESTS[cpu].guest.alive:
        _GUESTS.pop(cpu).guest.close()
    if cpu not in _GUESTS:
        sysroot = find()
        if isinstance(sysroot, str):
            raise MeterUnavailableError(sysroot)
        try:
            guest = start(sysroot, load_cpu(cpu))
        except GuestError as error:
            raise MeterUnavailableError(f"the worker under {QEMU} did not start: {error}.") from error
        _GUESTS[cpu] = _Started(guest, sysroot.versions["ai-edge-litert"], qemu_version())
    return _GUESTS[cpu]


def close_all() -> None:
    """End every worker; the next model starts a new one."""
    while _GUESTS:
        _GUESTS.popitem()[1].guest.close()


atexit.register(close_all)


def _measurement(runs: list[int], wanted: QemuArmOptions) -> Measurement:
    used = _GUESTS[wanted.cpu]
    kernels = "XNNPACK" if wanted.kernels == "xnnpack" else "reference kernels"
    spread = 0.0 if wanted.kernels == "xnnpack" else REFERENCE_SPREAD
    return Measurement(
        "instructions",
        float(sorted(runs)[len(runs) // 2]),
        "instructions",
        "measured",
        f"{QEMU} {used.qemu} with edgeml's counting plugin, LiteRT {used.litert} ({kernels})",
        low=min(runs) * (1 - spread),
        high=max(runs) * (1 + spread),
        n=len(runs),
        conditions={
            "cpu": wanted.cpu,
            "cpuinfo": load_cpu(wanted.cpu).cpuinfo.model_dump(),
            "runtime": f"LiteRT {used.litert}",
            "kernels": wanted.kernels,
            "threads": 1,
            "emulator": f"{QEMU} {used.qemu}",
        },
    )
