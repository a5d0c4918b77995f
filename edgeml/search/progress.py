"""How a search tells others where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeml.search.candidate import Candidate
    from edgeml.search.evaluate import Order
    from edgeml.search.study import Study


@dataclass
class Progress:
    """Where a search stands.

    Attributes:
        waiting: the study's database is waited for, in words.
        afterwards: what is done once the search is over, in words.
    """

    started_at: float = 0.0
    before_s: float = 0.0
    trials: int = 0
    failed: int = 0
    interrupted: bool = False
    exhausted: bool = False
    running: list[Order] = field(default_factory=list)
    waiting: str | None = None
    afterwards: str | None = None
    elsewhere: bool = False


class Listener:
    """Who wants to know how a search goes on: what one does not override, it does not hear of."""

    def reading(self, what: str, done: int, total: int) -> None:
        """So many of a data set's files are read."""

    def said(self, sentence: str) -> None:
        """Something that a user should know: workers are awaited, one cannot be used."""

    def started(self, study: Study) -> None:
        """The first trial is about to be asked for."""

    def tick(self, study: Study) -> None:
        """Called several times a second while a trial runs."""

    def finished(self, study: Study, candidate: Candidate) -> None:
        """A trial is done."""

    def died(self, study: Study, order: Order, reason: str, left: int) -> None:
        """A worker died on a training, which is tried again so many times."""

    def compressed(self, study: Study, candidate: Candidate) -> None:
        """A finalist has a new compressed variant."""

    def trained_further(self, study: Study, candidate: Candidate) -> None:
        """A member of the front was trained further; the last row of `further` says what came of it."""
