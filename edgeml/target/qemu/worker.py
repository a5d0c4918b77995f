"""Runs inside qemu-aarch64: TFLite models -> marked invocations. JSON lines in, JSON lines out.

Started by guest.py with the arm64 Python of the sysroot, so it imports nothing of edgeml. `os.getppid` is the
marker that count.c looks for; nothing else here may call it.

    first, unasked   {"litert": "2.3.0", "cpuinfo": "processor..."}
    asked            {"descriptor": of the model, "bytes": its size, "kernels": "xnnpack" | "reference"}
    answered         {"digest": sha256 of the outputs}, or {"error": why LiteRT refused, "" if untold}
"""

from __future__ import annotations

import gc
import hashlib
import json
import operator
import os
import sys
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import Any

COUNTED_RUNS = 2
MARKERS = COUNTED_RUNS + 2
"""Of one model: after warm-up, again at once (what a marker costs), after each counted run."""


def main() -> None:
    """Serve models until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native code that prints must not write among the answers
    import ai_edge_litert.interpreter  # noqa: F401

    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    print(json.dumps({"litert": version("ai-edge-litert"), "cpuinfo": cpuinfo}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            model = os.pread(asked["descriptor"], asked["bytes"], 0)
            answer = {"digest": run(model, asked["kernels"])}
        except Exception as error:
            answer = {"error": (str(error).splitlines() or [""])[0]}
        print(json.dumps(answer), file=answers, flush=True)


def run(model: bytes, kernels: str) -> str:
    """TFLite bytes -> SHA-256 of its outputs for fixed inputs; warms up, then marks COUNTED_RUNS invocations.

    Raises:
        ValueError, RuntimeError: LiteRT's own, for a model that it cannot run.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if kernels == "reference" else OpResolverType.AUTO
    loaded = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=resolver)
    loaded.allocate_tensors()
    _fill_inputs(loaded)
    invoke, mark = loaded._interpreter.Invoke, os.getppid  # the public invoke() is Python around the former
    gc.collect()
    # The loop is C: bytecode between marks would vary as the interpreter specialises it. The warm-up run is
    # in the loop because its first round differs by 73 instructions.
    deque(map(operator.call, [invoke, mark, mark] + [invoke, mark] * COUNTED_RUNS), maxlen=0)
    digest = hashlib.sha256()
    for details in loaded.get_output_details():
        digest.update(loaded.get_tensor(details["index"]).tobytes())
    return digest.hexdigest()


def _fill_inputs(loaded: Any) -> None:
    """Seeded noise in quantised and float inputs, zeros in others (indices must stay in range)."""
    import numpy as np

    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        kind, shape = np.dtype(details["dtype"]), details["shape"]
        value = np.zeros(shape, kind)
        if kind.kind == "f":
            value = rng.random(shape, np.float32).astype(kind)
        elif kind.name in ("int8", "uint8", "int16"):
            limits = np.iinfo(kind)
            value = rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
        loaded.set_tensor(details["index"], value)


if __name__ == "__main__":
    main()
