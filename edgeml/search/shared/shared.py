"""One study, several coordinators: who trains what, what is done, and who is still there.

A coordinator is silent when its counter of beats has not moved for SILENT_S seconds in which the observer saw
the database all the time: no clocks are compared, and when a database comes back nobody is silent at first.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from edgeml.errors import RunError
from edgeml.search.candidate import Candidate
from edgeml.search.database.database import Database
from edgeml.search.shared.folders import Coordinator, Files, Folders
from edgeml.search.shared.news import Inbox, Silence
from edgeml.search.shared.rows import Claim, Rows, spent

BEAT_S = 5.0
SILENT_S = 60.0
"""After so long without a beat others may take over a coordinator's trainings."""
POLL_S = 1.0
"""Between two looks at the database for news."""
POLL_AWAY_S = 10.0
"""The same while it is away."""


class Shared:
    """The other coordinators of a study, through a database.

    Args:
        database: where the study is.
        study: its name.
        me: this coordinator.
        folders: how candidates' files come here.
        trials: architectures that the whole study trains; None for no limit.
        silent_s: SILENT_S where None.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        me: Coordinator,
        folders: Folders,
        trials: int | None = None,
        silent_s: float | None = None,
    ) -> None:
        self.database, self.study, self.me = database, study, me
        self.place, self.spent = 0, False
        self._folders, self._trials = folders, trials
        self._rows = Rows(database.engine, study, me.id)
        self._silence = Silence(SILENT_S if silent_s is None else silent_s)
        self._inbox = Inbox(me, folders)
        self._elsewhere: set[tuple[str, int]] = set()
        self._refused: set[tuple[str, int]] = set()
        self._owed: dict[tuple[str, int], tuple[Candidate, Files]] = {}
        self._serial = 0
        self._look_at = 0.0
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="edgeml-heartbeat", daemon=True)

    def join(self, agreed: dict[str, Any]) -> None:
        """Enter the study.

        Args:
            agreed: what all coordinators must have equal, by its name for the user.

        Raises:
            RunError: the study there is another one.
            StorageError: the database cannot be used.
        """
        self.database(lambda: self._rows.set_up(agreed), opening=True)
        self.place = self.database(lambda: self._rows.enter(self.me))
        self._heart.start()

    def take_up(self, known: Iterable[Candidate]) -> list[Candidate]:
        """Publish what this run has finished and the study does not know; take up what others have.

        What this coordinator had claimed in an earlier session is given back.

        Args:
            known: candidates of this run directory.

        Returns:
            All candidates of the study, by number; some of this run's may have another number there.

        Raises:
            RunError: files of another coordinator cannot be read here.
        """
        own = {candidate.key: candidate for candidate in known}
        for candidate in own.values():
            self._inbox.have(candidate)
        found = self.news(wait=True)
        if unreachable := self._inbox.unreachable():
            one = unreachable[0]
            raise RunError(
                f"study {self.study!r}: models of the coordinator on {one.host} are in {one.path}, which "
                "cannot be read from here; give every coordinator the same --store URL."
            )
        for key, candidate in own.items():
            if (key, candidate.rung) not in self._inbox.published:
                own[key] = replace(candidate, number=self.database(partial(self._rows.number, candidate)))
                self.publish(own[key])
        self.database(self._rows.give_back)
        whole = own | {candidate.key: candidate for candidate in found}
        return sorted(whole.values(), key=lambda candidate: candidate.number)

    def claim(self, key: str, rung: int, number: int) -> int | None:
        """Take a training, unless another coordinator has it or the study's trials are used up."""
        silent = self._silence.silent
        answer = self.database(lambda: self._rows.claim(key, rung, self._trials, silent))
        self.spent = self.spent or answer.spent
        if answer.owner is not None:
            self._refused.add((key, rung))
        return answer.number

    def publish(self, candidate: Candidate) -> None:
        """Tell the others of a training; the first result of a training counts."""
        training = candidate.key, candidate.rung
        files = self._folders.put(candidate)
        self._owed[training] = candidate, files
        self.database(lambda: self._rows.publish(candidate, files))
        self._inbox.have(candidate)
        del self._owed[training]

    def news(self, wait: bool = False) -> list[Candidate]:
        """What others have finished since last asked.

        Args:
            wait: look now, and wait for a database that is away; else about once in POLL_S seconds, and
                while it is away nothing is new.
        """
        if wait or time.monotonic() >= self._look_at:
            self._look(wait)
        return self._inbox.take()

    def taken(self) -> frozenset[tuple[str, int]]:
        """Trainings (key, rung) that others have, or have done without the result being here."""
        return frozenset(self._elsewhere | self._refused | self._inbox.trainings())

    @property
    def busy(self) -> bool:
        """Whether others train something now, or a result of theirs is on its way."""
        return bool(self._elsewhere) or self._inbox.expects

    def close(self) -> None:
        """Give back what is claimed; a database that is away is not waited for."""
        self._ended.set()
        with contextlib.suppress(Exception):
            for candidate, files in list(self._owed.values()):
                self._rows.publish(candidate, files)
            self._rows.give_back()
        if self._heart.is_alive():
            self._heart.join(timeout=1)
        self.database.close()

    def _look(self, wait: bool) -> None:
        """Read what has changed in the database."""
        while True:
            seen = self.database.now_or_later(lambda: self._rows.see(self._serial), wait)
            self._look_at = time.monotonic() + (POLL_S if seen else POLL_AWAY_S)
            if seen is None:
                return
            self._inbox.owners.update(seen.coordinators)
            self._inbox.put(seen.results)
            self._judge(seen.architectures, seen.claims)
            if not seen.results:
                return
            self._serial = seen.results[-1].serial + 1

    def _judge(self, architectures: int, claims: list[Claim]) -> None:
        silent = self._silence.silent
        self.spent = spent(self._trials, architectures, claims, silent)
        others = [c for c in claims if c.coordinator != self.me.id and c.coordinator not in silent]
        self._elsewhere = {(c.key, c.rung) for c in others} - self._inbox.published
        self._refused = set()

    def _beat(self) -> None:
        """Give a sign of life every few seconds, and look for those of others."""
        every = min(BEAT_S, self._silence.after_s / 6)
        while not self._ended.wait(every):
            try:
                self._silence.see(self._rows.beat())
            except Exception:  # whatever it is, the search meets it too, and says so
                self._silence.interrupted()
