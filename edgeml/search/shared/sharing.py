"""What a search asks of the other coordinators of its study: numbers, trainings, what came back."""

from __future__ import annotations

from collections.abc import Collection

from edgeml.search.propose import Proposal, Proposer
from edgeml.search.rungs import Promotion
from edgeml.search.shared.peers import Peers

OF_A_PLACE = 104_729
"""Seeds of a study's coordinators are so far apart, so that they do not propose the same."""


class Sharing:
    """A study's trainings, as shared out between its coordinators.

    Args:
        peers: the others.
        proposer: of this search; what others train it does not propose.
    """

    def __init__(self, peers: Peers, proposer: Proposer) -> None:
        self.peers, self._proposer = peers, proposer
        self._number = 0
        self._refused: set[tuple[str, int]] = set()

    @property
    def seed(self) -> int:
        """What is added to the strategy's seed."""
        return OF_A_PLACE * self.peers.place

    def count(self, number: int) -> None:
        """A trial has this number; later ones have larger ones."""
        self._number = max(self._number, number + 1)

    def claim(self, step: Promotion | Proposal) -> int | None:
        """The number of a training that is ours now; None where another has it or no trials are left."""
        number = step.candidate.number if isinstance(step, Promotion) else self._number
        self._proposer.seen.add(step.key)
        taken = self.peers.claim(step.key, step.rung, number)
        if taken is None:
            self._refused.add((step.key, step.rung))
        else:
            self.count(taken)
        return taken

    def given_back(self, known: Collection[str]) -> bool:
        """Whether others have given back trainings that were refused; they may be proposed again.

        Args:
            known: keys of candidates.
        """
        back = {key for key, _ in self._refused - self.peers.taken() if key not in known}
        if not back or self.peers.spent:
            return False
        self._proposer.seen -= back
        self._refused = {one for one in self._refused if one[0] not in back}
        return True
