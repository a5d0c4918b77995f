"""TFLite bytes -> what Arm Vela makes of them for an Ethos-U: cycles, memory, operators left to the CPU.

Vela runs in a worker process that stays (a start takes 0.6 s, a small model then some 20 ms), within a time
and a memory limit: its C++ core was seen to end with SIGSEGV on a cut-off file. Its words are read off what
it prints, its placement off the file it writes: what is no "ethos-u" operator there is left to the CPU.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from edgeml.deploy.tflite import read_model
from edgeml.errors import ConfigError, EdgemlError, ModelError
from edgeml.target.ethosu.process import Worker, WorkerError
from edgeml.target.meter import MeterUnavailableError, TimeLimited

MISSING = "Arm Vela is not installed; pip install 'edgeml[ethos-u]'"
NPU_OP = "ethos-u"
"""Name of the custom operator that Vela puts in place of what it mapped."""

_KEPT = 64
_NAME = r"^[A-Za-z0-9_]+$"
_CONFIG_ERRORS = ("CliOptionError", "ConfigOptionError", "InputFileError", "SystemExit")


Accelerator = Literal[
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
]
"""Product and MACs a cycle."""


class VelaOptions(TimeLimited):
    """What Vela compiles for; the names of the configurations are those of `config`."""

    accelerator: Accelerator = "ethos-u55-128"
    config: str = Field("Arm/vela.ini", pattern=r"^[^-].*\.ini$")
    system_config: str = Field("Ethos_U55_High_End_Embedded", pattern=_NAME)
    memory_mode: str = Field("Shared_Sram", pattern=_NAME)
    optimise: Literal["Performance", "Size"] = "Performance"
    time_limit_s: float = Field(60, gt=0, le=3600)
    memory_limit_mib: int = Field(4096, ge=1024)

    def arguments(self, model: Path, folder: Path) -> list[str]:
        """Command line of Vela."""
        return [
            str(model),
            *("--output-dir", str(folder)),
            *("--accelerator-config", self.accelerator),
            *("--config", self.config),
            *("--system-config", self.system_config),
            *("--memory-mode", self.memory_mode),
            *("--optimise", self.optimise),
        ]


@dataclass(frozen=True)
class Complaint:
    """Why Vela leaves an operator to the CPU; `constraint` is "" where it names none."""

    reason: str
    constraint: str


@dataclass(frozen=True)
class Compiled:
    """What Vela said about a model.

    Attributes:
        version: of Vela.
        cycles: of one inference on the NPU.
        clock_hz: of the NPU.
        memory: bytes used by memory: "sram", "dram", "on_chip_flash", "off_chip_flash".
        on_cpu: names of the first output tensors of the operators left to the CPU.
        host_ops: how many those are.
        npu_ops: how many custom operators for the NPU the compiled file has.
        complaints: by the name of an operator's first output tensor.
        file_bytes: size of the compiled file.
    """

    version: str
    cycles: int
    clock_hz: float
    memory: dict[str, int]
    on_cpu: frozenset[str]
    host_ops: int
    npu_ops: int
    complaints: dict[str, Complaint]
    file_bytes: int

    @property
    def latency_ms(self) -> float:
        """Of one inference on the NPU."""
        return self.cycles / self.clock_hz * 1e3


def missing() -> str:
    """Why Vela cannot be used here and how that changes, "" where it can."""
    return "" if importlib.util.find_spec("ethosu") else MISSING


def compile_model(content: bytes, wanted: VelaOptions) -> Compiled:
    """TFLite bytes -> Compiled. What was compiled lately is remembered.

    Raises:
        MeterUnavailableError: Vela is not installed, or does not start.
        ConfigError: Vela does not know the configuration.
        ModelError: Vela refuses the model, crashes on it, or takes longer or more memory than allowed.
    """
    key = (hashlib.sha256(content).hexdigest(), wanted.model_dump_json())
    with _LOCK:
        if key not in _DONE:
            _DONE[key] = _compile(content, wanted)
            while len(_DONE) > _KEPT:
                _DONE.popitem(last=False)
        found = _DONE[key]
    if isinstance(found, EdgemlError):
        raise type(found)(*found.args)
    return found


_LOCK = threading.Lock()
_DONE: OrderedDict[tuple[str, str], Compiled | EdgemlError] = OrderedDict()
_WORKERS: list[Worker] = []


def close() -> None:
    """End the worker and forget what it compiled; the next model starts a new one."""
    _DONE.clear()
    while _WORKERS:
        _WORKERS.pop().close()


atexit.register(close)


def _worker() -> Worker:
    """The running worker, a new one where it is gone."""
    if _WORKERS and not _WORKERS[0].alive:
        _WORKERS.pop().close()
    if not _WORKERS:
        if reason := missing():
            raise MeterUnavailableError(reason)
        try:
            _WORKERS.append(Worker())
        except WorkerError as error:
            raise MeterUnavailableError(f"Arm Vela does not start: {error}.") from error
    return _WORKERS[0]


def compile_to_file(content: bytes, wanted: VelaOptions) -> tuple[Compiled, bytes]:
    """TFLite bytes -> Compiled and the file that Vela wrote. Nothing is remembered: files are large.

    Raises:
        MeterUnavailableError, ConfigError, ModelError: as `compile_model`.
    """
    files: list[bytes] = []
    with _LOCK:
        found = _compile(content, wanted, lambda path: files.append(path.read_bytes()))
    if isinstance(found, EdgemlError):
        raise found
    return found, files[0]


def _compile(
    content: bytes, wanted: VelaOptions, take: Callable[[Path], None] = lambda path: None
) -> Compiled | EdgemlError:
    """Compile; `take` is given the compiled file while it is there."""
    worker = _worker()
    with tempfile.TemporaryDirectory(prefix="edgeml-vela-") as name:
        folder = Path(name)
        model = folder / "model.tflite"
        model.write_bytes(content)
        asked = {
            "arguments": wanted.arguments(model, folder),
            "summary": str(folder / f"model_summary_{wanted.system_config}.csv"),
            "limit_s": wanted.time_limit_s,
            "memory_bytes": wanted.memory_limit_mib << 20,
        }
        try:
            answer, said = _ask(worker, asked, wanted.time_limit_s)
        except WorkerError as error:
            if _OUT_OF_MEMORY.search(str(error)):
                return _too_little_memory(worker.version, wanted)
            return ModelError(f"Vela {worker.version} failed on the model: {error}.")
        if "error" in answer:
            return _refusal(worker.version, answer, said, wanted)
        try:
            made = folder / "model_vela.tflite"
            compiled = _compiled(worker.version, answer["summary"], said, made)
        except (KeyError, ValueError) as error:
            return ModelError(
                f"Vela {worker.version} wrote a summary that edgeml cannot read ({error!r}); "
                "expected that of Vela 5."
            )
        take(made)
        return compiled


def _ask(worker: Worker, asked: dict[str, Any], limit_s: float) -> tuple[dict[str, Any], str]:
    """What the worker answers; a fresh one is asked where what earlier models left may have ended it."""
    try:
        return worker.ask(asked, limit_s)
    except WorkerError as error:
        if not error.retry:
            raise
    return _worker().ask(asked, limit_s)


def _refusal(version: str, answer: dict[str, Any], said: str, wanted: VelaOptions) -> EdgemlError:
    text = " ".join(str(answer["error"]).split())
    kind = answer["kind"]
    if kind == "MemoryError" or _OUT_OF_MEMORY.search(text):
        return _too_little_memory(version, wanted)
    if kind in _CONFIG_ERRORS:
        last = said.strip().splitlines()[-1:] if kind == "SystemExit" else [text]
        return ConfigError(
            f"options: vela: {wanted.accelerator}, {wanted.config}, {wanted.system_config}, "
            f"{wanted.memory_mode} are refused by Vela {version}: {' '.join(last)[:300].rstrip('.')}."
        )
    return ModelError(f"Vela {version} cannot compile the model: {text[:300].rstrip('.')}.")


_OUT_OF_MEMORY = re.compile("bad_alloc|cannot allocate memory", re.IGNORECASE)
"""What C++ and the dynamic loader say at the limit: which of them speaks first depends on what was loaded."""


def _too_little_memory(version: str, wanted: VelaOptions) -> ModelError:
    return ModelError(
        f"Vela {version} needs more than {wanted.memory_limit_mib} MiB of memory for the model; "
        "give a smaller one, or raise memory_limit_mib of the vela options."
    )


def _compiled(version: str, summary: dict[str, str], said: str, file: Path) -> Compiled:
    written = read_model(file)
    npu = [op for op in written.operators if op.custom_code == NPU_OP]
    host = [op for op in written.operators if op.custom_code != NPU_OP]
    suffix = "_memory_used"
    return Compiled(
        version=version,
        cycles=round(float(summary["cycles_total"])),
        clock_hz=float(summary["core_clock"]),
        memory={
            name.removesuffix(suffix): round(float(kib) * 1024)
            for name, kib in summary.items()
            if name.endswith(suffix)
        },
        on_cpu=frozenset(written.tensors[op.outputs[0]].name for op in host if op.outputs),
        host_ops=len(host),
        npu_ops=len(npu),
        complaints=complaints(said),
        file_bytes=written.file_bytes,
    )


_WARNING = re.compile(
    r"^Warning \(supported operators\) operator: \S+, ofm: '(?P<ofm>.*)'\nReason: (?P<reason>.*)\n"
    r"(?P<constraint>(?:(?!Warning |\n).*\n)*)",
    re.MULTILINE,
)


def complaints(said: str) -> dict[str, Complaint]:
    """What Vela printed -> its complaint by the name of the operator's output tensor."""
    return {
        found["ofm"]: Complaint(found["reason"].strip(), " ".join(found["constraint"].split()))
        for found in _WARNING.finditer(said + "\n")
    }
