"""The run directory: layout, atomic writes, the lock that keeps two searches apart.

RUN/run.json            settings, data, target, versions, host; written once
RUN/state.json          status, time by stage, counts, hypervolume; rewritten after every trial
RUN/front.json          keys of the Pareto front and the knee
RUN/study.db            Optuna's study (SQLite)
RUN/data/               the data set as the workers read it
RUN/candidates/KEY/     candidate.json, model.tflite, weights.safetensors; appears whole or not at all
RUN/bank.safetensors    shared weights (--inherit bank)
RUN/worker.log          what TensorFlow and other native code printed
RUN/diagnosis.json      what the knee gets wrong on the validation split, with small pictures
RUN/report.html, RUN/report.md
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edgeml.errors import RunError, StorageError
from edgeml.search.candidate import Candidate

LAYOUT = 3
"""3: candidates have `rungs`; 2: run.json lists `targets`; 1 had one `target`."""
BEFORE = ".before"
"""Ending of a candidate's folder while the one of its next rung takes its place."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a full disk or missing permission into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no disk space left at {path}; free some, then go on with --resume "
                "(nothing finished is lost)."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StorageError(
                f"{path}: {error.strerror}; choose a folder you may write to with --out."
            ) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    with storage_errors(path):
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(value, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RunError: missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); is this an edgeml run?") from error
    except ValueError as error:
        raise RunError(f"{path}: not valid JSON ({error}); the run cannot be used.") from error


class RunDir:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.candidates = path / "candidates"
        self.data = path / "data"
        self.log = path / "worker.log"
        self.bank = path / "bank.safetensors"
        self._lock: IO[str] | None = None

    @property
    def storage_url(self) -> str:
        """Optuna storage of the study."""
        return f"sqlite:///{(self.path / 'study.db').resolve()}"

    def create(self) -> None:
        """Make the directory.

        Raises:
            RunError: it exists and is not empty.
        """
        if (self.path / "run.json").exists():
            raise RunError(
                f"{self.path} already holds a run; add --resume to go on with it or choose another --out."
            )
        leftovers = [p.name for p in self.path.iterdir()] if self.path.is_dir() else []
        if self.path.exists() and (not self.path.is_dir() or set(leftovers) - {"lock"}):
            (self.path / "lock").unlink(missing_ok=True)
            raise RunError(f"{self.path} exists and is not an edgeml run; choose another --out.")
        with storage_errors(self.path):
            self.candidates.mkdir(parents=True, exist_ok=True)

    def discard(self) -> None:
        """Take back `create` where a run could not be started, so that the same --out works again."""
        if (self.path / "run.json").exists():
            return
        shutil.rmtree(self.candidates, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        for name in ("worker.log", "lock"):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: it holds something that is not ours
            self.path.rmdir()

    def open(self) -> dict[str, Any]:
        """Settings of an existing run.

        Raises:
            RunError: there is none, or it has another layout.
        """
        if not (self.path / "run.json").exists():
            raise RunError(f"{self.path} holds no run to resume; leave --resume out to start one there.")
        run: dict[str, Any] = read_json(self.path / "run.json")
        if run.get("layout") != LAYOUT:
            raise RunError(
                f"{self.path} has layout {run.get('layout')}, this edgeml reads layout {LAYOUT}; "
                "use the edgeml that wrote it."
            )
        return run

    def clear_unfinished(self) -> None:
        """Remove what a killed worker left half-written; only for the process that holds the lock."""
        with storage_errors(self.path):
            self.candidates.mkdir(exist_ok=True)
            for rest in self.candidates.glob(".*"):
                whole = self.candidates / rest.name.removeprefix(".").removesuffix(BEFORE)
                if rest.name.endswith(BEFORE) and not whole.exists():
                    rest.replace(whole)  # killed while the new one took its place
                else:
                    shutil.rmtree(rest, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for one process.

        Raises:
            RunError: another process has it.
        """
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RunError(
                f"{self.path} is in use by another edgeml; wait for it or choose another --out."
            ) from error
        try:
            yield
        finally:
            lock.close()

    def load_candidates(self) -> list[Candidate]:
        """All whole candidates, by trial number."""
        found = []
        for path in sorted(self.candidates.glob("*/candidate.json")):
            found.append(Candidate.from_dict(read_json(path), str(path)))
        return sorted(found, key=lambda candidate: candidate.number)

    def store(self, candidate: Candidate, files: dict[str, bytes]) -> None:
        """Write a candidate's folder whole or not at all."""
        final, staging = self.candidates / candidate.key, self.candidates / f".{candidate.key}"
        old = self.candidates / f".{candidate.key}{BEFORE}"
        with storage_errors(final):
            shutil.rmtree(staging, ignore_errors=True)
            try:
                staging.mkdir()
                for name, content in files.items():
                    (staging / name).write_bytes(content)
                write_json(staging / "candidate.json", candidate.to_dict())
                if final.exists():
                    shutil.rmtree(old, ignore_errors=True)
                    final.replace(old)
                staging.replace(final)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def update(self, candidate: Candidate) -> None:
        """Rewrite candidate.json of a stored candidate."""
        write_json(self.candidates / candidate.key / "candidate.json", candidate.to_dict())

    def model(self, key: str) -> bytes:
        """TFLite bytes of a candidate."""
        return (self.candidates / key / "model.tflite").read_bytes()


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turns a study that cannot be written into one sentence."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except Exception as error:
        cause = error if isinstance(error, OperationalError) else error.__cause__
        if not isinstance(cause, OperationalError):
            raise
        raise StorageError(
            f"the study in {path} cannot be written ({cause.orig}); make room or close what locks it, "
            "then go on with --resume (nothing finished is lost)."
        ) from error
