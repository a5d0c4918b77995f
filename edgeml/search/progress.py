"""How a search tells others where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgeml.train import awake

if TYPE_CHECKING:
    from edgeml.search.candidate import Candidate
    from edgeml.search.evaluate import Order
    from edgeml.search.study import Study


@dataclass
class Progress:
    """Where a search stands.

    Attributes:
        started_at, ended_at: when this session's search did, by `awake.now`; None while it goes on.
        before_s: seconds of earlier sessions, of which `after_s` were after their searches.
        waiting: the study's database is waited for, in words.
        afterwards: what is done once the search is over, in words.
    """

    started_at: float = 0.0
    ended_at: float | None = None
    before_s: float = 0.0
    after_s: float = 0.0
    trials: int = 0
    failed: int = 0
    interrupted: bool = False
    exhausted: bool = False
    running: list[Order] = field(default_factory=list)
    waiting: str | None = None
    afterwards: str | None = None
    elsewhere: bool = False

    @property
    def elapsed_s(self) -> float:
        """Seconds of this run, earlier sessions included."""
        return self.before_s + awake.now() - self.started_at

    @property
    def searched_s(self) -> float:
        """Of these, those of searching: without what was done for the front afterwards."""
        until = awake.now() if self.ended_at is None else self.ended_at
        return self.before_s - self.after_s + until - self.started_at

    def restore(self, state: Mapping[str, Any], last_s: float) -> None:
        """Take up the clock of a run whose last training was done at `last_s`."""
        self.before_s = max(float(state.get("elapsed_s", 0.0)), last_s)
        known = state.get("searched_s")  # runs of older versions do not say
        further = float(state.get("time_s", {}).get("further", 0.0))
        self.after_s = further if known is None else max(0.0, float(state["elapsed_s"]) - float(known))


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
