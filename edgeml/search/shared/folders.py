"""How candidates' files get from one coordinator's run directory into another's.

Either through a store (--store), or from the other's run directory where the file system is the same.
"""

from __future__ import annotations

import hashlib
import json
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeml.errors import StorageError
from edgeml.search.candidate import Candidate
from edgeml.search.cluster.store import Blob, Store
from edgeml.search.run_dir import RunDir, write_json

FILE = "coordinator.json"
"""In a run directory: whose it is."""
ENDINGS = (".tflite", ".safetensors")
"""Files of a candidate beside its candidate.json."""
Files = Mapping[str, tuple[str, int]]
"""Name -> SHA-256 and bytes."""


@dataclass(frozen=True)
class Coordinator:
    """Who works on a study, from which run directory.

    Attributes:
        id: random; kept in the run directory, so that a resumed run is the same coordinator.
        host: name of its computer.
        path: its run directory, absolute.
        stores: whether its candidates' files are in a store.
    """

    id: str
    host: str
    path: str
    stores: bool = False


def identity(run: RunDir, stores: bool = False) -> Coordinator:
    """Who this run directory is; somebody new where it is a copy."""
    host, path = socket.gethostname(), str(run.path.resolve())
    found = _read(run.path)
    kept = (found.get("host"), found.get("path")) == (host, path) and found.get("id")
    return Coordinator(str(kept or uuid.uuid4().hex), host, path, stores)


def sign(run: RunDir, me: Coordinator, storage: str, study: str) -> None:
    """Write into a run directory whose it is, and which study it works on.

    Args:
        run: it has begun.
        me: its coordinator.
        storage: URL of the database without its password.
        study: name of the study.
    """
    about = {"id": me.id, "host": me.host, "path": me.path, "storage": storage, "study": study}
    write_json(run.path / FILE, about)


class Folders(Protocol):
    """Moves files of candidates between coordinators."""

    def put(self, candidate: Candidate) -> Files:
        """Make the files of a candidate of this run readable for the others."""

    def get(self, candidate: Candidate, files: Files, owner: Coordinator) -> bool:
        """Bring another's candidate into this run directory; False where its files are not there (yet)."""

    def reaches(self, owner: Coordinator) -> bool:
        """Whether files of that coordinator can be read here."""


class SameDisk:
    """The other's run directory is read where it lies."""

    def __init__(self, run: RunDir) -> None:
        self._run = run

    def put(self, candidate: Candidate) -> Files:
        """They lie in the run directory."""
        return _told({name: Blob.of(one) for name, one in _files(self._run.path, candidate.key).items()})

    def get(self, candidate: Candidate, files: Files, owner: Coordinator) -> bool:
        """Copy the folder; False where it is just being replaced, or gone."""
        if not self.reaches(owner):
            return False
        try:
            found = _files(Path(owner.path), candidate.key)
        except OSError:
            return False
        if any(Blob.of(found.get(name, b"")) != Blob(*content) for name, content in files.items()):
            return False
        self._run.store(candidate, {name: found[name] for name in files})
        return True

    def reaches(self, owner: Coordinator) -> bool:
        """Whether the path leads to that very run, not to another of the same name on this computer."""
        return _read(Path(owner.path)).get("id") == owner.id


class ThroughStore:
    """Files go through a store, which keeps them as long as the study may need them.

    Args:
        run: this run directory.
        store: all coordinators name the same one.
        study: its name.
    """

    def __init__(self, run: RunDir, store: Store, study: str) -> None:
        self._run, self._store = run, store
        self._group = f"studies/{hashlib.sha256(study.encode()).hexdigest()[:16]}"

    def put(self, candidate: Candidate) -> Files:
        """Send them."""
        folder = self._run.candidates / candidate.key
        names = [path.name for path in sorted(folder.iterdir()) if path.suffix in ENDINGS]
        return _told({name: self._store.put_file(folder / name, self._group) for name in names})

    def get(self, candidate: Candidate, files: Files, owner: Coordinator) -> bool:
        """Fetch them; False where the store has not got them or does not answer."""
        try:
            found = {name: self._store.read(Blob(*content), self._group) for name, content in files.items()}
        except StorageError:
            return False
        self._run.store(candidate, found)
        return True

    def reaches(self, owner: Coordinator) -> bool:
        """Whether the other one uses a store too."""
        return owner.stores


def _told(blobs: Mapping[str, Blob]) -> Files:
    """As the database holds them."""
    return {name: (blob.sha256, blob.size) for name, blob in blobs.items()}


def _files(run: Path, key: str) -> dict[str, bytes]:
    folder = run / "candidates" / key
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in ENDINGS}


def _read(run: Path) -> dict[str, object]:
    try:
        found = json.loads((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
