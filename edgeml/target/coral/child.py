"""Process of its own in which foreign Edge TPU code runs: FOLDER -> one line of JSON on stdout.

FOLDER holds compiled.tflite, plain.tflite where there is one, and request.json {"library", "threads"}.
libedgetpu.so crashes with interpreters it was not built for; here it takes nothing down with it.

    python -m edgeml.target.coral.child FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgeml.target.host_timing import random_input

RUNS = (20, 1000)
"""At least and at most so many."""
SECONDS = 2.0
"""Between those, for so long."""


def run(folder: Path) -> dict[str, Any]:
    """FOLDER -> {"times_ms", "first_ms", "same", "largest_difference"}, or {"error", "where"}."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        delegates = _delegates(request["library"])
    except (OSError, ValueError, RuntimeError) as error:
        return {"error": str(error) or type(error).__name__, "where": "delegate"}
    try:
        device = _interpreter(folder / "compiled.tflite", delegates, request["threads"])
        inputs = _inputs(device)
        first, outputs = _timed(device, inputs)
        found: dict[str, Any] = {"first_ms": first, "times_ms": _times(device, inputs)}
    except (ValueError, RuntimeError) as error:
        return {"error": str(error) or type(error).__name__, "where": "model"}
    plain = folder / "plain.tflite"
    if plain.is_file():
        _, expected = _timed(_interpreter(plain, [], request["threads"]), inputs)
        found |= _compare(outputs, expected)
    return found


def _delegates(library: str) -> list[Any]:
    if not library:  # tests: the same way without a device
        return []
    from ai_edge_litert.interpreter import load_delegate

    return [load_delegate(library)]


def _interpreter(file: Path, delegates: list[Any], threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # XNNPACK would take the operators that are left on the host, and rounds differently.
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    loaded = Interpreter(
        model_path=str(file),
        experimental_delegates=delegates,
        experimental_op_resolver_type=resolver,
        num_threads=threads,
    )
    loaded.allocate_tensors()
    return loaded


def _inputs(loaded: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    return [
        random_input(rng, details["shape"], np.dtype(details["dtype"]))
        for details in loaded.get_input_details()
    ]


def _timed(loaded: Any, inputs: list[Any]) -> tuple[float, list[Any]]:
    """Milliseconds of one run with its inputs and outputs, and the outputs."""
    began = time.perf_counter()
    for details, value in zip(loaded.get_input_details(), inputs, strict=True):
        loaded.set_tensor(details["index"], value)
    loaded.invoke()
    outputs = [loaded.get_tensor(details["index"]) for details in loaded.get_output_details()]
    return (time.perf_counter() - began) * 1e3, outputs


def _times(loaded: Any, inputs: list[Any]) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < RUNS[0] or (len(times) < RUNS[1] and time.perf_counter() < end):
        times.append(_timed(loaded, inputs)[0])
    return times


def _compare(outputs: list[Any], expected: list[Any]) -> dict[str, Any]:
    """Share of equal values, and the largest difference in the outputs' own unit."""
    if [value.shape for value in outputs] != [value.shape for value in expected]:
        return {"same": 0.0, "largest_difference": None}
    ours, cpu = (np.concatenate([v.astype(np.float64).ravel() for v in side]) for side in (outputs, expected))
    return {
        "same": float((ours == cpu).mean()),
        "largest_difference": float(np.abs(ours - cpu).max(initial=0.0)),
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
