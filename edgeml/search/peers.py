"""Other coordinators on the same study: who trains what, and what the others have finished."""

from __future__ import annotations

from typing import Protocol

from edgeml.search.candidate import Candidate


class Peers(Protocol):
    """The other coordinators of a study."""

    def claim(self, key: str, rung: int, number: int) -> int | None:
        """Take a training for this coordinator.

        Args:
            key: of the candidate.
            rung: that it is to be trained on.
            number: of the trial, by this coordinator's count.

        Returns:
            The trial's number in the shared study; None where another coordinator has this training.
        """

    def publish(self, candidate: Candidate) -> None:
        """Tell the others of a training; the candidate is stored and recorded."""

    def news(self) -> list[Candidate]:
        """What others have finished since last asked; the folders are in this run directory."""


class Alone:
    """No other coordinator."""

    def claim(self, key: str, rung: int, number: int) -> int | None:
        """Everything is free."""
        return number

    def publish(self, candidate: Candidate) -> None:
        """Nobody wants to know."""

    def news(self) -> list[Candidate]:
        """Nothing."""
        return []
