"""Other coordinators on the same study: who trains what, and what the others have finished."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from edgeml.search.candidate import Candidate


class Peers(Protocol):
    """The other coordinators of a study."""

    @property
    def place(self) -> int:
        """Which of the study's coordinators this one is, from 0."""

    @property
    def spent(self) -> bool:
        """Whether the whole study's trials are used up, as far as known."""

    @property
    def busy(self) -> bool:
        """Whether others train something now, or a result of theirs is on its way."""

    def take_up(self, known: Iterable[Candidate]) -> Iterable[Candidate]:
        """Candidates of this run directory -> those of the whole study, by number; they are here then."""

    def claim(self, key: str, rung: int, number: int) -> int | None:
        """Take a training for this coordinator.

        Args:
            key: of the candidate.
            rung: that it is to be trained on.
            number: of the trial, by this coordinator's count.

        Returns:
            The trial's number in the shared study; None where another coordinator has this training, or the
            study's trials are used up.
        """

    def taken(self) -> frozenset[tuple[str, int]]:
        """Trainings (key, rung) that others have, or have done without the result being here."""

    def publish(self, candidate: Candidate) -> None:
        """Tell the others of a training; the candidate is stored and recorded."""

    def news(self, wait: bool = False) -> list[Candidate]:
        """What others have finished since last asked; the folders are in this run directory.

        Args:
            wait: look now, however long that takes; else about once a second.
        """

    def close(self) -> None:
        """Give back what is claimed."""


class Alone:
    """No other coordinator."""

    place, spent, busy = 0, False, False

    def take_up(self, known: Iterable[Candidate]) -> Iterable[Candidate]:
        """There are no others."""
        return known

    def claim(self, key: str, rung: int, number: int) -> int | None:
        """Everything is free."""
        return number

    def taken(self) -> frozenset[tuple[str, int]]:
        """Nothing."""
        return frozenset()

    def publish(self, candidate: Candidate) -> None:
        """Nobody wants to know."""

    def news(self, wait: bool = False) -> list[Candidate]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing."""
