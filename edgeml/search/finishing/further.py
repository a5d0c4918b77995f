"""The last part of --time: members of the front trained further, each for as long again as it has been.

Full training is short where data are many (train/fidelity.py): long enough to rank architectures, not to
ship them. So a search that only time ends leaves a part of it to its front (pace.FURTHER). Next is who adds
most hypervolume a second, if its error shrinks as those of this run have shrunk by trainings as long again.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from edgeml.search.archive.pareto import hypervolume
from edgeml.search.candidate import Candidate
from edgeml.search.finishing.longer import train_longer
from edgeml.search.ladder import Ladder
from edgeml.search.study import TICK_S, Study
from edgeml.search.workers.executor import Executor, WorkerDiedError
from edgeml.search.workers.trainings import result_of

LEAST = 0.5
"""Of a training as long again: with less time left, a cheaper member is trained, or none."""
WORTH = 0.99
"""What is left of an error, above which further training is of no use."""
UNKNOWN = 0.9
"""The same where a run has nothing to say of it."""
AXES = 4
"""Objectives that count, the error included: the hypervolume of more takes long."""

Point = tuple[float, ...]


def left_of_error(pairs: Sequence[tuple[float, float]], times: float) -> float:
    """Accuracies before and after a training `times` as long -> what doubling it leaves of the error.

    A power law of the training's length through both (Domhan et al. 2015); the median of the pairs.
    """
    ratios = [(1 - after) / (1 - before) for before, after in pairs if before < 1]
    if not ratios or times <= 1:
        return UNKNOWN
    doubled: float = statistics.median(ratios) ** (math.log(2) / math.log(times))
    return min(1.0, max(0.5, doubled))


def updated(expected: float, seen: Sequence[float]) -> float:
    """The same once further trainings were `seen`: geometric mean, what was expected counts once."""
    logs = [math.log(max(one, 0.1)) for one in (expected, *seen)]
    return math.exp(statistics.fmean(logs))


def gains(points: Sequence[Point], left: float, reference: Point) -> list[float]:
    """Errors and costs of a front -> hypervolume that each adds where so much is left of its error.

    Over the logarithm of costs, as far as the reference.
    """
    counted = [axis for axis in range(1, len(reference)) if reference[axis] > 0][: AXES - 1]

    def scaled(point: Point) -> Point:
        return (point[0], *(math.log(max(point[axis], 1e-9)) for axis in counted))

    axes, end = [scaled(point) for point in points], scaled(reference)
    now = hypervolume(axes, end)
    better = [(left * point[0], *point[1:]) for point in axes]
    return [hypervolume([*axes, one], end) - now for one in better]


@dataclass(frozen=True)
class _Next:
    """A training that is worth it: of whom, for how many epochs."""

    candidate: Candidate
    epochs: float


class Further:
    """Trains members of the front of a study that is over, while there is time."""

    def __init__(self, study: Study, executor: Executor) -> None:
        self._study, self._executor = study, executor
        self._expected = expected_of(study.archive.tally.pairs(0, study.ladder.top), study.ladder)
        self._seen: list[float] = []
        self._of_no_use: set[str] = set()
        self._running: dict[Future[Candidate], str] = {}

    def train(self) -> None:
        """Until time or what is worth it is used up; Ctrl-C ends it, and nothing that is stored is lost.

        Raises:
            StorageError: the run directory cannot be written any more.
        """
        study = self._study
        study.waits("training the front's members further")
        try:
            with study.clock("further"):
                while self._fill():
                    for future in wait(self._running, TICK_S, FIRST_COMPLETED).done:
                        self._over(future)
                    study.listener.tick(study)
        except KeyboardInterrupt:
            study.progress.interrupted = True
            self._executor.kill()
        study.waits(None)

    def _fill(self) -> bool:
        while len(self._running) < max(1, self._executor.slots) and (found := self._next()) is not None:
            study, key = self._study, found.candidate.key
            fidelity = replace(study.fidelity, epochs=found.epochs, max_s=study.pace.all_left_s())
            self._running[self._executor.submit(train_longer, study.job, key, fidelity)] = key
        return bool(self._running)

    def _next(self) -> _Next | None:
        """Who adds most a second and can be trained for long enough."""
        study, left = self._study, updated(self._expected, self._seen)
        time_s = study.pace.all_left_s() - study.pace.besides_s
        members = study.archive.finalists()
        points = [point for one in members if (point := one.point(study.archive.objectives)) is not None]
        if left > WORTH or len(points) < len(members):
            return None
        best: tuple[float, _Next] | None = None
        for member, gain in zip(members, gains(points, left, study.archive.reference_point()), strict=True):
            an_epoch = seconds_an_epoch(member)
            if not an_epoch or not gain or not self._may_be(member):
                continue
            epochs = float(member.fidelity["epochs"])
            possible = min(epochs, time_s / an_epoch)
            if possible < LEAST * epochs:
                continue
            a_second = gain / (epochs * an_epoch)
            if best is None or a_second > best[0]:
                best = a_second, _Next(member, possible)
        return best[1] if best else None

    def _may_be(self, member: Candidate) -> bool:
        known = member.key in self._of_no_use or member.key in self._running.values()
        return not known and member.recipe.get("compression", "none") == "none"

    def _over(self, future: Future[Candidate]) -> None:
        key, study = self._running.pop(future), self._study
        try:
            candidate = result_of(future)
        except WorkerDiedError:  # its folder is as it was
            self._of_no_use.add(key)
            return
        row = candidate.further[-1]
        if not row["kept"]:
            self._of_no_use.add(key)
        if row["before"] < 1 and "accuracy" in row:
            self._seen.append(min(1.0, (1 - row["accuracy"]) / (1 - row["before"])))
        if row["kept"]:
            candidate = replace(candidate, finished_at_s=study.elapsed_s)
            study.run.update(candidate)
        study.archive.keep(candidate)
        study.listener.trained_further(study, candidate)
        study.save("running")


def expected_of(pairs: Sequence[tuple[float, float]], ladder: Ladder) -> float:
    """What full training has left of the errors of the lowest rung -> what as long again should leave."""
    lowest = ladder.rungs[0]
    same = lowest.whole and lowest.data == 1 and lowest.epochs < 1
    return left_of_error(pairs, 1 / lowest.epochs) if same else UNKNOWN


def seconds_an_epoch(candidate: Candidate) -> float:
    """Of a candidate's last training; 0 where that is not known."""
    rows = [row for row in (*candidate.rungs, *candidate.further) if row.get("train_s") and row.get("epochs")]
    return float(rows[-1]["train_s"]) / float(rows[-1]["epochs"]) if rows else 0.0
