"""What a search leaves behind while it runs: candidates, state.json, front.json and Optuna's study on disk.

The study in study.db, or in a shared database, has one trial a training (user attributes: key, number, rung),
for readers such as optuna-dashboard. The search itself never reads it back: candidates/ holds all it needs to
go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from edgeml.search.candidate import Candidate
from edgeml.search.database import Database
from edgeml.search.evaluate import Order
from edgeml.search.run_dir import RunDir, write_json
from edgeml.search.study_notes import StudyNotes

Writes = Callable[[], dict[str, Any]]


class Record(Protocol):
    """Where a search writes to."""

    def open(self, axes: int, distributions: Mapping[str, Any], known: Iterable[Candidate]) -> None:
        """Get ready; `known` are the candidates of earlier sessions."""

    def store(self, candidate: Candidate) -> None:
        """Write a candidate that no worker has written, with no files beside it."""

    def died(self, order: Order, reason: str) -> None:
        """A worker died on a training: for readers of the study, a failed trial."""

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """A training is done; `values` are its objectives as measured, None where it failed."""

    def heard(self, candidate: Candidate) -> None:
        """Another coordinator's training is done, which has noted it; the folder is in this run directory."""

    def save(self, state: Writes, front: Writes) -> None:
        """Write where the search stands."""


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

    def open(self, axes: int, distributions: Mapping[str, Any], known: Iterable[Candidate]) -> None:
        """Open the study and note trainings that a killed session stored but did not note.

        Raises:
            StorageError: the database cannot be written.
        """
        self._distributions = dict(distributions)
        if self.notes is None:
            self.notes = StudyNotes(Database(self._run.storage_url), "edgeml")
        noted = self.notes.open(axes)
        for candidate in known:
            if (candidate.key, candidate.rung) not in noted:
                self._note(candidate, None, {})

    def store(self, candidate: Candidate) -> None:
        """Write a candidate without files."""
        self._run.store(candidate, {})

    def died(self, order: Order, reason: str) -> None:
        """Note a failed trial; without a rung, so that the training itself does not count as noted."""
        import optuna

        assert self.notes is not None
        self.notes.add(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL,
                params=order.choices,
                distributions=self._distributions,
                user_attrs={"key": order.key, "number": order.number, "reason": reason},
            )
        )

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """Rewrite the candidate and note the training.

        Raises:
            StorageError: the disk is full or the database cannot be written.
        """
        self._run.update(candidate)
        self._note(candidate, values, broken)

    def _note(
        self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]
    ) -> None:
        import optuna

        state = optuna.trial.TrialState
        assert self.notes is not None
        self.notes.add(
            optuna.trial.create_trial(
                state=state.FAIL if values is None else state.COMPLETE,
                values=None if values is None else list(values),
                params=candidate.choices,
                distributions=self._distributions,
                user_attrs={"key": candidate.key, "number": candidate.number, "rung": candidate.rung},
                constraints=dict(broken) or None,
            )
        )

    def heard(self, candidate: Candidate) -> None:
        """Rewrite the candidate."""
        self._run.update(candidate)

    def save(self, state: Writes, front: Writes) -> None:
        """Write state.json and front.json."""
        write_json(self._run.path / "state.json", state())
        write_json(self._run.path / "front.json", front())


class NoRecord:
    """Leaves nothing behind: for benchmarks of the search alone."""

    def open(self, axes: int, distributions: Mapping[str, Any], known: Iterable[Candidate]) -> None:
        """Nothing."""

    def store(self, candidate: Candidate) -> None:
        """Nothing."""

    def died(self, order: Order, reason: str) -> None:
        """Nothing."""

    def keep(self, candidate: Candidate, values: Sequence[float] | None, broken: Mapping[str, float]) -> None:
        """Nothing."""

    def heard(self, candidate: Candidate) -> None:
        """Nothing."""

    def save(self, state: Writes, front: Writes) -> None:
        """Nothing."""
