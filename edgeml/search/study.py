"""The coordinator: asks the sampler, has architectures evaluated, tells the study, keeps the archive."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from edgeml.arch.space import Space, Task
from edgeml.search.archive import Archive
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.executor import BrokenProcessPool
from edgeml.search.progress import Listener, Progress
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.prune import Pruned
from edgeml.search.run_dir import RunDir, database_errors, write_json
from edgeml.search.settings import Settings
from edgeml.search.strategy import sampler
from edgeml.target.limits import violations
from edgeml.train.fidelity import Fidelity

TICK_S = 0.25
TRIAL_TIME_SHARE = 1.1
"""With --time, a trial may take this many times its share of the time left, then its schedule shrinks."""
LEAST_TRAINING = 0.3
"""Of the typical training; a trial that would get less is not worth its time."""


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
    ) -> None:
        self.run, self.settings, self.job, self.fidelity = run, settings, job, fidelity
        self.proposer = Proposer(space, task, job.limits, job.targets)
        self.archive = Archive(job.targets.objectives, 1 - 1 / task.classes)
        self.progress = Progress()
        self.pruned: tuple[Pruned, ...] = ()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._task, self._space = task, space
        self._evaluate, self._submit, self._listener = evaluate, submit, listener
        self._study: Any = None

    @property
    def elapsed_s(self) -> float:
        """Seconds of search, earlier sessions of a resumed run included."""
        return self.progress.before_s + time.monotonic() - self.progress.started_at

    @property
    def status(self) -> str:
        """What state.json says once the search is over."""
        return "interrupted" if self.progress.interrupted else "finished"

    def search(self) -> None:
        """Run until trials, time or space are used up, or Ctrl-C. Never loses a finished trial.

        Raises:
            StorageError: the run directory cannot be written any more.
        """
        self.progress.started_at = time.monotonic()
        with self.clock("proposal"):
            self._open_study()
        self._listener.started(self)
        try:
            while self._may_go_on():
                asked = self._ask()
                if asked is None:
                    self.progress.exhausted = True
                    break
                trial, proposal = asked
                candidate = self._wait(self._order(trial.number, proposal), proposal)
                self._tell(trial, candidate)
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
        }

    def save(self, status: str) -> None:
        """Write state.json and front.json."""
        write_json(self.run.path / "state.json", self.state(status))
        knee = self.archive.knee()
        keys = [candidate.key for candidate in self.archive.front()]
        write_json(self.run.path / "front.json", {"keys": keys, "knee": knee.key if knee else None})

    def restore(self, candidates: list[Candidate], state: dict[str, Any]) -> None:
        """Take up the candidates and the clock of a run that is resumed."""
        for candidate in candidates:
            self._count(candidate)
        self.progress.before_s = float(state.get("elapsed_s", 0.0))
        self.seconds.update(state.get("time_s", {}))
        self.proposer.refused = Counter(state.get("refused", {}))
        self.proposer.duplicates = int(state.get("duplicates_avoided", 0))

    def _count(self, candidate: Candidate) -> None:
        self.archive.keep(candidate)
        self.proposer.seen.add(candidate.key)
        self.progress.trials += 1
        self.progress.failed += candidate.status == "failed"

    def _may_go_on(self) -> bool:
        if self.progress.trials >= self.settings.trials:
            return False
        if not self.settings.time_s:
            return True
        return self._training_share_s() > LEAST_TRAINING * self._median_s(lambda time_s: time_s["train"])

    def time_left_s(self) -> float:
        """Seconds of this session's --time that are left; negative without a limit."""
        return self.settings.time_s - (time.monotonic() - self.progress.started_at)

    def _training_share_s(self) -> float:
        """Seconds the next trial may train: its share of the time left, less what a trial takes besides."""
        left = max(1, self.settings.trials - self.progress.trials)
        besides = self._median_s(lambda time_s: sum(time_s.values()) - time_s["train"])
        return min(1.0, TRIAL_TIME_SHARE / left) * self.time_left_s() - besides

    def _median_s(self, seconds_of: Callable[[dict[str, float]], float]) -> float:
        """Of the trials that were trained; 0 while there is none."""
        times = [candidate.time_s for candidate in self.archive.candidates.values()]
        spans = sorted(seconds_of(time_s) for time_s in times if "train" in time_s)
        return spans[len(spans) // 2] if spans else 0.0

    def _open_study(self) -> None:
        """Open the Optuna study and bring it in line with the candidates on disk."""
        import optuna
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        chosen = sampler(
            self.settings.strategy,
            self._space,
            self.proposer,
            self.settings.seed * 7919 + 13 + self.progress.trials,
        )
        with database_errors(self.run.path):
            self._study = optuna.create_study(
                storage=self.run.storage_url,
                study_name="edgeml",
                directions=["minimize"] * (1 + len(self.archive.objectives)),
                sampler=chosen,
                load_if_exists=True,
            )
            by_number = {c.number: c for c in self.archive.candidates.values()}
            for trial in self._study.get_trials(
                deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)
            ):
                if trial.number in by_number:
                    self._tell(
                        optuna.trial.Trial(self._study, trial._trial_id), by_number[trial.number], count=False
                    )
                else:
                    self._study.tell(trial.number, state=TrialState.FAIL)

    def _ask(self) -> tuple[Any, Proposal] | None:
        from optuna.trial import TrialState

        from edgeml.search.strategy.distinct import DistinctSampler, SpaceExhaustedError

        with self.clock("proposal"), database_errors(self.run.path):
            chosen = self._study.sampler
            assert isinstance(chosen, DistinctSampler)
            try:
                trial = self._study.ask(fixed_distributions=chosen.distributions)
            except SpaceExhaustedError:
                for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                    self._study.tell(left.number, state=TrialState.FAIL)
                return None
            proposal = self.proposer.judge(trial.params)
            assert proposal is not None, "the sampler proposed a point that it had to refuse"
            return trial, proposal

    def _order(self, number: int, proposal: Proposal) -> Order:
        with self.clock("proposal"):
            parent = self.archive.parent(proposal.graph) if self.job.inherit else None
        fidelity = self.fidelity
        if self.settings.time_s:
            fidelity = replace(fidelity, max_s=max(1.0, self._training_share_s()))
        return Order(
            number=number,
            choices=proposal.choices,
            arch=proposal.arch.to_dict(),
            fidelity=fidelity,
            seed=trial_seed(self.settings.seed, number),
            parent=parent.key if parent else None,
        )

    def _wait(self, order: Order, proposal: Proposal) -> Candidate:
        self.progress.running = order
        began = time.monotonic()
        future = self._submit(self._evaluate, self.job, order)
        while True:
            try:
                candidate: Candidate = future.result(timeout=TICK_S)
                break
            except FutureTimeoutError:
                self._listener.tick(self)
            except BrokenProcessPool:
                reason = f"the worker process died; {self.run.log} ends with what it printed"
                candidate = Candidate(
                    proposal.key, order.number, "failed", order.choices, order.arch, order.seed, reason=reason
                )
                self.run.store(candidate, {})
                break
        for stage, seconds in candidate.time_s.items():
            self.seconds[stage] += seconds
        self.seconds["other"] += time.monotonic() - began - sum(candidate.time_s.values())
        return candidate

    def _tell(self, trial: Any, candidate: Candidate, count: bool = True) -> None:
        from optuna.trial import TrialState

        with self.clock("proposal"), database_errors(self.run.path):
            if count:
                candidate = replace(candidate, finished_at_s=self.elapsed_s)
                self.run.update(candidate)
                self._count(candidate)
            trial.set_user_attr("key", candidate.key)
            values = candidate.point(self.archive.objectives)
            if values is None and candidate.status == "infeasible":
                values = self._told_as(candidate)
            if values is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                costs = {name: float(m["value"]) for name, m in candidate.metrics.items()}
                broken = violations(costs, self.job.limits)
                for name, amount in broken.items():
                    trial.set_constraint(name, amount)
                self._study.tell(trial, list(values))
            if count:
                self.save("running")

    def _told_as(self, candidate: Candidate) -> tuple[float, ...]:
        """Objectives of an infeasible trial: known costs; the error of guessing where not trained."""
        error = self.archive.chance_error if candidate.accuracy is None else 1 - candidate.accuracy
        worst = self.archive.reference_point()
        costs = []
        for axis, name in enumerate(self.archive.objectives, start=1):
            known = candidate.metrics.get(name, {}).get("value")
            costs.append(float(known if known is not None else worst[axis] if axis < len(worst) else 1e9))
        return (error, *costs)

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Count the seconds of a block to a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] += time.monotonic() - began


def trial_seed(seed: int, number: int) -> int:
    """Seed of one trial from the run's seed and the trial's number, 0 .. 2**31 - 1."""
    return (seed * 1_000_003 + number * 7_919 + 17) % (2**31 - 1)
