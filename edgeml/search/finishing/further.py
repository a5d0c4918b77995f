"""The last part of --time: members of the front trained further, each for as long again as it has been.

Full training is short where data are many (train/fidelity.py): long enough to rank architectures, not to
ship them. So a search that only time ends leaves what is left of it to its front, half of it at the most, as
soon as that should add twice the hypervolume a second that the search adds; one that a number of trials ends
has as long again for its front. Next is who adds most a second, if its error shrinks as those of this run
have shrunk by trainings as long again; every third time, who is most accurate.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeml.search.archive.pareto import hypervolume
from edgeml.search.archive.preference import TURN, WEIGHT, Focus
from edgeml.search.budget import budget
from edgeml.search.candidate import Candidate
from edgeml.search.finishing.longer import train_longer
from edgeml.search.interrupt import ended_by_ctrl_c
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
SHORT = 10.0
"""Epochs of full training from which on a search leaves no time to its front: new networks do more."""
MARGIN = 2.0
"""Times what the search adds a second, so that it is given up: its past does not tell all of its future."""
LATELY = 0.25
"""Of --time: the last part of a search that says what it adds a second."""
AXES = 4
"""Objectives that count, the error included: the hypervolume of more takes long."""

Point = tuple[float, ...]
Worth = Callable[[Sequence[Point]], float]
"""Errors and costs of networks -> what a front of them is worth."""


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


def volume(points: Sequence[Point], reference: Point) -> float:
    """Errors and costs -> hypervolume over the logarithm of costs, as far as the reference."""
    counted = [axis for axis in range(1, len(reference)) if reference[axis] > 0][: AXES - 1]

    def scaled(point: Point) -> Point:
        return (point[0], *(math.log(max(point[axis], 1e-9)) for axis in counted))

    return hypervolume([scaled(point) for point in points], scaled(reference))


def worth(study: Study) -> Worth:
    """Errors and costs -> their volume for a study, which counts more in the part that is preferred."""
    reference = study.reference_point()
    points = np.array([row.point for row in study.archive.rows.values() if row.point is not None])
    focus = Focus(study.settings.prefer, tuple(study.archive.objectives))
    bounds = focus.reference(points, np.array(reference))
    if bounds is None:
        return lambda points: volume(points, reference)
    preferred = tuple(bounds.tolist())
    return lambda points: volume(points, reference) + WEIGHT * volume(points, preferred)


def gains(points: Sequence[Point], left: float, worth: Worth) -> list[float]:
    """Errors and costs of a front -> what each adds to their worth where so much is left of its error."""
    now = worth(points)
    better = [(left * point[0], *point[1:]) for point in points]
    return [worth([*points, one]) - now for one in better]


def pays(study: Study) -> bool:
    """Whether further training should add MARGIN times the worth a second that the search did lately."""
    if study.fidelity.epochs >= SHORT:
        return False
    window, worth_of = LATELY * study.settings.time_s, worth(study)
    rows = [row for row in study.archive.rows.values() if not row.variant]
    now, then = (
        worth_of([row.point for row in rows if row.point is not None and row.finished_at_s <= at])
        for at in (study.progress.elapsed_s, study.progress.elapsed_s - window)
    )
    best = Schedule(study).next(())
    return best is not None and best.a_second > MARGIN * (now - then) / window


@dataclass(frozen=True)
class Next:
    """A training that is worth it.

    Attributes:
        candidate: of whom.
        epochs: how much of it.
        a_second: worth that it should add.
    """

    candidate: Candidate
    epochs: float
    a_second: float


class Schedule:
    """Which members of a study's front are trained further."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._expected = expected_of(study.archive.tally.pairs(0, study.ladder.top), study.ladder)
        self._seen: list[float] = []
        self._of_no_use: set[str] = set()
        for member in study.archive.finalists():
            for row in member.further:
                self.learn(row)

    def next(self, busy: Collection[str]) -> Next | None:
        """Who adds most a second and can be trained for long enough; those whose keys are busy left out.

        Every TURN-th is the most accurate of them.
        """
        study, left = self._study, updated(self._expected, self._seen)
        time_s = study.pace.all_left_s() - study.pace.besides_s
        members = study.archive.finalists()
        points = [point for one in members if (point := one.point(study.archive.objectives)) is not None]
        if left > WORTH or len(points) < len(members):
            return None
        able: list[Next] = []
        for member, gain in zip(members, gains(points, left, worth(study)), strict=True):
            an_epoch, epochs = seconds_an_epoch(member), float(member.fidelity.get("epochs", 0.0))
            full_s = epochs * an_epoch
            if not full_s or not gain or member.key in busy or not self._may_be(member):
                continue
            if time_s >= LEAST * full_s:
                able.append(Next(member, min(epochs, time_s / an_epoch), gain / full_s))
        if (len(self._seen) + len(busy)) % TURN == TURN - 1:
            return max(able, key=lambda one: one.candidate.accuracy or 0.0, default=None)
        return max(able, key=lambda one: one.a_second, default=None)

    def _may_be(self, member: Candidate) -> bool:
        tried = member.key in self._of_no_use or any(not row["kept"] for row in member.further)
        return not tried and member.recipe.get("compression", "none") == "none"

    def failed(self, key: str) -> None:
        """Its training came to nothing."""
        self._of_no_use.add(key)

    def learn(self, row: Mapping[str, Any]) -> None:
        """What a training has left of an error."""
        if row["before"] < 1 and "accuracy" in row:
            self._seen.append(min(1.0, (1 - row["accuracy"]) / (1 - row["before"])))


def allowed_s(study: Study) -> float:
    """Seconds for the front of a search that is over.

    What is left of --time where nothing else ends the search. Where a number of trials does and full
    training is short, as long as the search has taken, within --time; further training in earlier sessions
    counts.
    """
    left_s = study.pace.all_left_s()
    return left_s if study.pace.may_leave else min(left_s, as_long_again_s(study))


def as_long_again_s(study: Study, more_s: float = 0.0) -> float:
    """Seconds that a number of trials leaves to the front once the search has taken `more_s` more; else 0."""
    settings = study.settings
    short = study.fidelity.epochs < SHORT and budget(settings.budget).further
    if not (settings.trials and settings.time_s and study.pace.alone and short):
        return 0.0
    return max(0.0, study.progress.searched_s + more_s - study.seconds["further"])


def train_front(study: Study, executor: Executor, most_s: float) -> None:
    """Train members of the front of a search that is over, until time or what is worth it is used up.

    Ctrl-C ends it, and nothing that is stored is lost.

    Args:
        study: its search is over.
        executor: where they are trained.
        most_s: seconds that it may take.

    Raises:
        StorageError: the run directory cannot be written any more.
    """
    study.pace.end_within(most_s)
    schedule, running = Schedule(study), dict[Future[Candidate], str]()

    def fill() -> bool:
        slots = max(1, executor.slots)
        while len(running) < slots and (found := schedule.next(running.values())) is not None:
            key, left_s = found.candidate.key, study.pace.all_left_s()
            fidelity = replace(study.fidelity, epochs=found.epochs, max_s=left_s)
            running[executor.submit(train_longer, study.job, key, fidelity)] = key
        return bool(running)

    study.progress.afterwards = "training the front's members further"
    study.listener.tick(study)
    with ended_by_ctrl_c(study, executor):
        while fill():
            done = set[Future[Candidate]]()
            with study.clock("further"):  # counted one by one: a killed session must not forget
                while not done:
                    done = wait(running, TICK_S, FIRST_COMPLETED).done
                    study.listener.tick(study)
            for future in done:
                _over(study, schedule, future, running.pop(future))
    study.progress.afterwards = None


def _over(study: Study, schedule: Schedule, future: Future[Candidate], key: str) -> None:
    try:
        candidate = result_of(future)
    except WorkerDiedError:  # its folder is as it was
        schedule.failed(key)
        return
    row = candidate.further[-1]
    schedule.learn(row)
    if row["kept"]:
        candidate = replace(candidate, finished_at_s=study.progress.elapsed_s)
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
