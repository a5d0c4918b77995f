"""Evaluations on a Dask cluster: an Executor over the workers of a scheduler, which come and go.

The scheduler places the calls and gives one to another worker where the first is gone; what a call reads and
writes goes through search/cluster/exchange.py. Threads of this module send calls and take in results, so that
the search goes on meanwhile.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from edgeml.errors import ClusterError, EdgemlError
from edgeml.search.cluster.dask_client import CONNECT_S, check_scheduler, connected, patience_s
from edgeml.search.cluster.exchange import Delivery, Exchange
from edgeml.search.cluster.greeting import question
from edgeml.search.cluster.roster import Roster, Say
from edgeml.search.cluster.store import DamagedError
from edgeml.search.cluster.worker import perform
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.compute import Compute, shown
from edgeml.search.workers.executor import WorkerDiedError

Result = TypeVar("Result")

GREET_S = 30.0
LOOK_S = 1.0
SAY_EVERY_S = 60.0
AT_ONCE = 8
"""Calls sent and results taken in at the same time."""


@dataclass(eq=False)
class _Errand:
    """A call and what becomes of it."""

    call: tuple[Callable[..., Any], tuple[Any, ...]]
    outer: Future[Any]
    inner: Any = None
    off: bool = False

    def fail(self, error: BaseException) -> None:
        if not self.outer.done():
            self.outer.set_exception(error)


class Cluster:
    """An Executor over a Dask cluster.

    Args:
        compute: names the scheduler and the store, and limits evaluations.
        run: the run directory.
        say: takes a sentence for the user.

    Raises:
        ClusterError: no scheduler answers there, or none of its workers can be used.
        MissingToolError: distributed or fsspec is not installed.
        StorageError: the store cannot be used.
    """

    def __init__(self, compute: Compute, run: RunDir, say: Say = lambda _: None) -> None:
        self._address = str(shown(compute.scheduler))
        self._limits = Compute(
            threads=compute.threads,
            memory_bytes=compute.memory_bytes,
            trial_s=compute.trial_s,
            recycle=compute.recycle,
        )
        self._run, self._say = run, say
        self._exchange = Exchange(run, compute.store)
        self._client = connected(str(compute.scheduler), self._address, run.log)
        self._errands: set[_Errand] = set()
        self._held: list[_Errand] = []
        self._lock = threading.RLock()
        self._failure: EdgemlError | None = None
        self._closed = threading.Event()
        self._waiting_since: float | None = None
        self._said_at = 0.0
        try:
            asked = question(self._exchange.store, self._exchange.group, self._exchange.shared)
            check_scheduler(self._client, self._address)
            self._roster = Roster(self._client, asked, say)
            self._roster.look(GREET_S)
            if self._roster.unfit and not self._roster.fit:
                raise ClusterError(self._none_fit())
        except BaseException:
            self._client.close(timeout=5)
            with suppress(EdgemlError):
                self._exchange.close()
            raise
        self._threads = ThreadPoolExecutor(AT_ONCE, "edgeml-cluster")
        self._count_waiting()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def slots(self) -> int:
        """Evaluations that may run at once now: threads of the workers that are there."""
        return max(1, self._roster.slots)

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run a module-level function on a worker, now or when there is one."""
        outer: Future[Result] = Future()
        outer.set_running_or_notify_cancel()
        errand = _Errand((function, arguments), outer)
        with self._lock:
            if self._failure is not None:
                outer.set_exception(self._failure)
                return outer
            self._errands.add(errand)
        self._threads.submit(self._send, errand)
        return outer

    def kill(self) -> None:
        """Call off what runs or waits; workers end it within a second."""
        with self._lock:
            errands, self._errands, self._held = self._errands, set(), []
        for errand in errands:
            errand.off = True
            errand.fail(WorkerDiedError("the evaluation was called off"))
        inner = [errand.inner for errand in errands if errand.inner is not None]
        if inner and self._client.status == "running":
            with suppress(Exception):  # a scheduler that does not answer has nothing to call off
                self._client.cancel(inner, force=True)

    def close(self) -> None:
        """Call off what runs, leave the cluster and clear the run's files from the store."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.kill()
        self._threads.shutdown(wait=True)
        with suppress(Exception):
            self._client.close(timeout=5)
        try:
            self._exchange.close()
        except EdgemlError as error:
            self._say(str(error))

    def _send(self, errand: _Errand) -> None:
        """Pack a call and give it to the scheduler; without a worker it waits here."""
        fit, unfit = self._roster.fit, self._roster.unfit
        if not fit:
            self._hold(errand)
            return
        try:
            parcel = self._exchange.pack(errand.call, self._limits, self._roster.threads())
            name = f"edgeml-{_called(errand.call[0])}-{uuid.uuid4().hex}"
            where = {"workers": fit, "allow_other_workers": True} if unfit else {}
            errand.inner = self._client.submit(perform, parcel, key=name, pure=False, retries=0, **where)
            errand.inner.add_done_callback(lambda _: self._soon(errand))
        except Exception as error:
            if isinstance(error, EdgemlError) or self._client.status == "running":
                self._settle(errand, error=error)
            else:
                self._hold(errand)
        if errand.off and errand.inner is not None:  # called off while it was sent
            with suppress(Exception):
                errand.inner.cancel(force=True)

    def _soon(self, errand: _Errand) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._threads.submit(self._over, errand)

    def _over(self, errand: _Errand) -> None:
        """A call has ended on the cluster, one way or another."""
        inner, errand.inner = errand.inner, None
        if errand.off or inner is None:
            return
        try:
            if inner.status in ("cancelled", "lost"):  # the scheduler has lost it
                self._hold(errand)
                return
            delivery = inner.result()
            inner.release()
            self._take(errand, delivery)
        except DamagedError as error:
            self._settle(errand, error=WorkerDiedError(str(error)))
        except Exception as error:
            if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
                self._hold(errand)
            else:
                self._settle(errand, error=_meant(error))

    def _take(self, errand: _Errand, delivery: Delivery) -> None:
        if delivery.log:
            with suppress(OSError), self._run.log.open("a", encoding="utf-8") as log:
                log.write(f"--- {delivery.worker}\n{delivery.log.rstrip()}\n")
        if delivery.refused:
            self._roster.exclude(delivery.address, delivery.problem)
            self._hold(errand)
        elif delivery.died:
            self._settle(errand, error=WorkerDiedError(f"{delivery.died} (copied to {self._run.log})"))
        elif isinstance(delivery.error, DamagedError):
            self._exchange.store.forget()
            self._settle(errand, error=WorkerDiedError(str(delivery.error)))
        elif delivery.error is not None:
            self._settle(errand, error=delivery.error)
        else:
            self._exchange.adopt(delivery)
            self._settle(errand, delivery.result)

    def _settle(self, errand: _Errand, result: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            self._errands.discard(errand)
        if error is not None:
            errand.fail(error)
        elif not errand.outer.done():
            errand.outer.set_result(result)

    def _hold(self, errand: _Errand) -> None:
        with self._lock:
            if not errand.off and errand in self._errands and errand not in self._held:
                self._held.append(errand)

    def _watch(self) -> None:
        """See who comes and goes, send what waits; ends with the connection."""
        while not self._closed.wait(LOOK_S):
            status = self._client.status
            if status == "closed":
                self._fail(ClusterError(self._gone()))
                return
            if status != "running":
                self._tell(f"no connection to the scheduler {self._address}; trying for {CONNECT_S:g} s")
                continue
            try:
                self._roster.look()
            except Exception:  # noqa: S112  (the connection is just breaking: its status says so next time)
                continue
            self._count_waiting()
            if self._roster.fit:
                with self._lock:
                    held, self._held = self._held, []
                for errand in held:
                    with suppress(RuntimeError):
                        self._threads.submit(self._send, errand)

    def _count_waiting(self) -> None:
        """Say that workers are awaited; after a while, give up."""
        now = time.monotonic()
        if self._roster.fit:
            self._waiting_since = None
            return
        if self._waiting_since is None:
            self._waiting_since, self._said_at = now, 0.0
        patience = patience_s()
        if now - self._waiting_since < patience:
            self._tell(f"waiting for workers; start some with: {self._start_workers()}")
            return
        reasons = self._none_fit() if self._roster.unfit else f"no worker has joined {self._address}"
        waited = f"waited {patience / 60:.3g} minutes, start some with `{self._start_workers()}`"
        self._fail(ClusterError(f"{reasons}; {waited}, then go on with --resume (nothing finished is lost)."))

    def _tell(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S or not self._said_at:
            self._said_at = now
            self._say(sentence)

    def _fail(self, error: EdgemlError) -> None:
        with self._lock:
            self._failure = error
            errands, self._errands, self._held = self._errands, set(), []
        for errand in errands:
            errand.off = True
            errand.fail(error)

    def _start_workers(self) -> str:
        return f"dask worker {self._address} --nthreads 1 --nworkers N"

    def _none_fit(self) -> str:
        first, *more = self._roster.unfit.values()
        return f"{self._address} has no worker that can be used ({1 + len(more)} there); {first}"

    def _gone(self) -> str:
        return (
            f"the scheduler {self._address} is gone; start it and its workers again, then go on with "
            "--resume (nothing finished is lost)."
        )


def _called(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)  # --deterministic wraps it


def _meant(error: BaseException) -> BaseException:
    """What Dask says of a call that it gave up -> what the search understands."""
    if type(error).__name__ == "KilledWorker":
        last = getattr(getattr(error, "last_worker", None), "address", "unknown")
        return WorkerDiedError(
            f"one Dask worker after the other was lost while it evaluated this, the last was {last}"
        )
    return error
