"""A database by its URL: each way in which it can fail is one sentence; while it is away it is waited for.

PostgreSQL (psycopg) and SQLite are tested; MySQL and MariaDB go the same way through SQLAlchemy. A password
is never part of a message: URLs are shown without it, and statements without their parameters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeml.errors import ConfigError, MissingToolError, StorageError
from edgeml.search.database.faults import describe, passing

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import URL, Engine

Result = TypeVar("Result")
Waiting = Callable[[str | None], None]
"""Told what is waited for, several times a second; None when that is over."""

GIVE_UP_S = 900.0
"""Seconds of pauses after which a database that is away is given up."""
LONGEST_PAUSE_S = 30.0
TICK_S = 0.25
BUSY_S = 60.0
"""Seconds for which SQLite waits for another writer by itself."""
CONNECT_S = 10
NETWORK = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "edgeml",
}
"""libpq's options: a server that vanishes from the network is noticed after half a minute."""
SESSION = ("SET lock_timeout = '20s'", "SET idle_in_transaction_session_timeout = '30s'")
"""A coordinator that is stopped in the middle of a transaction must not hold up the others."""
EXPECTED = (
    "expected postgresql://user:password@host/database, mysql://user:password@host/database or "
    "sqlite:////path/to/file.db, with @ : / % in names and passwords written as %40 %3A %2F %25"
)
DRIVERS = {
    "postgresql": (("psycopg", "psycopg2"), "pip install 'edgeml[postgres]'"),
    "mysql": (("pymysql", "MySQLdb"), "pip install pymysql"),
    "mariadb": (("pymysql", "MySQLdb"), "pip install pymysql"),
}
DIALECT_OF = {"MySQLdb": "mysqldb"}


class Database:
    """A database and the patience to wait for it.

    Args:
        url: SQLAlchemy's, as given with --storage.
        give_up_s: seconds of pauses after which it is given up.

    Raises:
        ConfigError: no such URL.
        MissingToolError: its driver is not installed.
    """

    def __init__(self, url: str, give_up_s: float = GIVE_UP_S) -> None:
        from sqlalchemy import create_engine, event

        self.url = parsed(url)
        plain = self.url.set(drivername=self.url.get_backend_name(), query={})
        self.shown = plain.render_as_string(hide_password=True)
        self.waiting: Waiting = _nobody
        self.options: dict[str, Any] = options(self.url)
        self._give_up_s = give_up_s
        self.engine: Engine = create_engine(self.url, **self.options)
        event.listen(self.engine, "connect", prepare)

    @property
    def is_file(self) -> bool:
        """Whether it is a file that SQLite writes."""
        return self.url.get_backend_name() == "sqlite"

    def __call__(self, operation: Callable[[], Result], opening: bool = False) -> Result:
        """Do something with the database, again and again while it is away.

        Args:
            operation: may be done again after a failure, even where the database did it unheard.
            opening: the first one: a server that is not there is an error at once.

        Raises:
            StorageError: it was refused, or the database stayed away.
        """
        pause, waited = 1.0, 0.0
        while True:
            try:
                result = operation()
            except Exception as error:
                found = describe(error, self.shown, self.url.password, opening)
                if found is None:
                    raise
                if not passing(error, self.is_file, opening):
                    raise StorageError(found.sentence) from error
                if waited >= self._give_up_s:
                    raise StorageError(
                        f"{self.shown}: the database has been away for {waited / 60:.0f} minutes "
                        f"({found.reason}); see to it, then go on with --resume (nothing finished is lost)."
                    ) from error
                self._pause(pause, found.reason)
                waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)
            else:
                if waited:
                    self.waiting(None)
                return result

    def now_or_later(self, operation: Callable[[], Result], wait: bool) -> Result | None:
        """The same, or one attempt: None where the database is away.

        Raises:
            StorageError: it was refused.
        """
        if wait:
            return self(operation)
        try:
            result = operation()
        except Exception as error:
            found = describe(error, self.shown, self.url.password, opening=False)
            if found is None:
                raise
            if not passing(error, self.is_file, opening=False):
                raise StorageError(found.sentence) from error
            self._away(found.reason)
            return None
        self.waiting(None)
        return result

    def _away(self, reason: str) -> None:
        self.waiting(f"waiting for the database {self.shown}: {reason}")

    def _pause(self, seconds: float, reason: str) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._away(reason)
            time.sleep(min(TICK_S, left))

    def fold(self) -> None:
        """Make an SQLite database one file again that can be read where nothing can be written.

        Where a reader still has it open it stays as it is.
        """
        from sqlalchemy.exc import SQLAlchemyError

        with contextlib.suppress(SQLAlchemyError), self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 500")
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()


def parsed(url: str) -> URL:
    """URL as given -> SQLAlchemy's, with a driver that is installed.

    Raises:
        ConfigError: no such URL; says nothing of what could be a password.
        MissingToolError: no driver for it is installed.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"--storage: not a database URL; {EXPECTED}.") from None
    if found.drivername.partition("+")[0] == "postgres":
        found = found.set(drivername=found.drivername.replace("postgres", "postgresql", 1))
    kind, _, driver = found.drivername.partition("+")
    if kind == "sqlite":
        return _file(found)
    if kind not in DRIVERS:
        raise ConfigError(f"--storage: {kind} is no database that a study can be in; {EXPECTED}.")
    if "@" in (found.database or "") or not found.database:
        raise ConfigError(f"--storage {kind}://: the URL names no database, or not in its place; {EXPECTED}.")
    known, how = DRIVERS[kind]
    modules: tuple[str, ...] = known
    if driver:
        modules = tuple(one for one in known if DIALECT_OF.get(one, one) == driver)
        if not modules:
            raise ConfigError(f"--storage {kind}+{driver}://: leave +{driver} out; {EXPECTED}.")
    for module in modules:
        if importlib.util.find_spec(module) is not None:
            return found.set(drivername=f"{kind}+{DIALECT_OF.get(module, module)}")
    raise MissingToolError(f"--storage {kind}://: {modules[0]} is not installed; install it with `{how}`.")


def _file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise ConfigError("--storage sqlite://: names no file; expected sqlite:////path/to/file.db.")
    path = Path(url.database).expanduser().absolute()
    if not path.parent.is_dir():
        raise ConfigError(f"--storage sqlite:///{path}: there is no folder {path.parent}; make it first.")
    return url.set(drivername="sqlite", database=str(path))


def options(url: URL) -> dict[str, Any]:
    """What `create_engine` is told beside the URL; what the URL says itself wins."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        return {"connect_args": {"timeout": BUSY_S}, "hide_parameters": True}
    known = NETWORK if kind == "postgresql" else {"connect_timeout": CONNECT_S}
    chosen = {name: value for name, value in known.items() if name not in url.query}
    return {
        "connect_args": chosen,
        "pool_pre_ping": True,
        "hide_parameters": True,
        "isolation_level": "READ COMMITTED",
    }


def prepare(connection: Any, record: object) -> None:
    """A new connection: SQLite reads while it is written, PostgreSQL ends transactions that hang."""
    name = type(connection).__module__
    if name.startswith("sqlite3"):
        write_ahead(connection)
    elif "psycopg" in name or "postgresql" in name:
        cursor = connection.cursor()
        for statement in SESSION:
            cursor.execute(statement)
        cursor.close()
        connection.commit()


def write_ahead(connection: sqlite3.Connection) -> None:
    """Have SQLite keep a write-ahead log: readers, however long they read, do not stop the writer.

    Where the file system has no shared memory for it (network shares), SQLite stays with its rollback
    journal and says nothing; readers that stay then delay the writer.
    """
    connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _nobody(_: str | None) -> None:
    """Nobody wants to know."""
