"""What a board printed -> Measurements. A foreign machine's words: every field is checked, nothing is run."""

from __future__ import annotations

import base64
import binascii
import hashlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edgeml.deploy.runtime import interpreter
from edgeml.errors import DeviceError, ModelError
from edgeml.target.board import runner
from edgeml.target.board.process import printable
from edgeml.target.measurement import Measurement

WIDEN = 0.05
"""Of the interval at both ends. No reference is timed beside the models, as host_timing.py does."""
SLOWED = 1.05
"""Last third of the rounds against the first: from here on the board is said to have slowed down."""

ARM_CORES = {
    "0x41:0xc07": "Cortex-A7",
    "0x41:0xc0f": "Cortex-A15",
    "0x41:0xd03": "Cortex-A53",
    "0x41:0xd04": "Cortex-A35",
    "0x41:0xd05": "Cortex-A55",
    "0x41:0xd07": "Cortex-A57",
    "0x41:0xd08": "Cortex-A72",
    "0x41:0xd09": "Cortex-A73",
    "0x41:0xd0a": "Cortex-A75",
    "0x41:0xd0b": "Cortex-A76",
    "0x41:0xd0d": "Cortex-A77",
    "0x41:0xd41": "Cortex-A78",
}
"""Implementer and part of /proc/cpuinfo -> the core's name. Source: sys-utils/lscpu-arm.c of util-linux."""

Text = Annotated[str, Field(max_length=2000), AfterValidator(printable)]
Seconds = Annotated[float, Field(gt=0, lt=86400, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Board(_Strict):
    """The machine, as it describes itself."""

    event: Literal["board"]
    runtime: Text
    device: Text
    cpu: Text
    cpu_parts: list[Text] = Field(max_length=8)
    cores: int = Field(ge=1, le=4096)
    machine: Text
    system: Text
    python: Text


class State(_Strict):
    """Clocks and temperature at one moment."""

    governors: list[Text] = Field(max_length=64)
    mhz_low: float | None
    mhz_high: float | None
    mhz_limit: float | None
    celsius: float | None
    throttled_bits: Text
    load: float


class Output(_Strict):
    """A model's output for the fixed input; `base64` is empty where it is large."""

    dtype: Text
    shape: list[Annotated[int, Field(ge=0)]] = Field(max_length=32)
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    base64: Annotated[str, Field(max_length=2 * runner.OUTPUT_BYTES)]


class Timed(_Strict):
    """Readings of a model, one a round."""

    readings_s: list[Seconds] = Field(min_length=1, max_length=10_000)
    n: int = Field(ge=1)
    outputs: list[Output] = Field(max_length=64)


class Result(_Strict):
    """The session."""

    event: Literal["result"]
    before: State
    after: State
    models: list[Timed]


class Failure(_Strict):
    """Why there is no result."""

    event: Literal["error"]
    kind: Text
    model: int = Field(ge=-1)
    text: Text


class Progress(_Strict):
    """How far it got; names the model that brought a runtime down."""

    event: Literal["loading", "timing"]
    model: int = Field(-1, ge=-1)


Event = Board | Result | Failure | Progress
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def read_events(printed: bytes, place: str) -> list[Event]:
    """Standard output of the runner -> what it says; other lines (a login shell's greeting) are skipped.

    Raises:
        DeviceError: a line of ours does not validate.
    """
    events = []
    for line in printed.splitlines():
        if line.startswith(runner.MARK):
            try:
                events.append(_EVENT.validate_json(line[len(runner.MARK) :]))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise DeviceError(
                    f"{place}: its answer does not validate ({where}: {first['msg']}); "
                    "something else answers there, or the connection is damaged."
                ) from error
    return events


def measurements(
    models: Mapping[str, bytes], board: Board, result: Result, conditions: dict[str, Any]
) -> dict[str, Measurement]:
    """Result -> latency of each model; conditions hold the board, its state and how far outputs differ."""
    cores = " + ".join(ARM_CORES.get(part, f"ARM part {part}") for part in board.cpu_parts)
    processor = cores or board.cpu or board.machine
    shared = {
        "device": board.device or processor,
        "cpu": processor,
        "cores": board.cores,
        "system": board.system,
        "runtime": board.runtime,
        "rounds": len(result.models[0].readings_s),
        "interleaved_with": len(models) - 1,
        "statistic": f"median over rounds of the {runner.PERCENTILE}th percentile",
        **_clocks(result.before, result.after),
        **conditions,
    }
    slowed = _slowed([timed.readings_s for timed in result.models])
    found = {}
    for (name, model), timed in zip(models.items(), result.models, strict=True):
        own = {**shared, **slowed, **output_difference(model, timed.outputs)}
        found[name] = latency([s * 1e3 for s in timed.readings_s], timed.n, board.runtime, own)
    return found


def latency(readings_ms: Sequence[float], n: int, tool: str, conditions: dict[str, Any]) -> Measurement:
    """Readings in ms, one a round -> Measurement: their median; 5th to 95th percentile, widened."""
    low, middle, high = (float(q) for q in np.percentile(readings_ms, (5, 50, 95)))
    return Measurement(
        "latency_ms",
        middle,
        "ms",
        "measured",
        tool,
        low=low * (1 - WIDEN),
        high=high * (1 + WIDEN),
        n=n,
        conditions={**conditions, "readings_ms": [round(value, 6) for value in readings_ms]},
    )


def _clocks(before: State, after: State) -> dict[str, Any]:
    found: dict[str, Any] = {"load_before": before.load}
    if before.governors:
        found["governor"] = " ".join(sorted({*before.governors, *after.governors}))
    for moment, state in (("before", before), ("after", after)):
        if state.mhz_high is not None:
            found[f"mhz_{moment}"] = state.mhz_high
        if state.celsius is not None:
            found[f"celsius_{moment}"] = state.celsius
        if state.throttled_bits not in ("", "0", "0x0"):
            found[f"throttled_bits_{moment}"] = state.throttled_bits
    if before.mhz_limit is not None:
        found["mhz_limit"] = before.mhz_limit
    return found


def _slowed(readings: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A sign of throttling: all models slower in the last third of the rounds than in the first."""
    third = len(readings[0]) // 3
    if not third:
        return {}
    ratios = [statistics.median(r[-third:]) / statistics.median(r[:third]) for r in readings]
    ratio = statistics.median(ratios)
    return {"slowed_down": f"by {ratio - 1:.0%} from first to last third"} if ratio >= SLOWED else {}


def output_difference(model: bytes, outputs: Sequence[Output]) -> dict[str, Any]:
    """How far the board's outputs for the fixed input are from this computer's LiteRT.

    `output_difference_steps` is the largest in quantisation steps, `output_difference` for float outputs;
    `output_check` says why there is neither.
    """
    try:
        own = interpreter(model)
        runner.set_inputs(own)
        own.invoke()
    except (ModelError, RuntimeError, ValueError) as error:
        return {"output_check": f"not compared: {str(error)[:200]}"}
    expected = [own.get_tensor(details["index"]) for details in own.get_output_details()]
    if len(expected) != len(outputs):
        return {"output_check": f"not compared: {len(outputs)} outputs, here {len(expected)}"}
    steps: list[float] = []
    real: list[float] = []
    for value, output in zip(expected, outputs, strict=True):
        difference = _difference(value, output)
        if difference is None:
            return {"output_check": "not compared: other type, shape or a large output that is not equal"}
        (real if value.dtype.kind == "f" else steps).append(difference)
    found: dict[str, Any] = {"output_difference_steps": int(max(steps))} if steps else {}
    return found | ({"output_difference": max(real)} if real else {})


def _difference(expected: Any, output: Output) -> float | None:
    if output.dtype != str(expected.dtype) or tuple(output.shape) != expected.shape:
        return None
    if hashlib.sha256(expected.tobytes()).hexdigest() == output.sha256:
        return 0.0
    try:
        content = base64.b64decode(output.base64, validate=True)
    except binascii.Error:
        return None
    if len(content) != expected.nbytes:
        return None
    given = np.frombuffer(content, expected.dtype).reshape(expected.shape)
    gap = np.abs(given.astype(np.float64) - expected.astype(np.float64))
    return float(np.nan_to_num(gap, nan=np.inf).max())
