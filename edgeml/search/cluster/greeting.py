"""Whether a worker of a cluster can evaluate for a run: the same software, the same files in sight."""

from __future__ import annotations

import asyncio
import hashlib
import platform
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgeml.arch.ops import OPS
from edgeml.arch.own_ops import load_own
from edgeml.errors import EdgemlError
from edgeml.search.cluster.store import Blob, Store
from edgeml.search.workers.compute import usable_cores

SAME = ("edgeml", "tensorflow", "tf_keras", "ai-edge-litert")
"""Packages that have to be of one version everywhere: they make the artifact."""


@dataclass(frozen=True)
class Question:
    """What a worker is asked.

    Attributes:
        store: URL of the run's store.
        group: of its files there.
        token: a file that has to be readable there.
        shared: the run directory, where workers must see it.
        software: versions here.
        ops: names of all ops here, the user's own included.
    """

    store: str = field(repr=False)
    group: str
    token: Blob
    shared: str | None
    software: tuple[tuple[str, str], ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What a worker says of itself.

    Attributes:
        host: its name.
        cores: that it may use.
        source: hash of its edgeml's source.
        problem: why it cannot evaluate for this run; None where it can.
    """

    host: str
    cores: int
    source: str
    problem: str | None


def question(store: Store, group: str, shared: str | None) -> Question:
    """What workers are asked for a run; its token is in the store then.

    Raises:
        StorageError: the store cannot be written.
    """
    load_own()
    token = store.put(f"edgeml {group}".encode(), group)
    return Question(store.url, group, token, shared, software(), tuple(sorted(OPS)))


async def answer(asked: Question) -> Answer:
    """Runs on a worker, beside its tasks."""
    return await asyncio.to_thread(_answer, asked)


def _answer(asked: Question) -> Answer:
    try:
        problem = _problem(asked)
    except EdgemlError as error:
        problem = str(error)
    return Answer(platform.node(), usable_cores(), source(), problem)


def _problem(asked: Question) -> str | None:
    own = dict(software())
    for name, wanted in asked.software:
        if own[name] != wanted:
            return (
                f"it has {name} {own[name]}, the search {wanted}; install the same there (pip install "
                "-c constraints.txt 'edgeml[cluster]') and start it again"
            )
    load_own()
    if missing := sorted(set(asked.ops) - set(OPS)):
        return (
            f"it does not know the ops {', '.join(missing)}; set EDGEML_OPS to the file that registers them "
            "where the worker is started"
        )
    if asked.shared and not Path(asked.shared).is_dir():
        return (
            f"it does not see the run directory {asked.shared}; put --out on a file system that all workers "
            "have at this path, or give --store URL"
        )
    store = Store(asked.store)
    store.read(asked.token, asked.group)
    store.put(f"seen by {platform.node()}".encode(), asked.group)
    return None


@cache
def software() -> tuple[tuple[str, str], ...]:
    """Versions of what evaluates."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in SAME:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return tuple(found.items())


@cache
def source() -> str:
    """Hash of edgeml's source as this process found it: a checkout may have changed since its version."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
