"""Where a session's study is, and who else works on it.

That is RUN/study.db and nobody, or with --storage a database and whoever names the same study.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from edgeml.errors import ConfigError
from edgeml.search.candidate import Candidate
from edgeml.search.database.database import Database, Waiting
from edgeml.search.database.study_notes import StudyNotes
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import FIXED
from edgeml.search.shared.peers import Alone, Peers
from edgeml.search.workers.compute import Compute

if TYPE_CHECKING:
    from edgeml.search.shared.folders import Coordinator

ALONE = "edgeml"
"""Name of the study in RUN/study.db."""
LONGEST_NAME = 100


class Meeting:
    """The database of a session's study, and its other coordinators once it is joined.

    Args:
        compute: --storage, --study and --store.
        run: the run directory.

    Attributes:
        peers: the others; nobody before `join`.

    Raises:
        ConfigError: --storage or --study cannot be used.
        MissingToolError: the database's driver is not installed.
    """

    def __init__(self, compute: Compute, run: RunDir) -> None:
        if compute.study is not None and not compute.storage:
            raise ConfigError("--study names a study in a database: give --storage too.")
        if compute.study is not None and not 0 < len(compute.study.strip()) <= LONGEST_NAME:
            raise ConfigError(f"--study: expected a name of 1 to {LONGEST_NAME} characters.")
        self._compute, self._run = compute, run
        self._database = Database(compute.storage) if compute.storage else None
        self._me: Coordinator | None = None
        self._name = ALONE
        self.peers: Peers = Alone()

    @property
    def left(self) -> list[str]:
        """Sentences on a shared study that this run has worked on and does not name now."""
        from edgeml.search.shared.folders import FILE

        try:
            about = json.loads((self._run.path / FILE).read_text(encoding="utf-8"))
            where = f"study {about['study']} in {about['storage']}"
        except (OSError, ValueError, KeyError, TypeError):
            return []
        if self._compute.storage:
            return []
        return [f"{self._run.path} has worked on {where}; without --storage it goes on alone"]

    def join(self, about: dict[str, Any], trials: int | None) -> None:
        """Enter the shared study, where there is one.

        Args:
            about: what run.json holds.
            trials: of the whole study.

        Raises:
            RunError: the study there has other settings.
            StorageError: the database cannot be used.
        """
        if self._database is None:
            return
        from edgeml.search.cluster.store import Store
        from edgeml.search.shared.folders import SameDisk, ThroughStore, identity
        from edgeml.search.shared.shared import Shared

        agreed = agreed_on(about)
        self._name = self._compute.study or named(agreed)
        store = self._compute.store
        folders = ThroughStore(self._run, Store(store), self._name) if store else SameDisk(self._run)
        self._me = identity(self._run, stores=bool(store))
        self.peers = peers = Shared(self._database, self._name, self._me, folders, trials)
        peers.join(agreed)

    def take_up(self, known: Iterable[Candidate]) -> Iterable[Candidate]:
        """Candidates of this run directory, which has begun -> those of the whole study, by number.

        Raises:
            RunError: files of another coordinator cannot be read here.
            StorageError: the database or the store cannot be used.
        """
        if self._me is None or self._database is None:
            return self.peers.take_up(known)
        from edgeml.search.shared.folders import sign

        sign(self._run, self._me, self._database.shown, self._name)
        numbers: dict[str, int] = {}
        found = list(self.peers.take_up(_noting(known, numbers)))
        for candidate in found:
            if numbers.get(candidate.key, candidate.number) != candidate.number:
                self._run.update(candidate)
        return found

    def notes(self, waiting: Waiting) -> StudyNotes:
        """Optuna's study.

        Args:
            waiting: told when its database is waited for.
        """
        if self._database is None:
            self._database = Database(self._run.storage_url)
        self._database.waiting = waiting
        return StudyNotes(self._database, self._name, at_once=self._me is not None)

    def close(self) -> None:
        """Give back what is claimed, close connections."""
        self.peers.close()
        if self._database is not None:
            if not self._compute.storage:
                self._database.fold()
            self._database.close()


def _noting(known: Iterable[Candidate], numbers: dict[str, int]) -> Iterator[Candidate]:
    """Take down the numbers of candidates that go by."""
    for candidate in known:
        numbers[candidate.key] = candidate.number
        yield candidate


def agreed_on(about: dict[str, Any]) -> dict[str, Any]:
    """What run.json says -> what all coordinators of a study must have equal, by its name for the user."""
    settings = {name: about["settings"].get(name) for name in FIXED}
    contents = {"targets": about["targets"], "space": about["space"], "fidelity": about["ladder"]}
    data = {"data (hash)": about["dataset"]["hash"], "split (hash)": about["dataset"].get("split_hash")}
    return {**settings, **contents, **data}


def named(agreed: dict[str, Any]) -> str:
    """A study's name from what its coordinators agree on."""
    digest = hashlib.sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()
    return f"edgeml-{digest[:12]}"
