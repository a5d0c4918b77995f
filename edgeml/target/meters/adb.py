"""Latency on an Android phone: TensorFlow Lite's benchmark_model there, models in shuffled rounds, over adb.

The tool is the user's own (docs/devices.md says where it comes from). Every round starts it anew for each
model, so a reading is the fast end of one run; the value is the median over rounds.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from edgeml.errors import ConfigError, DeviceError, ModelError
from edgeml.target.board import report
from edgeml.target.board.adb import ANSWER_S, Phone, Ran, facts, find_adb, find_phone, state
from edgeml.target.board.afterwards import afterwards
from edgeml.target.board.benchmark import Run, complaint, read_run
from edgeml.target.board.turn import turn
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Options, Subject, options
from edgeml.target.profile import Target

TOOL_VARIABLE = "EDGEML_BENCHMARK_MODEL"
TOOL = "/data/local/tmp/benchmark_model"
"""Where TensorFlow Lite's instructions put it; taken where a device is named and no tool."""
FOLDER = "/data/local/tmp"
TIMEOUT_S = 900.0
WARM_UP_S, TIMED_S, MOST_S = 0.2, 0.3, 20.0
"""Of one run of the tool: least warm-up, least timed, most of either."""
RESOLUTION_MS = 1e-3
_NO_TOOL = (126, 127)


class AdbOptions(Options):
    """Which phone, which tool, and how to run it."""

    serial: str | None = None
    benchmark_model: str | None = None
    use_xnnpack: bool | None = None
    cpu_mask: str | None = Field(None, pattern="^[0-9a-fA-F]{1,16}$")
    rounds: int = Field(5, ge=3, le=100)
    num_runs: int = Field(10, ge=3, le=10_000)
    warmup_runs: int = Field(2, ge=1, le=10_000)
    timeout_s: float = Field(TIMEOUT_S, gt=0, le=86400)

    @property
    def longest_s(self) -> float:
        """Seconds, with the wait for another session on the phone."""
        return 2 * self.timeout_s


def missing(target: Target) -> str:
    """Why the meter cannot be used here; "" where it can."""
    if reason := find_adb()[1]:
        return reason
    given = options(target, "adb", AdbOptions)
    if not (given.benchmark_model or os.environ.get(TOOL_VARIABLE)):
        return (
            "no benchmark_model given: set `options: {adb: {benchmark_model: ...}}` in the profile or "
            f"${TOOL_VARIABLE} to the tool, here or on the phone, or name the phone with --device adb"
        )
    return ""


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model on the profile's phone, as `time_models` takes it."""
    if reason := missing(target):
        raise MeterUnavailableError(reason)
    given = options(target, "adb", AdbOptions)
    models = {name: subject.artifact for name, subject in subjects.items()}
    found = time_models(models, target.threads, settings=given)
    return {name: {"latency_ms": measurement} for name, measurement in found.items()}


def time_models(
    models: Mapping[str, bytes], threads: int = 1, *, settings: AdbOptions | None = None
) -> dict[str, Measurement]:
    """TFLite models by name -> latency of each on a phone in milliseconds, in shuffled rounds.

    Args:
        models: flatbuffers.
        threads: of the runtime there.
        settings: phone ($ANDROID_SERIAL where it has none), tool ($EDGEML_BENCHMARK_MODEL, else TOOL) and
            the rest.

    Raises:
        MeterUnavailableError: no adb, or one that does not start.
        ConfigError: the tool is neither a file here nor a path on the phone.
        DeviceError: no phone, several, no trust, no tool that runs there, or the phone goes away.
        ModelError: the tool refuses a model.
    """
    settings = settings or AdbOptions.model_validate({})
    if not models:
        return {}
    phone = find_phone(settings.serial or os.environ.get("ANDROID_SERIAL") or None, settings.timeout_s)
    with turn(f"phone {phone.serial}", settings.timeout_s):
        phone = replace(phone, deadline=time.monotonic() + settings.timeout_s)
        with _installed(phone, models, threads, settings) as session:
            device = facts(phone)
            before = state(phone)
            runs = _rounds(session, list(models))
            after = state(phone)
    last = [found[-1] for found in runs.values()]
    conditions = {
        **device,
        "threads": threads,
        "rounds": settings.rounds,
        "interleaved_with": len(models) - 1,
        "statistic": f"median over rounds of the {last[0].statistic}",
        "resolution_ms": RESOLUTION_MS,
        "flags": session.flags,
        **{f"{key}_before": value for key, value in before.items()},
        **{f"{key}_after": value for key, value in after.items()},
    }
    tool = f"benchmark_model {session.digest}"
    return {name: _measurement(found, tool, conditions) for name, found in runs.items()}


@dataclass(frozen=True)
class _Session:
    """Tool and models on a phone."""

    phone: Phone
    folder: str
    tool: str
    digest: str
    threads: int
    settings: AdbOptions
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def flags(self) -> str:
        given = self.settings
        flags = [
            f"--num_threads={self.threads}",
            f"--warmup_runs={given.warmup_runs}",
            f"--warmup_min_secs={WARM_UP_S}",
            f"--num_runs={given.num_runs}",
            f"--min_secs={TIMED_S}",
            f"--max_secs={MOST_S}",
        ]
        if given.use_xnnpack is not None:
            flags.append(f"--use_xnnpack={str(given.use_xnnpack).lower()}")
        return " ".join(flags)

    def run(self, index: int) -> Ran:
        """The tool on one model; its process id is kept, so that it can be ended."""
        mask = f"taskset {self.settings.cpu_mask} " if self.settings.cpu_mask else ""
        pid = shlex.quote(f"{self.folder}/pid")
        graph = shlex.quote(f"--graph={self.folder}/{_file(index)}")
        return self.phone.shell(
            f"{mask}{shlex.quote(self.tool)} {graph} {self.flags} & echo $! >{pid}; "
            f"wait $!; code=$?; rm -f {pid}; exit $code",
            limit_s=ANSWER_S + 3 * MOST_S,
        )


def _file(index: int) -> str:
    return f"model-{index}.tflite"


@contextmanager
def _installed(
    phone: Phone, models: Mapping[str, bytes], threads: int, settings: AdbOptions
) -> Iterator[_Session]:
    """Tool and models in a private folder of the phone, which is removed afterwards whatever happens here."""
    folder = f"{FOLDER}/edgeml-{secrets.token_hex(8)}"
    remove = f"kill -9 $(cat {folder}/pid 2>/dev/null) 2>/dev/null; rm -rf {folder}"
    with afterwards(phone.command("shell", remove)):
        made = phone.shell(f"mkdir -m 700 {folder}")
        if made.code:
            raise DeviceError(f"phone {phone.serial}: cannot make {folder} ({made.output.strip()[:200]}).")
        with tempfile.TemporaryDirectory(prefix="edgeml-") as here:
            files = []
            for index, model in enumerate(models.values()):
                files.append(Path(here) / _file(index))
                files[-1].write_bytes(model)
            phone.push(files, f"{folder}/")
        tool = _tool(phone, folder, settings.benchmark_model or os.environ.get(TOOL_VARIABLE) or TOOL)
        hashed = phone.shell(f"sha256sum {shlex.quote(tool)}").output
        digest = re.match(r"([0-9a-f]{12})[0-9a-f]{52}\s", hashed)
        yield _Session(phone, folder, tool, f"sha256 {digest[1]}" if digest else "", threads, settings)


def _tool(phone: Phone, folder: str, given: str) -> str:
    """A file here is copied to the phone; anything else must be there already."""
    local = Path(given).expanduser()
    if local.is_file():
        path = f"{folder}/benchmark_model"
        phone.push([local], path)
        phone.shell(f"chmod 755 {path}")
        return path
    if not given.startswith("/"):
        raise ConfigError(
            f"benchmark_model: {given!r} is no file here and no absolute path on the phone; "
            "docs/devices.md says where to get it."
        )
    if phone.shell(f"test -x {shlex.quote(given)}").code:
        raise DeviceError(
            f"phone {phone.serial}: no program {given} there and no such file here; copy benchmark_model "
            f"there (docs/devices.md) or set ${TOOL_VARIABLE}."
        )
    return given


def _rounds(session: _Session, names: list[str]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in names}
    order = list(range(len(names)))
    for _ in range(session.settings.rounds):
        session.rng.shuffle(order)
        for index in order:
            ran = session.run(index)
            run = read_run(ran.output) if ran.code == 0 else None
            if run is None:
                raise _failure(session, names[index], ran)
            found[names[index]].append(run)
    return found


def _failure(session: _Session, name: str, ran: Ran) -> DeviceError | ModelError:
    place = f"phone {session.phone.serial}"
    last = next((line.strip() for line in reversed(ran.output.splitlines()) if line.strip()), "no message")
    if ran.code in _NO_TOOL or "CANNOT LINK EXECUTABLE" in ran.output:
        return DeviceError(
            f"{place}: {session.tool} does not run there ({last[:200]}); is it built for the phone's "
            f"processor ({facts(session.phone).get('abi', 'unknown')})?"
        )
    if ran.code > 128:
        return ModelError(f"{place}: benchmark_model crashed on model {name!r} (signal {ran.code - 128}).")
    return ModelError(
        f"{place}: benchmark_model refuses model {name!r} (status {ran.code}): "
        f"{complaint(ran.output) or last[:200]}"
    )


def _measurement(runs: list[Run], tool: str, conditions: dict[str, Any]) -> Measurement:
    own = {**conditions, "mean_ms": round(sum(run.mean_us for run in runs) / len(runs) / 1e3, 6)}
    found = report.latency([run.low_us / 1e3 for run in runs], sum(run.count for run in runs), tool, own)
    half = RESOLUTION_MS / 2
    return replace(found, low=max(found.low - half, 0.0), high=found.high + half)
