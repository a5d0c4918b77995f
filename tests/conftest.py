"""What several test files share, and in which order two worker processes (`pytest -n 2`) share them out."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# The machine is shared, so no deadline; CI draws the same examples every time.
hypothesis.settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay in one worker, for its fixtures. Slow files come first, so that both workers end
    together, and tests marked `alone` last, one by one in one worker."""
    alone = [item for item in items if item.get_closest_marker("alone")]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    rest = [item for item in items if not item.get_closest_marker("alone")]
    items[:] = [*sorted(rest, key=lambda item: item.path not in slow), *alone]
    for item in items:
        item.add_marker(pytest.mark.xdist_group("alone" if item in alone else item.path.stem))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Without groups the fixtures of a file would be made in both workers, a quarter of the suite's time."""
    if node.config.getoption("dist") == "loadgroup" and not all("@" in one for one in ids):
        pytest.exit(
            f"pytest {pytest.__version__} takes no groups from this pytest-xdist (its issue 1386), so a "
            "file's tests would go to both workers; run `make venv` for the versions of constraints.txt.",
            returncode=4,
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked `alone` has the room to itself, others share it. All come through the gate, where who
    waits for the room keeps later ones out. The kernel frees both locks of a worker that dies."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    folder = Path(item.config.getoption("basetemp")).parent  # of this run, where each worker has its own
    with (folder / "gate").open("w") as gate, (folder / "room").open("w") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # closing is not enough where a forked child still has it open


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 200 kB; the test skips where none may be mounted."""
    place, mount = tmp_path / "disk", shutil.which("mount")
    place.mkdir()
    size = ("-t", "tmpfs", "-o", "size=200k", "tmpfs")
    if mount is None or subprocess.run([mount, *size, place], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture(scope="session", autouse=True)
def _devices_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Whoever times on a device holds a lock in the temporary folder: two workers play the same phone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr("tempfile.tempdir", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Decoded images go into the session's temporary folder, not into the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _sqlite_waits_for_no_disk() -> Generator[None]:
    """Optuna commits every parameter of a trial, and each commit waits for the disk (20 ms and more on a busy
    one). Studies inside the tests do without: they survive a killed process, though not a power cut."""
    import sqlalchemy

    def connected(connection: object, record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", connected)
    yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", connected)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("fsdd")` is that folder of the shared data; the test skips where it is not there."""

    def folder(name: str) -> Path:
        path = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data" / name
        if not path.exists():
            pytest.skip(f"needs the data set {name!r} in {path.parent}, which is not on this machine")
        return path

    return folder


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of this worker's own, in /tmp: its user is another one and must get there."""
    from tests import postgres_server

    with tempfile.TemporaryDirectory(prefix="edgeml-postgres-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = postgres_server.serve(Path(folder) / "server")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A run of three fully trained candidates on digits, each from fresh weights; copy it to change it.

    One worker searches, each has a copy.
    """
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    out = tmp_path_factory.mktemp("finished") / "run"
    if shared is None:
        return _searched(out)
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = shared / "finished"
        if first.exists():
            return Path(shutil.copytree(first, out))
        shutil.copytree(_searched(out), shared / "finished.part").rename(first)
    return out


def _searched(out: Path) -> Path:
    import edgeml

    edgeml.search(
        "digits",
        "null",
        trials=3,
        epochs=2,
        seed=1,
        inherit="none",
        fidelity="full",
        curves=False,
        compress="none",
        out=out,
    )
    return out


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd):
    """`cli(args...)` -> (exit code, stdout, stderr), in an empty folder."""
    from edgeml.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*args):
        capfd.readouterr()
        try:
            main([str(a) for a in args])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return call
