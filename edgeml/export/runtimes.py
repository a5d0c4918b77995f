"""An exported model and inputs -> what its real runtime makes of them, in a child that may crash or hang."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.layers import Shape
from edgeml.export import runtime_child
from edgeml.target.board.process import Finished, converse

COMPARE = 500
"""Images whose outputs are compared."""
SAMPLES, SAMPLES_BYTES = 10_000, 1 << 28
"""Most samples of the test split that are run, and their size; its prefixes are stratified."""
BUDGET_S = 6.0
"""Seconds that running inputs may take in one runtime; the whole test split is run where it fits."""
LIMIT_S = 180.0
"""Seconds until a child is ended, its imports included."""
SOFTMAX_CLASSES = 512
"""Where this many classes are about equally probable, the int8 softmax of LiteRT's reference kernels, and of
tflite-micro with them, ends the program (RoundingDivideByPOT by more than 31 bits); XNNPACK's does not."""


def softmax_note(classes: int) -> str:
    """What may be behind a crash of those kernels, the end of a sentence; "" for few classes."""
    if classes < SOFTMAX_CLASSES:
        return ""
    return f" (their int8 softmax aborts where {SOFTMAX_CLASSES} classes or more are about equally probable)"


@dataclass(frozen=True)
class Request:
    """A model to be opened.

    Attributes:
        runtime: a name in runtime_child.RUNTIMES.
        model: path of the file or folder.
        more: what the runtime needs besides.
    """

    runtime: str
    model: Path
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a runtime made of a model.

    Attributes:
        tool: runtime and version; "" where it did not come so far.
        outputs: probabilities (n, classes) of the first n inputs; none where it failed.
        compared: how many of them are to be compared.
        reason: why it failed, the end of a sentence; "" where it did not.
        seconds: wall clock, the start of the runtime included.
    """

    tool: str
    outputs: NDArray[np.float32]
    compared: int
    reason: str
    seconds: float


def most_samples(shape: Shape) -> int:
    """Of the test split that are run, for inputs (height, width, channels)."""
    return min(SAMPLES, max(COMPARE, SAMPLES_BYTES // int(np.prod(shape))))


def run(
    request: Request, inputs: Path, folder: Path, compare: int = COMPARE, limit_s: float = LIMIT_S
) -> Outcome:
    """Open a model in a child process and run inputs through it; a crash or a hang is an Outcome too.

    Args:
        request: what to open.
        inputs: .npy file, uint8 (n, h, w, c).
        folder: empty, for what the child writes.
        compare: how many inputs are to be compared.
        limit_s: seconds until the child is ended.
    """
    folder.mkdir(parents=True)
    asked = {
        **request.more,
        "runtime": request.runtime,
        "model": str(request.model),
        "inputs": str(inputs),
        "compare": compare,
        "budget_s": BUDGET_S,
        "out": str(folder / "outputs.npy"),
    }
    place = folder / "request.json"
    place.write_text(json.dumps(asked), encoding="utf-8")
    began = time.monotonic()
    # -P: the script's folder holds modules named like those of the runtimes.
    said = converse([sys.executable, "-P", runtime_child.__file__, str(place)], time_limit_s=limit_s)
    seconds = round(time.monotonic() - began, 2)
    found = _answer(said)
    reason = str(found.get("error") or _failure(said, limit_s) if "tool" not in found else "")
    if reason:
        return Outcome(str(found.get("tool", "")), np.zeros((0, 0), np.float32), 0, reason, seconds)
    outputs = np.load(folder / "outputs.npy", allow_pickle=False)
    return Outcome(str(found["tool"]), outputs, int(found["compared"]), "", seconds)


def _answer(said: Finished) -> dict[str, Any]:
    lines = said.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines and not said.timed_out else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _failure(said: Finished, limit_s: float) -> str:
    if said.timed_out:
        return f"it was still running after {limit_s:g} s and was ended"
    if said.code < 0:
        return f"it crashed ({signal.Signals(-said.code).name})"
    return f"it ended with status {said.code} ({said.complaint})"
