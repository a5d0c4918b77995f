"""Edge TPU: milliseconds on the device itself, through libedgetpu.so.1 as a LiteRT delegate.

Not tried on hardware: no machine that edgeml is made on has an Edge TPU. Tests run everything but the
delegate. A model is compiled first (the delegate runs nothing else), so edgetpu_compiler has to be on PATH
too, unless the file is compiled already. The first run uploads the parameters and is dropped; the figure is
the median of the others, inputs set and outputs read each time.
"""

from __future__ import annotations

import ctypes.util
import json
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from edgeml.errors import DeviceError, ModelError
from edgeml.target.board.process import Finished, converse, printable
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Subject, TimeLimited, options
from edgeml.target.meters import coral_compiler
from edgeml.target.profile import Target

LIBRARY = "libedgetpu.so.1"
USB_IDS = ("1a6e:089a", "18d1:9302")
"""The USB Accelerator before and after its firmware is loaded (libedgetpu's udev rules)."""
SYSTEM = Path("/")


class DeviceOptions(TimeLimited):
    """How long a model may take on the device, start of the process included."""

    time_limit_s: float = Field(120, gt=0)


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model.

    Raises:
        MeterUnavailableError: no libedgetpu, no device, or no compiler for a model that needs it.
        ModelError: the compiler or the device refuses a model.
        DeviceError: the runtime crashes, does not end, or the device goes away.
    """
    if reason := _no_device():
        raise MeterUnavailableError(reason)
    return {name: {"latency_ms": _latency(subject, target)} for name, subject in subjects.items()}


def missing(target: Target) -> str:
    """Why models as a search makes them cannot be timed here and how that changes, "" where they can."""
    compiler = coral_compiler.missing(target)
    without = f"only files that are compiled already can be timed: {compiler}" if compiler else ""
    return _no_device() or without


def _no_device() -> str:
    if not _installed():
        return f"{LIBRARY} is not installed; install libedgetpu1-std (coral.ai/software)."
    if not connection():
        return f"no Edge TPU is connected: neither USB {' or '.join(USB_IDS)} nor /dev/apex_0; connect one."
    return ""


@cache
def _installed() -> bool:
    return ctypes.util.find_library("edgetpu") is not None


def connection(root: Path = SYSTEM) -> str:
    """The system's root -> "PCIe", "USB at 5000 Mbit/s" (480 is USB 2), or "" where no device is seen."""
    if (root / "dev/apex_0").exists():
        return "PCIe"
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        try:
            vendor, product, speed = (
                (device / name).read_text().strip() for name in ("idVendor", "idProduct", "speed")
            )
        except OSError:  # a hub's interface, or just unplugged
            continue
        if f"{vendor}:{product}" in USB_IDS:
            return f"USB at {speed} Mbit/s"
    return ""


def _latency(subject: Subject, target: Target) -> Measurement:
    if subject.model.compiled_for_edgetpu:
        compiled, plain = subject.artifact, None
    else:
        compiled, plain = coral_compiler.compiled(subject, target).model, subject.artifact
    limit = options(target, "coral_device", DeviceOptions).time_limit_s
    found = run_child(compiled, plain, LIBRARY, target.threads, limit)
    times = np.array(found["times_ms"])
    low, middle, high = (float(value) for value in np.percentile(times, (5, 50, 95)))
    conditions = {
        "connection": connection(),
        "first_run_ms": round(found["first_ms"], 3),
        "statistic": "median, first run dropped",
        "outputs_equal_to_cpu": found.get("same"),
        "largest_difference_to_cpu": found.get("largest_difference"),
    }
    tool = f"{LIBRARY} with LiteRT {version('ai-edge-litert')}"
    return Measurement("latency_ms", middle, "ms", "measured", tool, low, high, len(times), conditions)


def run_child(
    compiled: bytes, plain: bytes | None, library: str, threads: int, limit_s: float
) -> dict[str, Any]:
    """Models -> what coral/child.py found, in a process of its own.

    Raises:
        MeterUnavailableError: the delegate does not load.
        ModelError: the interpreter refuses the model.
        DeviceError: the process crashed, did not end, or printed something else.
    """
    with tempfile.TemporaryDirectory(prefix="edgeml-coral-") as name:
        folder = Path(name)
        (folder / "compiled.tflite").write_bytes(compiled)
        if plain is not None:
            (folder / "plain.tflite").write_bytes(plain)
        request = {"library": library, "threads": threads}
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-m", "edgeml.target.coral.child", name]
        return _answer(converse(command, time_limit_s=limit_s), library, limit_s)


def _answer(said: Finished, library: str, limit_s: float) -> dict[str, Any]:
    if said.timed_out:
        raise DeviceError(
            f"the Edge TPU did not answer within {limit_s:.0f} s; unplug it and connect it again, or raise "
            "options.coral_device.time_limit_s of the profile."
        )
    try:
        found: Any = json.loads(said.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    except (ValueError, IndexError):
        found = None
    if not isinstance(found, dict):
        how = f"was ended by signal {-said.code}" if said.code < 0 else f"ended with status {said.code}"
        raise DeviceError(
            f"the process with {library} {how} ({said.complaint or 'no message'}); "
            f"install a libedgetpu that was built for LiteRT {version('ai-edge-litert')}; others crash."
        )
    if "error" in found:
        reason = printable(str(found["error"]))[:300].rstrip(".")
        if found.get("where") == "delegate":
            raise MeterUnavailableError(
                f"{library} is there but does not open an Edge TPU ({reason}); connect one, or check that "
                "this user may open it (group plugdev, or apex)."
            )
        raise ModelError(f"LiteRT with {library} cannot run the model: {reason}.")
    return found
