"""What goes to a worker of a cluster and what comes back: the coordinator's side.

A parcel names files by their content; the files themselves go through the store. What a worker has made comes
into the run directory as a local worker writes it: a candidate's folder whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeml.errors import EdgemlError, StorageError
from edgeml.search.candidate import Candidate
from edgeml.search.cluster.greeting import software
from edgeml.search.cluster.store import Blob, Store
from edgeml.search.evaluate import Job, Order
from edgeml.search.run_dir import RunDir
from edgeml.search.start import UNCOMPRESSED, WEIGHTS
from edgeml.search.workers.compute import Compute

OWN = ".exchange.tmp"
"""Folder of the run directory that is the store where none is named; a temporary file to RunDir."""
DATA = "data"
ABOUT = "candidate.json"
VARIANTS = ("ptq", "qat")
"""Endings of variants that a finalist's compression looks at (Finalist.int8_accuracies)."""
AGAIN_S = 0.05


@dataclass(frozen=True)
class Folder:
    """A candidate's folder.

    Attributes:
        key: its name.
        about: text of candidate.json.
        files: name and content of the others.
    """

    key: str
    about: str
    files: tuple[tuple[str, Blob], ...]


@dataclass(frozen=True)
class Parcel:
    """A call of a function over a job, and what it reads.

    Attributes:
        store: its URL.
        group: of this run's files.
        data: names and contents of the data set's files; empty where `shared` has them.
        shared: run directory that workers see too; None where all comes from the store.
        folders: of the candidates that the function reads.
        bank: shared weights.
        call: the function and its arguments, the Job first.
        threads: for each evaluation, by host.
        compute: limits of an evaluation.
        software: versions that the worker must have.
    """

    store: str = field(repr=False)
    group: str
    data: tuple[tuple[str, Blob], ...]
    shared: str | None
    folders: tuple[Folder, ...]
    bank: Blob | None
    call: tuple[Callable[..., Any], tuple[Any, ...]]
    threads: tuple[tuple[str, int], ...]
    compute: Compute
    software: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Delivery:
    """What came of a parcel.

    Attributes:
        worker: its host and address.
        address: of Dask's.
        result: of the function.
        folders: that it wrote or changed.
        error: that it raised instead.
        died: how its process ended instead.
        refused: the worker cannot do it: it has other software and was asked because no better one was
            there, or there is a problem.
        problem: why the worker cannot go on at all; None where it can.
        log: the end of what it printed.
    """

    worker: str
    result: Any = None
    folders: tuple[Folder, ...] = ()
    error: EdgemlError | None = None
    died: str | None = None
    refused: bool = False
    problem: str | None = None
    address: str = ""
    log: str = ""


class Exchange:
    """The coordinator's side of the way to and from workers.

    Args:
        run: the run directory.
        url: of the store; None: a folder of the run directory, which the workers must see at the same path.
    """

    def __init__(self, run: RunDir, url: str | None) -> None:
        self.run = run
        self.shared = None if url else str(run.path.resolve())
        self.store = Store(url or str(run.path.resolve() / OWN))
        place = hashlib.sha256(f"{platform.node()}:{run.path.resolve()}".encode()).hexdigest()[:16]
        self.group = f"runs/{place}"
        self._data: tuple[tuple[str, Blob], ...] | None = None
        self._sending, self._folders = threading.Lock(), threading.Lock()

    def pack(
        self, call: tuple[Callable[..., Any], tuple[Any, ...]], compute: Compute, threads: dict[str, int]
    ) -> Parcel:
        """A call and the files that it reads -> what is sent to a worker; the files are in the store then.

        Raises:
            StorageError: the store cannot be written.
        """
        job = next((one for one in call[1] if isinstance(one, Job)), None)
        bank = None
        if job is not None and job.from_bank and self.run.bank.exists():
            bank = self.store.put(self.run.bank.read_bytes(), self.group)
        return Parcel(
            store=self.store.url,
            group=self.group,
            data=() if self.shared else self._data_sent(),
            shared=self.shared,
            folders=tuple(self._folder(key, names) for key, names in self._read_by(call[1])),
            bank=bank,
            call=call,
            threads=tuple(sorted(threads.items())),
            compute=compute,
            software=software(),
        )

    def adopt(self, delivery: Delivery) -> None:
        """Bring what a worker wrote into the run directory.

        Raises:
            StorageError: the store cannot be read or the run directory not be written.
            DamagedError: a file is not what the worker said.
        """
        for folder in delivery.folders:
            for name in (folder.key, *(name for name, _ in folder.files)):
                if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                    raise StorageError(f"{delivery.worker} sent a file named {name!r}; it is not taken.")
            candidate = Candidate.from_dict(json.loads(folder.about), f"{delivery.worker}: {folder.key}")
            own = self.run.candidates / folder.key
            known = self._contents(own, folder)
            files = {
                name: known[name] if name in known else self.store.read(blob, self.group)
                for name, blob in folder.files
            }
            with self._folders:
                there = {one.name for one in own.iterdir()} - {ABOUT} if own.exists() else None
                if files.keys() == known.keys() == there:
                    self.run.update(candidate)
                else:
                    self.run.store(candidate, files)

    def close(self) -> None:
        """Remove this run's files from the store; data sets stay for other runs.

        Raises:
            StorageError: they cannot be removed.
        """
        if self.shared:
            shutil.rmtree(self.run.path / OWN, ignore_errors=True)
        else:
            self.store.clear(self.group)

    def _data_sent(self) -> tuple[tuple[str, Blob], ...]:
        with self._sending:
            if self._data is None:
                files = sorted(path for path in self.run.data.iterdir() if path.is_file())
                self._data = tuple((path.name, self.store.put_file(path, DATA)) for path in files)
            return self._data

    def _read_by(self, arguments: tuple[Any, ...]) -> Iterable[tuple[str, tuple[str, ...] | None]]:
        """Keys of the candidates that a function reads by its arguments, and which files; None for all."""
        for argument in arguments:
            if isinstance(argument, Order):
                if argument.carry and argument.before is not None:
                    yield argument.key, (WEIGHTS,)
                if argument.parent is not None:
                    yield argument.parent, (WEIGHTS, UNCOMPRESSED)
            elif isinstance(argument, str):
                for key in (argument, *(f"{argument}-{ending}" for ending in VARIANTS)):
                    if (self.run.candidates / key / ABOUT).exists():
                        yield key, None
            elif isinstance(argument, list | tuple):
                yield from ((one, None) for one in argument if isinstance(one, str))

    def _folder(self, key: str, names: tuple[str, ...] | None) -> Folder:
        about, files = self._content(key, names)
        blobs = tuple((name, self.store.put(files[name], self.group)) for name in sorted(files))
        return Folder(key, about, blobs)

    def _content(self, key: str, names: tuple[str, ...] | None) -> tuple[str, dict[str, bytes]]:
        """What a candidate's folder holds now; another search on the same study may just replace it."""
        folder = self.run.candidates / key
        for last in (False, True):
            try:
                with self._folders:
                    about = (folder / ABOUT).read_text(encoding="utf-8")
                    wanted = [path for path in folder.iterdir() if names is None or path.name in names]
                    return about, {path.name: path.read_bytes() for path in wanted if path.name != ABOUT}
            except OSError as error:
                if last:
                    raise StorageError(
                        f"{folder}: cannot be read ({error.strerror or error}); go on with --resume."
                    ) from error
                time.sleep(AGAIN_S)
        raise AssertionError

    def _contents(self, own: Path, folder: Folder) -> dict[str, bytes]:
        """Those of a folder's files that the run directory has already, with this content."""
        found = {}
        for name, blob in folder.files:
            if (own / name).is_file():
                content = (own / name).read_bytes()
                if Blob.of(content) == blob:
                    found[name] = content
        return found
