"""RUN/study.db before a run goes on: a damaged one is set aside, to be written anew from the candidates.

The search does not read it, so nothing is lost but trials of lower rungs and of workers that died.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from edgeml.search.run_dir import RunDir
from edgeml.search.shared.folders import FILE as SHARED

NAME = "study.db"
BESIDE = ("-wal", "-shm", "-journal")
"""Endings of what SQLite keeps beside a database."""
ANEW = "it is written again from the candidates, one trial an architecture"
LONGEST_WAIT_S = 5.0


def mend(run: RunDir) -> None:
    """Set a damaged study.db aside and say so; say where it is gone.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = run.path / NAME
    if not path.exists():
        if not (run.path / SHARED).exists() and any(run.candidates.glob("[!.]*/candidate.json")):
            run.repaired.append(f"{path} was missing; {ANEW}.")
        return
    reason = wrong_with(path)
    if reason is None:
        return
    run.set_aside(path, f"was damaged ({reason}); {ANEW}")
    for ending in BESIDE:  # a log that is left would be written into the new one
        if (rest := path.with_name(NAME + ending)).exists():
            run.set_aside(rest, f"belonged to {NAME}")
            run.repaired.pop()


def wrong_with(path: Path) -> str | None:
    """What is damaged in an SQLite file; None where nothing is, or where it cannot be looked into now."""
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        with closing(sqlite3.connect(path, timeout=LONGEST_WAIT_S)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found).splitlines()[-1]
            return _values(connection)
    except sqlite3.Error as error:
        return str(error) if _of_the_file(error) else None
    except OSError:
        return None


def _values(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the values that edgeml reads; tables that are not there yet are made later.

    The index that keeps a study's name its own is not: a kill between the table and it leaves a database in
    which every session makes another study.
    """
    indexes = list(connection.execute("SELECT 1 FROM pragma_index_list('studies') WHERE \"unique\""))
    if not indexes and connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'studies'").fetchone():
        return "it was cut off while it was made"
    table = "SELECT 1 FROM sqlite_master WHERE name = 'trial_user_attributes'"
    if connection.execute(table).fetchone() is None:
        return None
    rows = "SELECT value_json FROM trial_user_attributes WHERE key IN ('key', 'rung')"
    try:
        for (value,) in connection.execute(rows):
            json.loads(value)
    except (ValueError, TypeError):
        return "a trial's attributes cannot be read"
    return None


def _of_the_file(error: sqlite3.Error) -> bool:
    """Whether the file itself is to blame, not its disk or another process."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return code & 0xFF in damage or code == sqlite3.SQLITE_IOERR_SHORT_READ
