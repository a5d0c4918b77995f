"""The run directory: layout, what a kill leaves behind, the lock that keeps two searches apart.

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
RUN/files/              copies of the target, space and fidelity files it was started with
RUN/coordinator.json    whose it is, where several searches share a study
RUN/damaged/            what could not be read at --resume, set aside
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from edgeml.durable import flush_folder, storage_errors, write_files, write_json
from edgeml.errors import RunError
from edgeml.search.candidate import Candidate
from edgeml.search.damage import as_json, moved_aside, read_json, wrong_with
from edgeml.search.lock import held

__all__ = ["LAYOUT", "RunDir", "read_json", "write_json"]

LAYOUT = 3
"""3: candidates have `rungs`; 2: run.json lists `targets`; 1 had one `target`."""
BEFORE = ".before"
"""Ending of a candidate's folder while the one of its next rung takes its place."""
OF_A_RUN = ("settings", "dataset", "space", "ladder")
"""What run.json has to say."""
LEFT_BEFORE_BEGUN = ("lock", "worker.log", "candidates", "data")
"""What a run that was killed before its run.json may have left."""
YOURS = "choose a folder you may write to with --out"
NOT_YOURS = (
    "to go on with a run is to write into it: copy the folder to where you may write and name that in --out"
)


class RunDir:
    """Paths and files of one run.

    Attributes:
        repaired: sentences on what was damaged and set aside, since this object was made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.candidates = path / "candidates"
        self.data = path / "data"
        self.log = path / "worker.log"
        self.bank = path / "bank.safetensors"
        self.repaired: list[str] = []

    @property
    def storage_url(self) -> str:
        """Optuna storage of the study."""
        return f"sqlite:///{(self.path / 'study.db').resolve()}"

    @property
    def unbegun(self) -> bool:
        """Whether the folder holds what a run left that was killed before it had begun, and nothing else."""
        if not self.candidates.is_dir() or _there(self.path / "run.json"):
            return False
        names = {entry.name for entry in self.path.iterdir() if not _is_temporary(entry)}
        own = not self.data.exists() or (self.data / "dataset.json").is_file()
        return names <= set(LEFT_BEFORE_BEGUN) and own and not any(self.candidates.iterdir())

    def create(self) -> None:
        """Make the directory; what a run left that was killed before it had begun is cleared away.

        Raises:
            RunError: it exists and is not empty.
            StorageError: it cannot be written.
        """
        if (self.path / "run.json").exists():
            raise RunError(
                f"{self.path} already holds a run; add --resume to go on with it or choose another --out."
            )
        with storage_errors(self.path):
            if self.unbegun:
                self._clear_temporary()
                shutil.rmtree(self.data, ignore_errors=True)
                self.log.unlink(missing_ok=True)
            elif self.path.exists() and {entry.name for entry in self.path.iterdir()} - {"lock"}:
                (self.path / "lock").unlink(missing_ok=True)
                raise RunError(f"{self.path} exists and is not an edgeml run; choose another --out.")
            self.candidates.mkdir(parents=True, exist_ok=True)

    def begin(self, about: dict[str, Any]) -> None:
        """Write run.json, with which a run begins; the data are on the disk by then.

        Raises:
            StorageError: it cannot be written.
        """
        with storage_errors(self.path):
            for folder in (self.data, self.candidates, self.path):
                flush_folder(folder)
            write_json(self.path / "run.json", about)
            flush_folder(self.path.parent)

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
        """run.json of an existing run.

        Raises:
            RunError: there is none, it is damaged, or it has another layout.
        """
        if not _there(self.path / "run.json"):
            if self.unbegun:
                raise RunError(
                    f"{self.path}: the run was ended before it had begun; give the whole command again "
                    "(--data and what else it had), with or without --resume."
                )
            raise RunError(f"{self.path} holds no run to resume; leave --resume out to start one there.")
        run = read_json(self.path / "run.json")
        if run.get("layout") != LAYOUT:
            raise RunError(
                f"{self.path} has layout {run.get('layout')}, this edgeml reads layout {LAYOUT}; "
                "use the edgeml that wrote it."
            )
        if missing := [name for name in OF_A_RUN if not isinstance(run.get(name), dict)]:
            raise RunError(
                f"{self.path / 'run.json'} is damaged: it has no {missing[0]}; restore it from a copy, "
                "or start a new run with another --out."
            )
        return run

    def clear_unfinished(self) -> None:
        """Tidy what a kill left half-done; only for the process that holds the lock.

        A candidate's folder that was whole and waited for its name gets it; what is not whole goes.
        """
        with storage_errors(self.path, NOT_YOURS):
            self.candidates.mkdir(exist_ok=True)
            self._clear_temporary()
            for rest in sorted(self.candidates.glob(".*"), reverse=True):  # KEY.before before KEY
                final = self.candidates / rest.name.removeprefix(".").removesuffix(BEFORE)
                if rest.name.endswith(BEFORE):
                    if not final.exists():
                        rest.replace(final)
                elif wrong_with(rest) is None:
                    self._put(rest, final)
                shutil.rmtree(rest, ignore_errors=True)
            flush_folder(self.candidates)

    def state(self) -> dict[str, Any]:
        """state.json; empty where there is none. A damaged one is set aside: candidates tell what it said."""
        path = self.path / "state.json"
        if not path.exists():
            return {}
        try:
            return read_json(path)
        except RunError:
            self.set_aside(path, "was damaged; it is worked out again from the candidates")
            return {}

    def check_whole(self) -> None:
        """Set aside what a power cut or a failing disk has damaged and the search makes again.

        Raises:
            StorageError: the folder cannot be written.
        """
        from edgeml.train.bank import Bank

        front = self.path / "front.json"
        if front.exists() and as_json(front) is None:
            self.set_aside(front, "was damaged; it is worked out again from the candidates")
        try:
            Bank.open(self.bank)
        except RunError:
            self.set_aside(self.bank, "was damaged; weights are gathered anew")

    def locked(self) -> AbstractContextManager[None]:
        """Hold the run for one process.

        Raises:
            RunError: another process has it.
            StorageError: the folder cannot be written or locked.
        """
        return held(self.path, NOT_YOURS if _there(self.path / "run.json") else YOURS)

    def load_candidates(self) -> list[Candidate]:
        """All whole candidates, by trial number; damaged ones are set aside.

        Raises:
            StorageError: the folder cannot be written.
        """
        return sorted(self.each_candidate(), key=lambda candidate: candidate.number)

    def each_candidate(self) -> Iterator[Candidate]:
        """The same one after the other, by key: ten thousand at once take 200 MB."""
        for folder in sorted(self.candidates.glob("[!.]*")):
            if not folder.is_dir():
                continue
            value = as_json(folder / "candidate.json")
            wrong = wrong_with(folder, value)
            if value is not None and wrong is None:
                try:
                    yield Candidate.from_dict(value, str(folder / "candidate.json"))
                    continue
                except RunError:
                    wrong = "its candidate.json is not of this edgeml"
            self.set_aside(folder, f"is damaged ({wrong}); another architecture takes its place")

    def load(self, key: str) -> Candidate:
        """A stored candidate.

        Raises:
            RunError: its file is gone or damaged.
        """
        path = self.candidates / key / "candidate.json"
        return Candidate.from_dict(read_json(path), str(path))

    def store(self, candidate: Candidate, files: dict[str, bytes]) -> None:
        """Write a candidate's folder whole or not at all; it is on the disk when this returns."""
        final, staging = self.candidates / candidate.key, self.candidates / f".{candidate.key}"
        with storage_errors(final):
            shutil.rmtree(staging, ignore_errors=True)
            try:
                staging.mkdir()
                write_files(staging, files)
                write_json(staging / "candidate.json", candidate.to_dict())
                self._put(staging, final)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _put(self, staging: Path, final: Path) -> None:
        """Give a whole folder its name; the one that had it makes room first."""
        old = self.candidates / f".{final.name}{BEFORE}"
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            final.replace(old)
        staging.replace(final)
        flush_folder(self.candidates)
        shutil.rmtree(old, ignore_errors=True)

    def update(self, candidate: Candidate) -> None:
        """Rewrite candidate.json of a stored candidate."""
        write_json(self.candidates / candidate.key / "candidate.json", candidate.to_dict())

    def model(self, key: str) -> bytes:
        """TFLite bytes of a candidate."""
        return (self.candidates / key / "model.tflite").read_bytes()

    def set_aside(self, path: Path, what: str) -> None:
        """Move something into damaged/ and remember to say so."""
        with storage_errors(path, NOT_YOURS):
            place = moved_aside(path, self.path / "damaged")
        self.repaired.append(f"{path} {what} (kept in {place}).")

    def _clear_temporary(self) -> None:
        """Remove files and folders that were being written."""
        for entry in (*self.path.glob(".*"), *self.candidates.glob("*/.*.tmp")):
            if not _is_temporary(entry):
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _there(path: Path) -> bool:
    """Whether a file exists.

    Raises:
        RunError: its folder cannot be looked into.
    """
    try:
        return path.exists()
    except OSError as error:
        raise RunError(
            f"{path.parent}: cannot be read ({error.strerror}); name a run that you may read with --out."
        ) from error


def _is_temporary(entry: Path) -> bool:
    """What `write_whole` and the data set's writer call their files while they are not whole."""
    return entry.name.startswith(".") and (entry.name.endswith(".tmp") or entry.name.startswith(".data."))
