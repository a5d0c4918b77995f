"""The coordinator: decides what is trained next, has it evaluated, tells the strategy, keeps the archive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import Any, Protocol

from edgeml.arch.space import Space, Task
from edgeml.search.archive import Archive
from edgeml.search.asking import Asker
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.executor import BrokenProcessPool
from edgeml.search.ladder import Ladder
from edgeml.search.orders import Orders, trial_seed
from edgeml.search.pace import Pace
from edgeml.search.preference import Focus
from edgeml.search.progress import Listener, Progress
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.prune import Pruned
from edgeml.search.record import Record, RunRecord
from edgeml.search.run_dir import RunDir
from edgeml.search.rungs import Promotion, Rungs, correlations
from edgeml.search.settings import Settings
from edgeml.search.start import deposit
from edgeml.search.stopwatch import Stopwatch
from edgeml.search.told import Teller
from edgeml.train.fidelity import Fidelity

TICK_S = 0.25

__all__ = ["Study", "Submit", "trial_seed"]


class Submit(Protocol):
    """How evaluations are run: `Workers.submit`, or anything that gives a future."""

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run `function(*arguments)`."""


class Study:
    """One search over one run directory."""

    def __init__(
        self,
        run: RunDir,
        settings: Settings,
        space: Space,
        task: Task,
        job: Job,
        fidelity: Fidelity,
        evaluate: Callable[[Job, Order], Candidate],
        submit: Submit,
        listener: Listener,
        ladder: Ladder,
        record: Record | None = None,
        proposer: Proposer | None = None,
    ) -> None:
        self.run, self.settings, self.job, self.fidelity = run, settings, job, fidelity
        self.proposer = proposer or Proposer(space, task, job.limits, job.targets)
        chance = 1 - 1 / task.classes if task.kind == "classification" else 1.0
        self.archive = Archive(job.targets.objectives, chance)
        self.goal = job.goal
        self.progress = Progress()
        self.ladder = ladder.for_trials(settings.planned_trials)
        self.rungs = Rungs(self.ladder, self.archive.objectives, settings.planned_trials)
        self.pace = Pace(settings, self.progress, self.rungs)
        self.pruned: tuple[Pruned, ...] = ()
        self.clock = Stopwatch()
        self.seconds = self.clock.seconds
        self._teller = Teller(self.archive, job.limits, self.ladder.top)
        self._orders = Orders(settings, job, self.archive, self.ladder, fidelity)
        self._record = record or RunRecord(run)
        self._asker: Asker | None = None
        self._space = space
        self._evaluate, self._submit, self._listener = evaluate, submit, listener

    @property
    def elapsed_s(self) -> float:
        """Seconds of search, earlier sessions of a resumed run included."""
        return self.progress.before_s + time.monotonic() - self.progress.started_at

    @property
    def status(self) -> str:
        """What state.json says once the search is over."""
        return "interrupted" if self.progress.interrupted else "finished"

    def search(self) -> None:
        """Run until trials, time or space are used up, or Ctrl-C. Never loses a finished training.

        Raises:
            StorageError: the run directory cannot be written any more.
        """
        self.progress.started_at = time.monotonic()
        with self.clock("proposal"):
            self._open()
        self._listener.started(self)
        try:
            while (step := self._next()) is not None:
                order = self._order(step)
                candidate = self._wait(order)
                if self.job.from_bank:
                    with self.clock("inherit"):
                        deposit(self.run, order, candidate)
                self._take(candidate)
                self._listener.finished(self, candidate)
        except KeyboardInterrupt:
            self.progress.interrupted = True
        self.progress.running = None

    def state(self, status: str) -> dict[str, Any]:
        """What state.json holds."""
        knee = self.archive.knee()
        return {
            "status": status,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z") if status != "running" else None,
            "elapsed_s": self.elapsed_s,
            "time_s": {name: round(value, 3) for name, value in self.seconds.items()},
            "trials": self.progress.trials,
            "failed": self.progress.failed,
            "refused": dict(self.proposer.refused),
            "duplicates_avoided": self.proposer.duplicates,
            "exhausted": self.progress.exhausted,
            "reference_point": self.archive.reference_point(),
            "hypervolume": self.archive.hypervolumes(),
            "knee": knee.key if knee else None,
            "rungs": self.rung_rows(),
        }

    def rung_rows(self) -> list[dict[str, Any]]:
        """One row a rung: what it is, trainings, their cost, and whether it ranks as full training does."""
        candidates = list(self.archive.candidates.values())
        found = {row["rung"]: row for row in correlations(candidates, self.ladder)}
        rows = []
        for index, rung in enumerate(self.ladder.rungs):
            trained = sum(row["rung"] == index for c in candidates for row in c.rungs)
            own = {"rung": index, "epochs": rung.epochs, "trained": trained, "cost": self.rungs.spent[index]}
            rows.append({**own, **found.get(index, {})})
        return rows

    def save(self, status: str) -> None:
        """Write state.json and front.json."""

        def front() -> dict[str, Any]:
            knee = self.archive.knee()
            keys = [candidate.key for candidate in self.archive.front()]
            return {"keys": keys, "knee": knee.key if knee else None}

        self._record.save(lambda: self.state(status), front)

    def restore(self, candidates: list[Candidate], state: dict[str, Any]) -> None:
        """Take up the candidates and the clock of a run that is resumed."""
        for candidate in candidates:
            self._count(candidate)
            for row in candidate.rungs:
                self.rungs.count(min(int(row["rung"]), self.ladder.top))
        self.progress.before_s = float(state.get("elapsed_s", 0.0))
        self.seconds.update(state.get("time_s", {}))
        self.proposer.refused = Counter(state.get("refused", {}))
        self.proposer.duplicates = int(state.get("duplicates_avoided", 0))

    def compressed(self, candidate: Candidate) -> None:
        """Say that a finalist has a new variant."""
        self._listener.compressed(self, candidate)

    def _count(self, candidate: Candidate) -> None:
        new = candidate.key not in self.archive.candidates
        self.archive.keep(candidate)
        self.proposer.seen.add(candidate.key)
        self.progress.trials += new
        self.progress.failed += candidate.status == "failed"

    def time_left_s(self) -> float:
        """Seconds of this session's --time that are left; negative without a limit."""
        return self.pace.time_left_s()

    def _open(self) -> None:
        """Open the strategy's study and the record, and tell both what is known already."""
        self._asker = Asker(
            self.settings.strategy,
            self._space,
            self.proposer,
            1 + len(self.archive.objectives),
            self.ladder.top,
            self.settings.seed * 7919 + 13 + self.progress.trials,
        )
        self._asker.look_at(Focus(self.settings.prefer, tuple(self.archive.objectives)))
        known = sorted(self.archive.candidates.values(), key=lambda candidate: candidate.number)
        self._learn()
        for candidate in known:
            self._asker.tell(candidate, self._teller.values(candidate), self._teller.broken(candidate))
        self._record.open(1 + len(self.archive.objectives), self._asker.distributions, known)

    def _next(self) -> Promotion | Proposal | None:
        """What is trained next; None where trials, time or space are used up."""
        assert self._asker is not None
        with self.clock("proposal"):
            candidates = list(self.archive.candidates.values())
            more = self._more(candidates)
            promotion = self.rungs.promotion(candidates, more, self._asker.gains)
            if promotion is not None:
                cost = self.ladder.cost(promotion.rung)
                if self.pace.worth_it(cost, candidates):
                    return promotion
            if not more or not self.pace.worth_it(self.ladder.cost(0), candidates):
                return None
            proposal = self._asker.ask()
        if proposal is None:
            self.progress.exhausted = True
            return self._next()
        return proposal

    def _more(self, candidates: Collection[Candidate]) -> bool:
        """Whether new architectures may still be proposed."""
        if self.progress.exhausted:
            return False
        if self.settings.trials is not None:
            return self.progress.trials < self.settings.trials
        return not self.pace.over(sum(map(self.ladder.cost, range(self.ladder.top + 1))), candidates)

    def _order(self, step: Promotion | Proposal) -> Order:
        with self.clock("proposal"):
            candidates = self.archive.candidates.values()
            rung = step.rung if isinstance(step, Promotion) else 0
            seconds = self.pace.training_s(self.ladder.cost(rung), candidates) if self.settings.time_s else 0
            if isinstance(step, Promotion):
                return self._orders.promote(step, seconds)
            costs = self.proposer.known_costs(step.graph)
            return self._orders.start(step, self.progress.trials, costs, seconds)

    def _wait(self, order: Order) -> Candidate:
        self.progress.running = order
        began = time.monotonic()
        future = self._submit(self._evaluate, self.job, order)
        assert self._asker is not None
        self._asker.think()
        while True:
            try:
                candidate: Candidate = future.result(timeout=TICK_S)
                break
            except FutureTimeoutError:
                self._listener.tick(self)
            except BrokenProcessPool:
                candidate = self._orders.died(order, f"{self.run.log} ends with what it printed")
                self._record.store(candidate)
                break
        before = order.before.time_s if order.before else {}
        spent = {stage: s - before.get(stage, 0.0) for stage, s in candidate.time_s.items()}
        for stage, seconds in spent.items():
            self.seconds[stage] += seconds
        self.seconds["other"] += time.monotonic() - began - sum(spent.values())
        return candidate

    def _take(self, candidate: Candidate) -> None:
        """A training is done: archive, strategy, record."""
        assert self._asker is not None
        with self.clock("proposal"):
            new = candidate.key not in self.archive.candidates
            rows = [*candidate.rungs[:-1], *({**row, "at_s": self.elapsed_s} for row in candidate.rungs[-1:])]
            candidate = replace(candidate, finished_at_s=self.elapsed_s, rungs=rows)
            self._count(candidate)
            self.rungs.count(candidate.rung)
            values, broken = self._teller.values(candidate), self._teller.broken(candidate)
            if new:
                self._asker.tell(candidate, values, broken)
            else:
                self._refresh(candidate)
            self._record.keep(candidate, values, broken)
            self.save("running")

    def _learn(self) -> None:
        """What full training makes of low-rung accuracies, for strategies that read values."""
        assert self._asker is not None
        if self.ladder.top and self._asker.needs_expected:
            self._teller.learn(self.archive.candidates.values())

    def _refresh(self, candidate: Candidate) -> None:
        """Bring the strategy's study in line after a promotion."""
        assert self._asker is not None
        self._learn()
        others = self.archive.candidates.values() if self._asker.needs_expected else ()
        for one in (candidate, *(other for other in others if other.waiting)):
            values = self._teller.values(one)
            if values is not None:
                self._asker.refresh(one, values)
