"""Models on stdin -> their latencies as lines of JSON on stdout. This file runs on the board.

edgeml sends it through one ssh connection, so it writes no file there and leaves none behind. It needs
Python 3.7 or newer, numpy, and one of RUNTIMES. Standard input holds one line of JSON (see `main`), then the
models one after the other, and stays open: when it closes, the host is gone and the board stops as well.
The protocol is that of edgeml.target.host_timing without its reference: warm up, rounds in shuffled order,
low percentile.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import importlib
import json
import os
import platform
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

MARK = b"EDGEML-BOARD "
"""Begins every line of ours; what a login shell prints is skipped."""
RUNTIMES = ("ai_edge_litert", "tflite_runtime", "tensorflow")
OUTPUT_BYTES = 16384
"""Outputs up to this size come back whole, larger ones as a hash."""
PI_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
"""Raspberry Pi: bits for under-voltage and throttling, now and since boot."""
SHARE = 0.6
"""Of the time limit that loading and timing may take; then there are fewer rounds."""
SEED = 0
MIN_ROUNDS = 5
PERCENTILE = 10
NO_RUNTIME, BAD_MODEL, TOO_SLOW = "no_runtime", "model", "too_slow"


class RunnerError(Exception):
    """Something the host puts into a sentence: `kind` is one of the three above."""

    def __init__(self, kind: str, text: str, model: int = -1) -> None:
        super().__init__(text)
        self.kind = kind
        self.model = model


def main(source: Any, sink: Any) -> int:
    """Answer one request; 0 where there is a result.

    The request's fields: sizes (bytes of each model), threads, rounds, round_s, warm_up_runs, seed, limit_s,
    runtime (one of RUNTIMES, or "auto").
    """

    def say(event: str, **fields: Any) -> None:
        sink.write(MARK + json.dumps(dict(fields, event=event)).encode() + b"\n")
        sink.flush()

    request = json.loads(source.readline())
    models = [source.read(size) for size in request["sizes"]]
    request["stop"] = time.monotonic() + SHARE * request["limit_s"]
    _stop_with_host(source, float(request["limit_s"]))
    try:
        name, make = runtime(request["runtime"])
        say("board", runtime=name, **board())
        say("result", before=state(), models=timed(models, make, request, say), after=state())
    except RunnerError as error:
        say("error", kind=error.kind, model=error.model, text=str(error)[:2000])
        return 1
    return 0


def runtime(wanted: str) -> tuple[str, Any]:
    """Name in RUNTIMES or "auto" -> (name with version, its Interpreter class)."""
    refusals = []
    for name in RUNTIMES if wanted == "auto" else (wanted,):
        try:
            if name == "tensorflow":
                module = importlib.import_module(name)
                return _versioned(name, module), module.lite.Interpreter
            module = importlib.import_module(name + ".interpreter")
            return _versioned(name, module), module.Interpreter
        except Exception as error:  # a broken wheel raises OSError, AttributeError and more
            refusals.append(f"{name}: {_first_line(error)}")
    raise RunnerError(NO_RUNTIME, "; ".join(refusals))


def _versioned(name: str, module: Any) -> str:
    with contextlib.suppress(Exception):  # importlib.metadata is there from Python 3.8 on
        metadata = importlib.import_module("importlib.metadata")
        return f"{name} {metadata.version(name.replace('_', '-'))}"
    return f"{name} {getattr(module, '__version__', 'of unknown version')}"


def timed(models: list[bytes], make: Any, request: dict[str, Any], say: Any) -> list[dict[str, Any]]:
    """Models -> for each its readings in seconds, one a round, and its outputs for a fixed input."""
    percentile = importlib.import_module("numpy").percentile
    loaded: list[Any] = []
    found: list[dict[str, Any]] = []
    for index, model in enumerate(models):
        say("loading", model=index)
        interpreter, outputs = _prepare(model, index, make, request)
        loaded.append(interpreter)
        found.append({"readings_s": [], "n": 0, "outputs": outputs})
    say("timing")
    order, rng = list(range(len(models))), random.Random(request["seed"])
    gc.disable()
    for done in range(request["rounds"]):
        if time.monotonic() > request["stop"]:
            if done < MIN_ROUNDS:
                took = f"{done} of at least {MIN_ROUNDS} rounds in {SHARE * request['limit_s']:.0f} s"
                raise RunnerError(TOO_SLOW, took)
            break
        rng.shuffle(order)
        for index in order:
            times = _round(loaded[index], request["round_s"])
            found[index]["readings_s"].append(float(percentile(times, PERCENTILE)))
            found[index]["n"] += len(times)
    return found


def _prepare(model: bytes, index: int, make: Any, request: dict[str, Any]) -> tuple[Any, list[Any]]:
    try:
        interpreter = make(model_content=model, num_threads=request["threads"])
        interpreter.allocate_tensors()
        set_inputs(interpreter, request["seed"])
        interpreter.invoke()
        outputs = [_output(interpreter, details) for details in interpreter.get_output_details()]
        for _ in range(request["warm_up_runs"]):
            interpreter.invoke()
    except Exception as error:
        raise RunnerError(BAD_MODEL, _first_line(error), index) from error
    return interpreter, outputs


def set_inputs(interpreter: Any, seed: int = SEED) -> None:
    """Fill every input with numbers that are the same on all machines (numpy froze RandomState's streams)."""
    numpy = importlib.import_module("numpy")
    rng = numpy.random.RandomState(seed)
    for details in interpreter.get_input_details():
        kind = numpy.dtype(details["dtype"])
        shape = tuple(int(size) for size in details["shape"])
        if kind.kind == "f":
            value = rng.random_sample(shape).astype(kind)
        elif kind.itemsize <= 2 and kind.kind in "iu":
            limits = numpy.iinfo(kind)
            value = rng.randint(limits.min, int(limits.max) + 1, shape, "int32").astype(kind)
        else:  # indices and flags: 0 and 1 are in range everywhere
            value = rng.randint(0, 2, shape, "int32").astype(kind)
        interpreter.set_tensor(details["index"], value)


def _output(interpreter: Any, details: dict[str, Any]) -> dict[str, Any]:
    value = interpreter.get_tensor(details["index"])
    content = value.tobytes()
    small = len(content) <= OUTPUT_BYTES
    return {
        "dtype": str(value.dtype),
        "shape": [int(size) for size in value.shape],
        "sha256": hashlib.sha256(content).hexdigest(),
        "base64": base64.b64encode(content).decode() if small else "",
    }


def _round(interpreter: Any, seconds: float) -> list[float]:
    """Seconds of single invocations, at least 3, for a while."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - began)
    return times


def board() -> dict[str, Any]:
    """The machine: what it calls itself, its processor, system and Python."""
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    fields = [[half.strip() for half in line.split(":", 1)] for line in lines if ":" in line]
    makers = [value for key, value in fields if key == "CPU implementer"]
    parts = [value for key, value in fields if key == "CPU part"]
    parts = sorted({f"{maker}:{part}" for maker, part in zip(makers, parts)})  # noqa: B905, Python 3.7 has no strict
    names = [value for key, value in fields if key in ("model name", "Model", "Hardware")]
    return {
        "device": _text(Path("/proc/device-tree/model")).strip("\0 \n"),
        "cpu": names[0] if names else "",
        "cpu_parts": parts[:8],
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "system": platform.platform()[:200],
        "python": platform.python_version(),
    }


def state() -> dict[str, Any]:
    """What changes while a board works; None or empty where the board does not say."""
    now, most, governors = (
        _texts("/sys/devices/system/cpu", f"cpu[0-9]*/cpufreq/{name}")
        for name in ("scaling_cur_freq", "cpuinfo_max_freq", "scaling_governor")
    )
    zones = _numbers(_texts("/sys/class/thermal", "thermal_zone*/temp"))
    return {
        "governors": sorted(set(governors)),
        "mhz_low": min(_numbers(now)) / 1e3 if _numbers(now) else None,
        "mhz_high": max(_numbers(now)) / 1e3 if _numbers(now) else None,
        "mhz_limit": max(_numbers(most)) / 1e3 if _numbers(most) else None,
        "celsius": max(zones) / 1e3 if zones else None,
        "throttled_bits": _text(Path(PI_THROTTLED)).strip(),
        "load": os.getloadavg()[0],
    }


def _numbers(texts: list[str]) -> list[float]:
    return [float(text) for text in texts if text.lstrip("-").isdigit()]


def _texts(folder: str, pattern: str) -> list[str]:
    texts = [_text(path).strip() for path in sorted(Path(folder).glob(pattern))]
    return [text for text in texts if text]


def _text(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(200_000).decode("utf-8", "replace")
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _stop_with_host(source: Any, limit_s: float) -> None:
    """End this process when the host closes the connection, or after its time limit."""

    def watch() -> None:
        while os.read(source.fileno(), 1):
            pass
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()
    clock = threading.Timer(limit_s, os._exit, (4,))
    clock.daemon = True
    clock.start()


if __name__ == "__main__":
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is not for the host
    status = main(sys.stdin.buffer, output)
    output.flush()
    os._exit(status)
