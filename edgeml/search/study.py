"""The coordinator: decides what is trained next, has it evaluated, tells the strategy, keeps the archive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from edgeml.arch.space import Space, Task
from edgeml.search.archive.archive import Archive
from edgeml.search.archive.preference import Focus
from edgeml.search.asking import Asker
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order, stamp
from edgeml.search.interrupt import done_whole
from edgeml.search.ladder import Ladder
from edgeml.search.orders import Orders
from edgeml.search.pace import Pace
from edgeml.search.progress import Listener, Progress
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.prune import Pruned
from edgeml.search.record import Known, Record, RunRecord
from edgeml.search.run_dir import RunDir
from edgeml.search.rungs import Promotion, Rungs
from edgeml.search.settings import Settings
from edgeml.search.shared.peers import Alone, Peers
from edgeml.search.shared.sharing import Sharing
from edgeml.search.standing import Turns, front, state
from edgeml.search.start import deposit
from edgeml.search.stopwatch import Stopwatch
from edgeml.search.told import Teller
from edgeml.search.workers.executor import Executor
from edgeml.search.workers.trainings import RETRIES, Evaluate, Outcome, Trainings
from edgeml.train import awake
from edgeml.train.fidelity import Fidelity

TICK_S = 0.25


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
        evaluate: Evaluate,
        executor: Executor,
        listener: Listener,
        ladder: Ladder,
        record: Record | None = None,
        proposer: Proposer | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.run, self.settings, self.job, self.fidelity = run, settings, job, fidelity
        self.proposer = proposer or Proposer(space, task, job.limits, job.targets)
        chance = 1 - 1 / task.classes if task.kind == "classification" else 1.0
        self._record = record or RunRecord(run)
        self.archive = Archive(job.targets.objectives, chance, self._record.load)
        self.goal = job.goal
        self.progress = Progress()
        self.ladder = ladder.for_trials(settings.planned_trials)
        self.rungs = Rungs(self.ladder, self.archive.objectives, settings.trials)
        self.pace = Pace(settings, self.progress, self.rungs, alone=peers is None or isinstance(peers, Alone))
        self.pruned: tuple[Pruned, ...] = ()
        self.clock = Stopwatch()
        self.seconds = self.clock.seconds
        self._teller = Teller(self.archive, job.limits, self.ladder.top)
        self._orders = Orders(settings, job, self.archive, self.ladder, fidelity)
        self._turns = Turns()
        self._asker: Asker | None = None
        self._trainings = Trainings(executor, evaluate, job)
        self._peers, self.listener = peers or Alone(), listener
        self._sharing = Sharing(self._peers, self.proposer)

    @property
    def status(self) -> str:
        """What state.json says once the search is over."""
        return "interrupted" if self.progress.interrupted else "finished"

    def search(self) -> None:
        """Run until trials, time or space are used up, or Ctrl-C. Never loses a finished training.

        Raises:
            StorageError: the run directory cannot be written any more.
        """
        self.progress.started_at = awake.now()
        with self.clock("proposal"):
            self._open()
        self.listener.started(self)
        try:
            while self._fill():
                with done_whole():
                    for outcome in self._trainings.finished(TICK_S):
                        self._over(outcome)
                    self._hear()
                self.listener.tick(self)
                if self._turns.owed:
                    self.save("running")
                if not self.progress.running:
                    time.sleep(TICK_S)
        except KeyboardInterrupt:
            self.progress.interrupted = True
        self.progress.ended_at, self.progress.running = awake.now(), []
        if self._turns.owed:
            self._turns.skip()
            self.save("running")

    def take_stored(self) -> None:
        """Count what workers had stored as Ctrl-C came and nobody had heard of; no worker runs any more."""
        for outcome in self._trainings.stored():
            self._over(outcome)

    def save(self, status: str) -> None:
        """Write state.json and front.json; while the search runs, in turn."""
        if status != "running" or self._turns.now():
            with self._turns.taken():
                self._record.save(lambda: state(self, status), lambda: front(self))

    def restore(self, candidates: Iterable[Candidate], state: dict[str, Any]) -> None:
        """Take up the candidates and the clock of a run that is resumed."""
        self.archive.restore(map(self._known, candidates))
        last = max((row.finished_at_s for row in self.archive.rows.values()), default=0.0)
        self.progress.restore(state, last)
        self.seconds.update(state.get("time_s", {}))
        self.proposer.refused = Counter(state.get("refused", {}))
        self.proposer.duplicates = int(state.get("duplicates_avoided", 0))

    def waits(self, what: str | None) -> None:
        """Say that the database of the study is waited for; None when that is over."""
        if what is not None or self.progress.waiting is not None:
            self.progress.waiting = what
            self.listener.tick(self)

    def _known(self, candidate: Candidate) -> Candidate:
        """Count a candidate of an earlier session."""
        self._count(candidate)
        self._sharing.count(candidate.number)
        for row in candidate.rungs:
            self.rungs.count(int(row["rung"]))
        self.pace.count(candidate, candidate.rungs)
        return candidate

    def _count(self, candidate: Candidate) -> None:
        self.progress.trials += candidate.key not in self.archive.rows
        self.progress.failed += candidate.status == "failed"
        self.proposer.seen.add(candidate.key)

    def _open(self) -> None:
        """Open the strategy's study and the record, and tell both what is known already."""
        self._asker = Asker(
            self.settings.strategy,
            self.proposer.space,
            self.proposer,
            1 + len(self.archive.objectives),
            self.ladder.top,
            self.settings.seed * 7919 + 13 + self.progress.trials + self._sharing.seed,
        )
        self._asker.hurry(None if self.settings.trials else self.pace)
        self._asker.look_at(Focus(self.settings.prefer, tuple(self.archive.objectives)))
        self._teller.learn(self._asker)
        rows = sorted(self.archive.rows.values(), key=lambda row: row.number)
        self._asker.take_up(rows, self._teller.told)
        self.archive.rest(self._asker.dropped())
        known = Known({row.key: row.rung for row in rows}, self._teller.told)
        self._record.open(1 + len(self.archive.objectives), self._asker.distributions, known)

    def reference_point(self) -> tuple[float, ...]:
        """The archive's, its costs at least as far as the strategy looks."""
        return self.archive.reference_point(self._asker.dear if self._asker else ())

    def _fill(self) -> bool:
        """Start trainings until all workers have one; False where nothing runs and nothing is left to do."""
        assert self._asker is not None
        while self._trainings.free and (order := self._next()) is not None:
            self._start(order)
            self._asker.think()
        self.progress.running = self._trainings.orders
        return bool(self.progress.running) or self._others_go_on()

    def _start(self, order: Order) -> None:
        self._trainings.start(replace(order, at_s=self.progress.elapsed_s))

    def _others_go_on(self) -> bool:
        """Whether what other coordinators train may yet give this one something to do."""
        over = self.settings.time_s > 0 and self.pace.time_left_s() <= 0
        self.progress.elsewhere = not over and (self._peers.busy or self._hear(wait=True) or self._peers.busy)
        return self.progress.elsewhere

    def _next(self) -> Order | None:
        """What is trained next; None where trials, time or space are used up, for now."""
        with self.clock("proposal"):
            while (step := self._step()) is not None:
                number = self._sharing.claim(step)
                if number is not None:
                    return self._order(step, number)
        return None

    def _step(self) -> Promotion | Proposal | None:
        assert self._asker is not None
        running = self._trainings.orders
        elsewhere = self._peers.taken()
        self.rungs.under_way = [*(order.index for order in running), *(rung for _, rung in elsewhere)]
        busy = {order.key for order in running} | {key for key, _ in elsewhere}
        more = self._more()
        promotion = self.rungs.promotion(self.archive, more, self._asker.gains, busy)
        if promotion is not None and self.pace.worth_it(self.ladder.cost(promotion.rung)):
            return promotion
        if not more or not self.pace.worth_it(self.ladder.cost(self.ladder.first)):
            return None
        proposal = self._asker.ask()
        if proposal is None:
            self.progress.exhausted = True
            return self._step()
        return proposal

    def _more(self) -> bool:
        """Whether new architectures may still be proposed."""
        if self.progress.exhausted or self._peers.spent:
            return False
        if self.settings.trials is not None:
            new = sum(order.key not in self.archive.candidates for order in self._trainings.orders)
            return self.progress.trials + new < self.settings.trials
        return not self.pace.over(sum(map(self.ladder.cost, range(self.ladder.first, self.ladder.top + 1))))

    def _order(self, step: Promotion | Proposal, number: int) -> Order:
        seconds = self.pace.training_s(self.ladder.cost(step.rung), self._trainings.slots)
        if isinstance(step, Promotion):
            return self._orders.promote(step, seconds)
        return self._orders.start(step, number, self.proposer.known_costs(step.graph), seconds)

    def _over(self, outcome: Outcome) -> None:
        """A training has ended, one way or another."""
        order, candidate = outcome.order, outcome.candidate
        if outcome.died:
            self._record.died(order, outcome.died)
            self.listener.died(self, order, outcome.died, RETRIES + 1 - outcome.attempts)
            if candidate is None:
                if self.pace.worth_it(order.cost):
                    seconds = self.pace.training_s(order.cost, self._trainings.slots)
                    self._start(self._orders.again(order, seconds))
                return
            self._record.store(candidate)
        assert candidate is not None
        before = order.before.time_s if order.before else {}
        for stage, seconds in candidate.time_s.items():
            self.seconds[stage] += seconds - before.get(stage, 0.0)
        spent_s = sum(candidate.time_s.values()) - sum(before.values())
        self.seconds["other"] += max(0.0, outcome.seconds - spent_s)  # a worker goes on while this one stops
        if self.job.from_bank:
            with self.clock("inherit"):
                deposit(self.run, order, candidate)
        self._peers.publish(self._take(candidate, order))
        self.listener.finished(self, candidate)

    def _hear(self, wait: bool = False) -> bool:
        """Take up what other coordinators have finished, and what they have given back."""
        news = self._peers.news(wait)
        for candidate in news:
            self._sharing.count(candidate.number)
            self._take(candidate)
            self.listener.finished(self, candidate)
        back = self._sharing.given_back(self.archive.candidates)
        self.progress.exhausted = self.progress.exhausted and not back
        return bool(news) or back

    def _take(self, found: Candidate, order: Order | None = None) -> Candidate:
        """A training is done: archive, strategy and, of this coordinator's own order, record."""
        assert self._asker is not None
        with self.clock("proposal"):
            now, at = self.progress.elapsed_s, found.finished_at_s  # a worker stops alone, or goes on alone
            stamped = order is not None and order.at_s <= at <= now + 1
            candidate = found if stamped else stamp(found, now)
            new = candidate.key not in self.archive.rows
            self._count(candidate)
            self.archive.keep(candidate)
            for row in candidate.newest:  # none where the artifact was refused untrained
                self.rungs.count(int(row["rung"]))
            self.pace.count(candidate, candidate.newest)
            self.pace.decide()
            values, broken = self._teller.values(candidate), self._teller.broken(candidate)
            if new:
                self._asker.tell(candidate, values, broken)
            else:
                self._teller.refresh(self._asker, candidate)
            self.archive.rest(self._asker.dropped())
            if not stamped or candidate.deaths:
                self._record.rewrite(candidate)
            if order is not None:
                self._record.keep(candidate, values, broken)
            self.save("running")
        return candidate
