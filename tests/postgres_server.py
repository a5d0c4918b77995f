"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "edgeml", "s3cr3t{}%-word"
QUOTED = "s3cr3t%7B%7D%25-word"
UNPRIVILEGED = ("postgres", "nobody")
"""The server refuses to run as root."""


def programs() -> Path | None:
    """The folder with initdb and pg_ctl; Debian keeps it off PATH."""
    for folder in (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), None):
        found = shutil.which("pg_ctl", path=str(folder) if folder else None)
        if found:
            return Path(found).resolve().parent
    return None


@dataclass
class Postgres:
    """A server.

    Attributes:
        folder: holds its data and log.
        port: on 127.0.0.1.
    """

    folder: Path
    port: int

    def url(self, database: str = "postgres", user: str = USER, password: str = QUOTED) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._control("start", "-w", "-o", options, "-l", self.folder / "log")

    def stop(self) -> None:
        """As if the machine were gone: connections break at once."""
        self._control("stop", "-w", "-m", "immediate")

    def create(self, database: str) -> str:
        """A new database -> its URL."""
        self.ask(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        to = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}
        with psycopg.connect(dbname=database, autocommit=True, **to) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def _control(self, *arguments: object) -> None:
        folder = programs()
        assert folder is not None
        run([folder / "pg_ctl", "-D", self.folder / "data", *arguments])


def run(command: list[object]) -> None:
    """Run a program of the server, not as root."""
    user: dict[str, object] = {}
    if os.getuid() == 0:
        entry = _account()
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd="/", timeout=120, **user
    )
    assert done.returncode == 0, done.stdout + done.stderr


def serve(folder: Path) -> Postgres:
    """A new server that runs; skips where there is none."""
    found = programs()
    if found is None:
        pytest.skip("needs PostgreSQL's server (apt install postgresql), which is not on this machine")
    folder.mkdir(parents=True)
    if os.getuid() == 0:
        entry = _account()
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    run([
        found / "initdb", "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", "-E", "UTF8",
        "--locale=C", "--no-sync", f"--pwfile={folder / 'password'}",
    ])  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Postgres(folder, port)
    server.start()
    return server


def _account() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("needs a user that is not root, for PostgreSQL's server")
