"""Row: what stays in memory of a candidate whose folder is on the disk, a few hundred bytes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import cast

from edgeml.search.candidate import Candidate, Status


@dataclass(slots=True)
class Row:
    """What a search asks of every candidate again and again.

    Attributes:
        key, number, status, rung, accuracy, finished_at_s, waiting: of the candidate.
        scores: (1 - accuracy, cost, ...), whatever rung the accuracy is of; None where it was not measured.
        expected: accuracy that its learning curve promises, where the curve ended its training.
        trained: it has weights that others may start from.
        variant: a finalist's compressed variant.
        rungs: trainings that it has been through.
        ended: its learning curve ended one of them.
        seconds: spent on it.
    """

    key: str
    number: int
    status: Status
    rung: int
    accuracy: float | None
    scores: tuple[float, ...] | None
    expected: float | None
    finished_at_s: float
    waiting: bool
    trained: bool
    variant: bool
    rungs: int
    ended: bool
    seconds: float

    @staticmethod
    def of(candidate: Candidate, objectives: list[str]) -> Row:
        """Candidate -> Row."""
        last = candidate.rungs[-1] if candidate.rungs else {}
        expected = last.get("expected")
        return Row(
            key=candidate.key,
            number=candidate.number,
            status=cast(Status, sys.intern(candidate.status)),  # one of four: not a text of its own each
            rung=candidate.rung,
            accuracy=candidate.accuracy,
            scores=candidate.scores(objectives),
            expected=None if expected is None else float(expected),
            finished_at_s=candidate.finished_at_s,
            waiting=candidate.waiting,
            trained=candidate.artifact is not None and candidate.accuracy is not None,
            variant=candidate.is_variant,
            rungs=len(candidate.rungs),
            ended=any(row.get("stopped") for row in candidate.rungs),
            seconds=sum(candidate.time_s.values()),
        )

    @property
    def point(self) -> tuple[float, ...] | None:
        """Scores of a candidate that is fully trained; None of another one."""
        return self.scores if self.status == "complete" else None
