"""Which workers of a Dask cluster are there now, and which of them can evaluate for this run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgeml.search.cluster.greeting import Answer, Question, answer, source

Say = Callable[[str], None]


class Roster:
    """The workers of a cluster; they come and go.

    Args:
        client: of Dask.
        asked: what a worker is asked before it is used.
        say: takes a sentence for the user.
    """

    def __init__(self, client: Any, asked: Question, say: Say) -> None:
        self._client, self._asked, self._say = client, asked, say
        self._threads: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._asking: set[str] = set()
        self._differs = self._greeted = False
        self._lock = threading.Lock()

    @property
    def fit(self) -> list[str]:
        """Addresses of the workers that can evaluate for this run."""
        with self._lock:
            return [where for where, one in self._answers.items() if one.problem is None]

    @property
    def unfit(self) -> dict[str, str]:
        """Why the others cannot, by address."""
        with self._lock:
            return {
                where: _refused(where, one) for where, one in self._answers.items() if one.problem is not None
            }

    @property
    def slots(self) -> int:
        """Evaluations that may run at once."""
        with self._lock:
            return sum(n for where, n in self._threads.items() if self._fits(where))

    def threads(self) -> dict[str, int]:
        """Processor threads for each evaluation, by host: its cores shared evenly."""
        with self._lock:
            slots: Counter[str] = Counter()
            cores: dict[str, int] = {}
            for where, n in self._threads.items():
                if self._fits(where):
                    one = self._answers[where]
                    slots[one.host] += n
                    cores[one.host] = one.cores
        return {host: max(1, cores[host] // n) for host, n in slots.items()}

    def exclude(self, where: str, problem: str | None) -> None:
        """Not use a worker any more, as long as it is there; nothing where there is no problem."""
        if problem is None:
            return
        with self._lock:
            one = self._answers.get(where)
            if one is None or one.problem is not None:
                return
            self._answers[where] = one = replace(one, problem=problem)
        self._say(_refused(where, one))

    def look(self, wait_s: float = 0.0) -> None:
        """See who has come and who has gone; newcomers are asked meanwhile, or for so long.

        Raises:
            OSError: the scheduler does not answer.
        """
        there = self._there()
        with self._lock:
            self._threads = {where: int(about["nthreads"]) for where, about in there.items()}
            gone = [where for where in self._answers if where not in there and self._fits(where)]
            self._answers = {where: one for where, one in self._answers.items() if where in there}
            new = [where for where in there if where not in self._answers and where not in self._asking]
            self._asking.update(new)
        if gone:
            self._say(
                f"{counted(gone)} gone away ({', '.join(gone[:3])}{', ...' if gone[3:] else ''}), what ran "
                f"there is given to others; {self.slots} evaluate at once now"
            )
        if new:
            thread = threading.Thread(target=self._ask, args=(new,), daemon=True)
            thread.start()
            thread.join(wait_s)

    def _there(self) -> dict[str, Any]:
        """The workers that the scheduler has now.

        Client.scheduler_info would answer from what the client refreshes every two seconds without workers,
        so that on a busy computer all seem to have gone for a moment.
        """
        scheduler = self._client.scheduler
        if scheduler is None:
            raise OSError("the connection is just being made again")
        found: dict[str, Any] = self._client.sync(scheduler.identity, n_workers=-1)["workers"]
        return found

    def _fits(self, where: str) -> bool:
        one = self._answers.get(where)
        return one is not None and one.problem is None

    def _ask(self, new: list[str]) -> None:
        try:
            said = self._client.run(answer, self._asked, workers=new, on_error="return")
        except Exception as error:  # whatever it is, it is asked again when looked at next
            said = dict.fromkeys(new, error)
        with self._lock:
            self._asking.difference_update(new)
            for where in new:
                found = _understood(where, said.get(where))
                if found is not None and where in self._threads:
                    self._answers[where] = found
        joined = [where for where in new if where in self.fit]
        if joined and self._greeted:
            self._say(f"{counted(joined)} joined; {self.slots} evaluate at once now")
        self._greeted = True
        for where in new:
            if sentence := self.unfit.get(where):
                self._say(sentence)
            elif where in self._answers and self._answers[where].source != source() and not self._differs:
                self._differs = True
                self._say(
                    f"worker {where} has edgeml of this version, though not the same source; it is used, and "
                    "what it makes may differ"
                )


def _refused(where: str, one: Answer) -> str:
    return f"worker {where} on {one.host} cannot be used: {one.problem}"


def counted(workers: list[str]) -> str:
    """["a", "b"] -> "2 workers have"."""
    return "1 worker has" if len(workers) == 1 else f"{len(workers)} workers have"


def _understood(where: str, said: Any) -> Answer | None:
    """What a worker answered; None where it went away meanwhile."""
    if isinstance(said, Answer):
        return said
    if said is None or isinstance(said, OSError):
        return None
    host = where.partition("://")[2].rpartition(":")[0]
    what = (str(said).splitlines() or [""])[0]  # Dask passes on the text of an ImportError alone
    return Answer(
        host, 1, "", f"it has no such edgeml ({what}); pip install 'edgeml[cluster]' there and start it again"
    )
