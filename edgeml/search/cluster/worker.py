"""What a Dask worker does with a parcel: fetch, evaluate in a process of its own, send back.

The evaluation runs in a child of the Dask worker, the same process as a local worker's
(search/workers/executor.py): its limits, its log, its end in a crash that is a result with a reason. The Dask
worker stays free to answer its scheduler, and ends the child where the task is no longer wanted.

LOCAL/edgeml-UID/DATA          data sets, shared by the workers of this computer, whole or not at all
LOCAL/worker-X/edgeml/N/RUN/   where slot N of this worker evaluates: data -> above, candidates, bank

LOCAL is `dask worker --local-directory`; Dask removes worker-X with the worker.
"""

from __future__ import annotations

import multiprocessing
import platform
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from edgeml.errors import DataError, EdgemlError, StorageError
from edgeml.search.cluster.exchange import ABOUT, Delivery, Folder, Parcel
from edgeml.search.cluster.greeting import software
from edgeml.search.cluster.store import Blob, DiskError, Store, unwritable
from edgeml.search.cluster.worker_data import local_data
from edgeml.search.evaluate import Job
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.compute import LEAST_MEMORY, Compute
from edgeml.search.workers.executor import WorkerDiedError, Workers

LOOK_S = 0.5
IDLE_S = 120.0
"""After so long without work the processes that evaluate end: others may want the memory."""
LOG_BYTES = 8_000
EVENTS = "edgeml"
"""Topic of Dask events: one a parcel that is begun."""

_slots: list[_Slot] = []
_free: list[_Slot] = []
_lock = threading.RLock()
_starting = threading.Lock()


def perform(parcel: Parcel) -> Delivery:
    """Do what a parcel asks for; runs as a Dask task.

    Returns:
        What came of it; an error that a user can act on and the death of the process are results too.
    """
    from distributed import get_worker

    worker = get_worker()
    name = f"{platform.node()} ({worker.address})"
    if parcel.software != software():
        return Delivery(name, refused=True)
    worker.log_event(EVENTS, {"began": str(worker.get_current_task()), "worker": worker.address})
    with _slot(Path(worker.local_directory)) as slot:
        try:
            with _own_disk(slot.folder):
                return replace(slot.perform(parcel, worker), worker=name)
        except WorkerDiedError as error:
            return Delivery(name, died=f"{name}: {error}", log=slot.printed())
        except DiskError as error:  # of this computer: others may have room
            return Delivery(name, refused=True, problem=str(error), address=worker.address)
        except EdgemlError as error:
            return Delivery(name, error=error, log=slot.printed())


@contextmanager
def _own_disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(place, error) from error


@contextmanager
def _slot(folder: Path) -> Iterator[_Slot]:
    """A slot that nobody uses; as many are made as the worker has threads."""
    with _lock:
        if _free:
            slot = _free.pop()
        else:
            slot = _Slot(folder / "edgeml" / str(len(_slots)))
            _slots.append(slot)
        slot.busy()
    try:
        yield slot
    finally:
        with _lock:
            _free.append(slot)
            slot.idle()


class _Slot:
    """A process that evaluates, and the folder that it works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "worker.log"
        self._read = 0
        self._workers: Workers | None = None
        self._kind: tuple[Compute, type] | None = None
        self._timer: threading.Timer | None = None
        # A Dask worker that ends waits for its children, and they for work.
        Finalize(None, self._end, exitpriority=10)

    def busy(self) -> None:
        """It has work."""
        if self._timer is not None:
            self._timer.cancel()

    def idle(self) -> None:
        """It has none."""
        self._timer = threading.Timer(IDLE_S, self._end_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def printed(self) -> str:
        """The end of what its process has printed since last asked."""
        if not self._log.exists():
            return ""
        size = self._log.stat().st_size
        with self._log.open("rb") as file:
            file.seek(max(self._read, size - LOG_BYTES))
            self._read = size
            return file.read(LOG_BYTES).decode("utf-8", "replace")

    def perform(self, parcel: Parcel, worker: Any) -> Delivery:
        """Fetch what is needed, run the function, send what it wrote."""
        run = RunDir(self.folder / parcel.group.rpartition("/")[2])
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return self._performed(parcel, worker, run)
        finally:  # a worker may outlive many runs
            shutil.rmtree(run.path, ignore_errors=True)

    def _performed(self, parcel: Parcel, worker: Any, run: RunDir) -> Delivery:
        store = Store(parcel.store)
        data = local_data(parcel, store, Path(worker.local_directory).parent)
        self._lay_out(run, parcel, store, data)
        before = _state(run)
        function, arguments = parcel.call
        moved = tuple(_moved(argument, run) for argument in arguments)
        workers = self._evaluators(parcel, worker)
        with _starting:  # starting a process changes __main__ for a moment
            future = workers.submit(function, *moved)
        self._wait(future, worker)
        try:
            result = future.result()
        except DataError:
            if parcel.shared is None:  # the copy here is damaged: the next attempt fetches another
                shutil.rmtree(data, ignore_errors=True)
                raise WorkerDiedError("its copy of the data set was damaged and has been removed") from None
            raise
        except StorageError as error:
            raise DiskError(str(error).removesuffix(".")) from error
        known = {folder.key: dict(folder.files) for folder in parcel.folders}
        folders = tuple(
            _sent(run.candidates / key, store, parcel.group, known.get(key, {}), before.get(key, {}))
            for key, state in _state(run).items()
            if state != before.get(key)
        )
        return Delivery("", result, folders, log=self.printed())

    def _lay_out(self, run: RunDir, parcel: Parcel, store: Store, data: Path) -> None:
        """Have the run's folder hold what the function reads, and no more."""
        shutil.rmtree(run.candidates, ignore_errors=True)
        run.candidates.mkdir(parents=True)
        if not run.data.is_symlink() or run.data.readlink() != data:
            run.data.unlink(missing_ok=True)
            run.data.symlink_to(data)
        for folder in parcel.folders:
            place = run.candidates / folder.key
            place.mkdir()
            (place / ABOUT).write_text(folder.about, encoding="utf-8")
            for name, blob in folder.files:
                store.fetch(blob, parcel.group, place / name)
        run.bank.unlink(missing_ok=True)
        if parcel.bank is not None:
            store.fetch(parcel.bank, parcel.group, run.bank)

    def _evaluators(self, parcel: Parcel, worker: Any) -> Workers:
        memory = parcel.compute.memory_bytes
        if memory is None and (limit := worker.memory_manager.memory_limit):
            memory = max(LEAST_MEMORY, int(limit) // max(1, worker.state.nthreads))
        own = replace(
            parcel.compute,
            threads=dict(parcel.threads).get(platform.node(), parcel.compute.threads or 1),
            memory_bytes=memory,
        )
        kind = own, type(parcel.call[0])  # a process cannot be made deterministic later
        if self._workers is None or kind != self._kind:
            self._end()
            # Dask's nanny starts workers as daemons, which may have no children; ours end with their parent.
            multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
            self._workers, self._kind = Workers(self._log, own), kind
            self._workers.start()
        return self._workers

    def _wait(self, future: Future[Any], worker: Any) -> None:
        """Until it is done or no longer wanted: the search was ended, or its coordinator is gone."""
        from distributed.core import Status

        key = worker.get_current_task()
        while not wait([future], LOOK_S).done:
            task = worker.state.tasks.get(key)
            unwanted = task is None or task.state == "cancelled"
            if unwanted or worker.status in (Status.closing, Status.closed, Status.failed):
                self._end()
                raise WorkerDiedError("the evaluation was called off")

    def _end_if_idle(self) -> None:
        with _lock:
            if self in _free:
                self._end()

    def _end(self) -> None:
        if self._workers is not None:
            self._workers.kill()
        self._workers = None


def _moved(argument: Any, run: RunDir) -> Any:
    return replace(argument, run=str(run.path)) if isinstance(argument, Job) else argument


def _state(run: RunDir) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Of each candidate's folder what tells that a file was written."""
    found = {}
    for folder in run.candidates.iterdir():
        if not folder.name.startswith("."):
            stats = {path.name: path.stat() for path in folder.iterdir()}
            found[folder.name] = {
                name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()
            }
    return found


def _sent(
    folder: Path, store: Store, group: str, known: dict[str, Blob], before: dict[str, tuple[int, int, int]]
) -> Folder:
    """A folder that the function wrote; its files are in the store then."""
    now = _state(RunDir(folder.parent.parent))[folder.name]
    files = tuple(
        (name, known[name] if now[name] == before.get(name) else store.put_file(folder / name, group))
        for name in sorted(now)
        if name != ABOUT
    )
    return Folder(folder.name, (folder / ABOUT).read_text(encoding="utf-8"), files)
