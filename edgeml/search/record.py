"""What a search leaves behind while it runs: candidates, state.json, front.json and Optuna's study on disk.

The study in study.db, or in a shared database, has one trial a training (user attributes: key, number, rung),
for readers such as optuna-dashboard. It is written in batches, about a second behind; the search itself never
reads it back: candidates/ holds all it needs to go on, and what a killed session did not note is noted then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edgeml.search.archive.kept import Load
from edgeml.search.candidate import Candidate
from edgeml.search.database.database import Database
from edgeml.search.database.study_notes import StudyNotes
from edgeml.search.evaluate import Order
from edgeml.search.run_dir import RunDir, write_json

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Writes = Callable[[], dict[str, Any]]
Told = tuple[Sequence[float] | None, Mapping[str, float]]
"""Objectives as the study is told them, None where the candidate failed; and what limits are broken by."""

BATCH_S = 1.0
"""Trials of the study are written together, this long after the first of them."""
BATCH = 500
"""At most so many."""


@dataclass(frozen=True)
class Known:
    """Candidates of earlier sessions.

    Attributes:
        rungs: rung of each, by key.
        told: key -> the candidate, and what the study is told of it.
    """

    rungs: Mapping[str, int]
    told: Callable[[str], tuple[Candidate, Told]]


class Record(Protocol):
    """Where a search writes to."""

    @property
    def load(self) -> Load | None:
        """Reads a candidate that was stored; None where nothing is."""

    def open(self, axes: int, distributions: Mapping[str, Any], known: Known) -> None:
        """Get ready; `known` are the candidates of earlier sessions."""

    def store(self, candidate: Candidate) -> None:
        """Write a candidate that no worker has written, with no files beside it."""

    def died(self, order: Order, reason: str) -> None:
        """A worker died on a training: for readers of the study, a failed trial."""

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """A training is done and stored; `values` are its objectives as measured, None where it failed."""

    def rewrite(self, candidate: Candidate) -> None:
        """Write a stored candidate of which this coordinator knows more than who stored it."""

    def save(self, state: Writes, front: Writes) -> None:
        """Write where the search stands, and all that waits to be written."""


class RunRecord:
    """The record of a run directory.

    Args:
        run: the run directory.

    Attributes:
        notes: Optuna's study; RUN/study.db where None is given before `open`.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self.notes: StudyNotes | None = None
        self._distributions: dict[str, Any] = {}
        self._waiting: list[FrozenTrial] = []
        self._since = 0.0

    @property
    def load(self) -> Load | None:
        """Reads a candidate that was stored."""
        return self._run.load

    def open(self, axes: int, distributions: Mapping[str, Any], known: Known) -> None:
        """Open the study and note trainings that a killed session stored but did not note.

        Raises:
            StorageError: the database cannot be written.
        """
        self._distributions = dict(distributions)
        if self.notes is None:
            self.notes = StudyNotes(Database(self._run.storage_url), "edgeml")
        noted = self.notes.open(axes)
        for key, rung in known.rungs.items():
            if (key, rung) not in noted:
                candidate, (values, broken) = known.told(key)
                self.keep(candidate, values, broken)
        self._write()

    def store(self, candidate: Candidate) -> None:
        """Write a candidate without files."""
        self._run.store(candidate, {})

    def rewrite(self, candidate: Candidate) -> None:
        """Write candidate.json anew."""
        self._run.update(candidate)

    def died(self, order: Order, reason: str) -> None:
        """Note a failed trial; without a rung, so that the training itself does not count as noted."""
        own = {"key": order.key, "number": order.number, "reason": reason}
        self._note(None, order.choices, own, {})

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """Note a training.

        Raises:
            StorageError: the database cannot be written.
        """
        own = {"key": candidate.key, "number": candidate.number, "rung": candidate.rung}
        self._note(values, candidate.choices, own, broken)

    def _note(
        self,
        values: Sequence[float] | None,
        choices: Mapping[str, Any],
        attributes: dict[str, Any],
        broken: Mapping[str, float],
    ) -> None:
        import optuna

        assert self.notes is not None
        state = optuna.trial.TrialState
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(
            optuna.trial.create_trial(
                state=state.FAIL if values is None else state.COMPLETE,
                values=None if values is None else list(values),
                params=dict(choices),
                distributions=self._distributions,
                user_attrs=attributes,
                constraints=dict(broken) or None,
            )
        )
        late = time.monotonic() - self._since > BATCH_S
        if late or self.notes.at_once or len(self._waiting) >= BATCH:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            assert self.notes is not None
            self.notes.add_all(self._waiting)
            self._waiting = []

    def save(self, state: Writes, front: Writes) -> None:
        """Write state.json, front.json and the trials that wait."""
        write_json(self._run.path / "state.json", state())
        write_json(self._run.path / "front.json", front())
        self._write()


class NoRecord:
    """Leaves nothing behind: for benchmarks of the search alone."""

    load: Load | None = None

    def open(self, axes: int, distributions: Mapping[str, Any], known: Known) -> None:
        """Nothing."""

    def store(self, candidate: Candidate) -> None:
        """Nothing."""

    def died(self, order: Order, reason: str) -> None:
        """Nothing."""

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """Nothing."""

    def rewrite(self, candidate: Candidate) -> None:
        """Nothing."""

    def save(self, state: Writes, front: Writes) -> None:
        """Nothing."""
