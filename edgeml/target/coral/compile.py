"""TFLite bytes -> what edgetpu_compiler makes of them, each model once.

The compiler is Google's, closed, and only used where the user has it on PATH. It runs in a folder of its
own, ends at a time limit, and is tried three times, since some of its failures do not repeat. What it made
is kept under $XDG_CACHE_HOME/edgeml by the hash of model, compiler version and flags.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from edgeml.data import scratch
from edgeml.errors import ModelError
from edgeml.target.board.process import Finished, converse, printable
from edgeml.target.coral.log import CompilerLog, complaint, is_final, parse
from edgeml.target.meter import Options

COMPILER = "edgetpu_compiler"
ATTEMPTS = 3
GRACE_S = 30.0
VERSION_LIMIT_S = 20.0
LOG_LIMIT = 1 << 20
LOG, COMPILED = "compiler.log", "model_edgetpu.tflite"
FAILED: dict[str, str] = {}
"""What this process has seen fail, by key: verdicts and figures would else wait for the same hang twice."""


class CompilerOptions(Options):
    """How long the compiler may think (its own -t; it is killed half a minute later), and where."""

    timeout_s: int = Field(600, ge=1)

    @property
    def longest_s(self) -> float:
        """Seconds of all tries."""
        return ATTEMPTS * (self.timeout_s + GRACE_S)


@dataclass(frozen=True)
class Compiler:
    """The compiler on PATH."""

    path: Path
    version: str


@dataclass(frozen=True)
class Compiled:
    """What it made of a model: the log, and the file for the device."""

    version: str
    log: CompilerLog
    model: bytes


def find_compiler() -> Compiler | str:
    """The compiler on PATH, or one sentence that says why there is none to use."""
    found = shutil.which(COMPILER)
    if found is None:
        return (
            f"{COMPILER} is not on PATH; it runs on x86-64 Linux and is installed as described at "
            "coral.ai/docs/edgetpu/compiler."
        )
    path = Path(found).resolve()
    return _asked(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _asked(path: Path, changed_ns: int) -> Compiler | str:
    """Ask for the version, once for each state of the file."""
    try:
        said = converse([str(path), "--version"], time_limit_s=VERSION_LIMIT_S, size_limit=1 << 16)
    except OSError as error:
        return f"{path} does not start ({error.strerror}); install {COMPILER} again."
    words = said.stdout.decode("utf-8", "replace").partition("version")[2].split()
    if said.code or said.timed_out or not words:
        return f"{path} --version {_end(said)} without saying its version; install {COMPILER} again."
    return Compiler(path, printable(words[0])[:40])


def compile_model(
    content: bytes, compiler: Compiler, flags: Sequence[str] = (), timeout_s: int = 600
) -> Compiled:
    """Plain TFLite bytes -> Compiled, from the cache where it is there.

    Args:
        content: the model.
        compiler: which.
        flags: beside -s, -t and -o, for example ("-a",).
        timeout_s: of one try.

    Raises:
        ModelError: the compiler refuses the model, crashes, hangs or prints what is no log; one sentence.
    """
    key = hashlib.sha256(repr((compiler.version, tuple(flags))).encode() + content).hexdigest()
    if key in FAILED:
        raise ModelError(FAILED[key])
    kept = cache_folder() / key
    try:
        return _read(kept, compiler.version) or _compile(content, compiler, flags, timeout_s, kept)
    except ModelError as error:
        FAILED[key] = str(error)
        raise


def cache_folder() -> Path:
    """Where compiled models are kept."""
    return scratch.cache_folder(COMPILER)


def _compile(
    content: bytes, compiler: Compiler, flags: Sequence[str], timeout_s: int, kept: Path
) -> Compiled:
    failures: list[_Failure] = []
    while len(failures) < ATTEMPTS and not (failures and failures[-1].final):
        made = _try(content, compiler, flags, timeout_s, kept)
        if isinstance(made, Compiled):
            return made
        failures.append(made)
    often = "" if len(failures) == 1 else f" in {len(failures)} tries"
    raise ModelError(
        f"{COMPILER} {compiler.version} does not compile the model{often}: {failures[-1].reason}; "
        "change the model, or take coral_compiler out of the profile's meters to go by the estimate."
    )


@dataclass(frozen=True)
class _Failure:
    """Why a try gave nothing, and whether another one would end the same or take as long."""

    reason: str
    final: bool


def _try(
    content: bytes, compiler: Compiler, flags: Sequence[str], timeout_s: int, kept: Path
) -> Compiled | _Failure:
    with tempfile.TemporaryDirectory(prefix="edgeml-coral-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(content)
        command = [str(compiler.path), "-s", "-t", str(timeout_s), "-o", name, *flags, f"{name}/model.tflite"]
        try:
            said = converse(command, time_limit_s=timeout_s + GRACE_S, size_limit=LOG_LIMIT)
        except OSError as error:  # it was there a moment ago
            return _Failure(f"{compiler.path} does not start ({error.strerror})", final=True)
        text = (said.stdout + b"\n" + said.stderr).decode("utf-8", "replace")
        made = folder / COMPILED
        log = parse(text) if said.code == 0 and not said.too_long else None
        if log is None or not made.is_file():
            return _Failure(_reason(said, text), said.timed_out or said.too_long or is_final(text))
        (folder / LOG).write_text(text, encoding="utf-8")
        _keep(folder, kept)
        return Compiled(compiler.version, log, made.read_bytes())


def _reason(said: Finished, text: str) -> str:
    if said.timed_out:
        return f"it was still running after {said.seconds:.0f} s and was ended"
    if said.too_long:
        return "it printed without end and was ended"
    words = printable(complaint(text))[:300]
    if said.code == 0:
        return f"it printed no memory lines and operator table, but {words!r}"
    return f"{words} (it {_end(said)})" if words else f"it {_end(said)}"


def _end(said: Finished) -> str:
    if said.timed_out:
        return f"ran longer than {said.seconds:.0f} s"
    return f"was ended by signal {-said.code}" if said.code < 0 else f"ended with status {said.code}"


def _read(kept: Path, version: str) -> Compiled | None:
    """What the cache holds; None where it holds nothing, or nothing that can be read."""
    try:
        log = parse((kept / LOG).read_text(encoding="utf-8", errors="replace"))
        return Compiled(version, log, (kept / COMPILED).read_bytes()) if log else None
    except OSError:
        return None


def _keep(place: Path, kept: Path) -> None:
    """Write the cache entry whole or not at all; a cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=kept.parent, prefix=".new-"))
        try:
            for name in (LOG, COMPILED):
                shutil.copyfile(place / name, new / name)
            shutil.rmtree(kept, ignore_errors=True)  # one that could not be read
            new.rename(kept)
        finally:
            shutil.rmtree(new, ignore_errors=True)
