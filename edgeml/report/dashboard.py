"""A run -> optuna-dashboard on a copy of its study: a search that is running is neither locked nor changed.

SQLite's own backup takes the copy, so it is whole even while the search writes; it is taken again while the
dashboard is open, whenever the study has grown.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from edgeml.errors import ConfigError, RunError
from edgeml.report.run_files import RunFiles, open_run

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Application = Callable[..., Iterable[bytes]]
HOST = "127.0.0.1"
PORT = 8080
REFRESH_S = 5.0
BUSY_S = 30.0
"""How long a copy waits for a search that is writing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for several things at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """No line for every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def serving(path: Path, port: int | None = None, refresh_s: float = REFRESH_S) -> Iterator[WSGIServer]:
    """A server of the dashboard that listens already; the copy and its thread end with the block.

    Args:
        path: run directory.
        port: on 127.0.0.1; PORT when None, or any free one where that is taken.
        refresh_s: how often the study is looked at.

    Raises:
        RunError: no run, or no study in it.
        ConfigError: optuna-dashboard is not installed, or the port is taken.
    """
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise ConfigError(
            "optuna-dashboard is not installed; install it with `pip install 'edgeml[dashboard]'`."
        )
    run = open_run(path)
    source = run.path / "study.db"
    if not source.is_file():
        _say_where(run.path)
        raise RunError(f"{run.path} has no study.db; the search has not begun or was made without a record.")
    with tempfile.TemporaryDirectory(prefix="edgeml-dashboard-") as folder:
        copied = Path(folder) / "study.db"
        copy(source, copied)
        storage = _opened(run, source, copied)
        server = _server(storage, port)
        ended = threading.Event()

        def rename() -> None:
            _opened(run, source, copied).remove_session()

        watcher = threading.Thread(
            target=_follow, args=(source, copied, rename, ended, refresh_s), daemon=True
        )
        watcher.start()
        try:
            yield server
        finally:
            ended.set()
            watcher.join()
            server.server_close()
            storage.remove_session()


def copy(source: Path, target: Path) -> None:
    """Copy an SQLite database that another process may be writing.

    Raises:
        RunError: it is no database, or stays locked.
    """
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
            ) as old,
            contextlib.closing(sqlite3.connect(target, timeout=BUSY_S)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise RunError(f"{source} cannot be copied ({error}); is the run damaged?") from error


def _opened(run: RunFiles, source: Path, copied: Path) -> RDBStorage:
    """The copy's storage, its objectives called by their names.

    Raises:
        RunError: it holds no study that Optuna can read.
    """
    try:
        return _named(run, copied)
    except Exception as error:  # a database that holds other things than Optuna wrote: a dozen kinds
        said = " ".join(str(error).split())[:200]
        raise RunError(
            f"{source} is damaged ({type(error).__name__}: {said}); copy the run again."
        ) from error


def _named(run: RunFiles, copied: Path) -> RDBStorage:
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{copied}")
    names = [f"1 - {run.goal.title} (score)", *run.costs]
    for study in optuna.get_all_study_names(storage):
        loaded = optuna.load_study(study_name=study, storage=storage)
        if len(loaded.directions) == len(names):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                loaded.set_metric_names(names)
    return storage


def _follow(
    source: Path, copied: Path, rename: Callable[[], object], ended: threading.Event, refresh_s: float
) -> None:
    """Take the copy again whenever the study has grown, and once at first: it may have by then."""
    seen: tuple[int, ...] = ()
    while not ended.wait(refresh_s):
        with contextlib.suppress(OSError, RunError):  # moved, locked or half written just now
            now = _changed(source)
            if now != seen:
                copy(source, copied)
                rename()
                seen = now


def _changed(source: Path) -> tuple[int, ...]:
    """When a database was written last; a search that is running writes into a log beside it."""
    log = source.with_name(f"{source.name}-wal")
    return tuple(path.stat().st_mtime_ns for path in (source, log) if path.exists())


def _say_where(run: Path) -> None:
    """Refuse a run whose study is in a database that others share.

    Raises:
        RunError: it is.
    """
    try:
        about = json.loads((run / "coordinator.json").read_text(encoding="utf-8"))
        where = f"study {about['study']} in {about['storage']}"
    except (OSError, ValueError, KeyError, TypeError):
        return
    raise RunError(f"the trials of {run} are {where}; look at them there, with `optuna-dashboard URL`.")


def _for_this_computer(app: Application) -> Application:
    """Refuse requests that name another host: a web page elsewhere could point its own name at 127.0.0.1."""

    def checked(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        name = re.sub(r":\d+$", "", str(environ.get("HTTP_HOST", "")))
        if name not in ("127.0.0.1", "localhost"):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"The dashboard answers at 127.0.0.1 only."]
        return app(environ, start)

    return checked


def _server(storage: object, port: int | None) -> WSGIServer:
    import optuna_dashboard

    app = _for_this_computer(optuna_dashboard.wsgi(storage))
    try:
        return make_server(HOST, PORT if port is None else port, app, _Server, _Quiet)
    except (OSError, OverflowError) as error:
        if port is None:
            return make_server(HOST, 0, app, _Server, _Quiet)
        raise ConfigError(f"--port {port}: cannot be used ({error}); choose another one.") from error
