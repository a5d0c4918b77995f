"""Trainings under way: given to the executor, taken back, tried again where their worker died."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from edgeml.errors import RunError
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.executor import Executor, WorkerDiedError
from edgeml.train import awake

RETRIES = 2
"""Times that a training whose worker died is tried again; then its candidate is infeasible."""

Evaluate = Callable[[Job, Order], Candidate]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        order: what was asked for.
        candidate: what came of it; None where its worker died.
        died: how it died.
        attempts: workers that have died on it.
        seconds: since it was started last.
    """

    order: Order
    candidate: Candidate | None
    died: str | None
    attempts: int
    seconds: float


class Trainings:
    """Trainings of one run that are under way."""

    def __init__(self, executor: Executor, evaluate: Evaluate, job: Job) -> None:
        self._executor, self._evaluate, self._job = executor, evaluate, job
        self._running: dict[Future[Candidate], tuple[Order, float]] = {}
        self._deaths: defaultdict[tuple[str, int], list[str]] = defaultdict(list)

    @property
    def slots(self) -> int:
        """Trainings that may run at once."""
        return max(1, self._executor.slots)

    @property
    def free(self) -> bool:
        """Whether another one may be started."""
        return len(self._running) < self.slots

    @property
    def orders(self) -> list[Order]:
        """What runs, by trial number."""
        return sorted((order for order, _ in self._running.values()), key=lambda order: order.number)

    def start(self, order: Order) -> None:
        """Give a training to a worker."""
        self._running[self._executor.submit(self._evaluate, self._job, order)] = order, awake.now()

    def finished(self, timeout_s: float) -> list[Outcome]:
        """What has finished, by trial number; waits for the first so long.

        Raises:
            EdgemlError: what an evaluation raised: a full disk, a board that is gone.
        """
        done, _ = wait(self._running, timeout_s, FIRST_COMPLETED)
        return [
            self._outcome(future) for future in sorted(done, key=lambda one: self._running[one][0].number)
        ]

    def stored(self) -> list[Outcome]:
        """What workers that are gone had stored of what was under way."""
        left = list(self._running.values())
        self._running.clear()
        return [
            Outcome(order, done, None, 0, awake.now() - began)
            for order, began in sorted(left, key=lambda one: one[0].number)
            if (done := stored(self._job, order)) is not None
        ]

    def _outcome(self, future: Future[Candidate]) -> Outcome:
        order, began = self._running.pop(future)
        deaths, seconds = self._deaths[order.key, order.index], awake.now() - began
        try:
            candidate = result_of(future)
        except WorkerDiedError as error:
            deaths.append(str(error))
            if (done := stored(self._job, order)) is None:
                last = None if len(deaths) <= RETRIES else gave_up(order, deaths)
                return Outcome(order, last, str(error), len(deaths), seconds)
            candidate = done
        if deaths:
            candidate = replace(candidate, deaths=list(deaths))
        return Outcome(order, candidate, None, len(deaths), seconds)


def at_once(executor: Executor, calls: Iterable[tuple[Any, ...]]) -> list[Callable[[], Any]]:
    """Give (function, argument, ...) of each call to the workers; ask what is returned for what came of it.

    A call whose worker died is given to another, RETRIES times; then asking raises WorkerDiedError, as it
    raises what the function did.
    """
    submits = [partial(executor.submit, *call) for call in calls]
    return [partial(_settled, submit(), submit) for submit in submits]


def _settled(future: Future[Any], again: Callable[[], Future[Any]]) -> Any:
    for _ in range(RETRIES):
        try:
            return result_of(future)
        except WorkerDiedError:
            future = again()
    return result_of(future)


def result_of(future: Future[Result]) -> Result:
    """What a worker made; a disk or memory that fails it is as if it had died: tried again, then a reason.

    The run directory itself is another matter: where that cannot be written the search ends (StorageError).

    Raises:
        WorkerDiedError: the worker died, or the system refused it a file or memory.
    """
    try:
        return future.result()
    except (OSError, MemoryError) as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise WorkerDiedError(f"the system refused the worker something: {said}") from error


def stored(job: Job, order: Order) -> Candidate | None:
    """What a worker had stored of an order before it died and could say so; None where it had not."""
    try:
        found = RunDir(Path(job.run)).load(order.key)
    except RunError:
        return None
    own = found.number == order.number and found.rung == order.index and found.finished_at_s >= order.at_s
    return found if own and found != order.before else None


def gave_up(order: Order, deaths: list[str]) -> Candidate:
    """What is remembered of an order on which one worker after the other died."""
    reason = f"given up after {len(deaths)} attempts: {'; '.join(dict.fromkeys(deaths))}"
    before = order.before or Candidate(
        order.key, order.number, "infeasible", order.choices, order.arch, order.seed
    )
    return replace(
        before, status="infeasible", reason=reason, rung=order.index, deaths=list(deaths), artifact=None
    )
