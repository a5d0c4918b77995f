"""Databases by URL: what is wrong is one sentence without the password, what is away is waited for."""

from __future__ import annotations

import sqlite3
import threading
import time
import traceback

import pytest
from sqlalchemy import text

from edgeml.errors import ConfigError, MissingToolError, StorageError
from edgeml.search.database import database as module
from edgeml.search.database import study_notes
from edgeml.search.database.database import Database, parsed
from edgeml.search.database.faults import describe, passing
from edgeml.search.database.study_notes import StudyNotes
from edgeml.search.database.study_rows import insert
from tests.postgres_server import PASSWORD, QUOTED

SECRET, WRONG = "pa55word", "wr0ng-word"


def ask(database, opening=False):
    def one():
        with database.engine.connect() as connection:
            return connection.execute(text("SELECT 1")).scalar()

    return database(one, opening)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("foo", "not a database URL"),
        (f"postgresql://u:{SECRET}@h:port/d", "not a database URL"),
        (f"postgresql://u@h/{SECRET}@d", "names no database, or not in its place"),
        (f"postgresql://u:{SECRET}@h", "names no database"),
        (f"oracle://u:{SECRET}@h/d", "oracle is no database that a study can be in"),
        (f"postgresql+pg8000://u:{SECRET}@h/d", r"leave \+pg8000 out"),
        ("sqlite://", "names no file"),
        ("sqlite:////no/such/folder/x.db", "there is no folder /no/such/folder; make it first"),
    ],
)
def test_a_wrong_url_is_one_sentence_without_the_password(url, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parsed(url)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_postgres_is_called_does_not_matter():
    assert parsed("postgres://u@h/d") == parsed("postgresql://u@h/d") == parsed("postgresql+psycopg://u@h/d")


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"psycopg is not installed; .*'edgeml\[postgres\]'"):
        parsed(f"postgresql://u:{SECRET}@h/d")
    with pytest.raises(MissingToolError, match="pip install pymysql"):
        parsed(f"mysql://u:{SECRET}@h/d")


def refused(url, operation=lambda database: ask(database, opening=True)):
    """The sentence, and that the password is nowhere in it nor in the traceback."""
    database = Database(url, give_up_s=0)
    try:
        with pytest.raises(StorageError) as caught:
            operation(database)
    finally:
        database.close()
    everything = "".join(traceback.format_exception(caught.value))
    for secret in (PASSWORD, QUOTED, WRONG):
        assert secret not in everything
    sentence = str(caught.value)
    assert sentence.count("\n") == 0 and sentence.endswith(".")
    return sentence


def test_what_a_server_refuses_is_one_sentence(postgres):
    assert "refuses this user or password" in refused(postgres.url(password=WRONG))
    assert "there is no such database on the server; create it" in refused(postgres.url("nowhere"))
    assert "refuses this user or password" in refused(postgres.url(user="nobody"))
    assert "cannot be reached" in refused(f"postgresql://u:{QUOTED}@127.0.0.1:1/d")
    assert "cannot be reached" in refused(f"postgresql://u:{QUOTED}@no-such-host.invalid/d")


def test_missing_rights_are_one_sentence(postgres):
    postgres.create("rights")
    postgres.ask(f"CREATE ROLE reader LOGIN PASSWORD '{WRONG}'")
    said = refused(
        postgres.url("rights", "reader", WRONG), lambda database: StudyNotes(database, "s").open(2)
    )
    assert "may not make or change tables there" in said and "CREATE on the schema" in said


def test_an_old_schema_is_one_sentence(postgres):
    url = postgres.create("old")
    notes = StudyNotes(Database(url), "s")
    notes.open(2)
    notes.close()
    postgres.ask("UPDATE alembic_version SET version_num = 'v2.6.0.a'", "old")
    assert "made by another version of Optuna" in refused(
        url, lambda database: StudyNotes(database, "s").open(2)
    )


def test_braces_and_percent_signs_in_a_password_survive_optuna(postgres):
    assert "{" in PASSWORD and "%" in PASSWORD
    notes = StudyNotes(Database(postgres.create("braces")), "s")
    assert notes.open(2) == set()
    notes.close()


def test_a_server_that_stops_is_waited_for(postgres):
    database, said = Database(postgres.url()), []
    database.waiting = said.append
    assert ask(database) == 1
    postgres.stop()
    back = threading.Timer(1.5, postgres.start)
    back.start()
    try:
        began = time.monotonic()
        assert ask(database) == 1
        assert time.monotonic() - began > 1
    finally:
        back.join()
        database.close()
    assert said[-1] is None and "waiting for the database postgresql://edgeml:***@127.0.0.1" in said[0]
    assert not any(PASSWORD in str(line) for line in said)


def test_a_server_that_stays_away_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "TICK_S", 0.01)
    database = Database(f"postgresql://u:{QUOTED}@127.0.0.1:1/d", give_up_s=1)
    with pytest.raises(
        StorageError, match=r"away for 0 minutes .*go on with --resume \(nothing finished is lost\)"
    ):
        ask(database)
    assert database.now_or_later(lambda: ask_once(database), wait=False) is None


def ask_once(database):
    with database.engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar()


def test_a_note_whose_commit_was_not_heard_is_not_made_twice(tmp_path, monkeypatch):
    import optuna
    from sqlalchemy.exc import OperationalError

    notes = StudyNotes(Database(f"sqlite:///{tmp_path / 'study.db'}"), "s")
    notes.open(1)
    calls = []

    def insert_then_lose(connection, study, trials):
        insert(connection, study, trials)
        calls.append(trials)
        if len(calls) == 1:
            connection.commit()
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr(study_notes, "insert", insert_then_lose)
    for rung in (0, 1):
        attributes = {"key": "k", "rung": rung}
        notes.add_all([optuna.trial.create_trial(value=0.5, user_attrs=attributes)])
    assert len(notes._trials()) == 2
    notes.close()


def test_a_full_disk_under_sqlite_does_not_pass():
    from sqlalchemy.exc import OperationalError

    full = OperationalError("x", None, sqlite3.OperationalError("database or disk is full"))
    locked = OperationalError("x", None, sqlite3.OperationalError("database is locked"))
    assert not passing(full, is_file=True, opening=False)
    assert passing(locked, is_file=True, opening=True)
    assert "make room" in describe(full, "sqlite:///x", None, opening=False).sentence
    assert describe(ValueError("ours"), "sqlite:///x", None, opening=False) is None
