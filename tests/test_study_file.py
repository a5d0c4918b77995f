"""A damaged RUN/study.db: at --resume it is set aside, said, and written again from the candidates."""

from __future__ import annotations

import shutil
import sqlite3

import optuna
import pytest

from edgeml.search.database import study_file
from edgeml.search.database.study_file import mend, wrong_with
from edgeml.search.run_dir import RunDir

PAGE = 4096


def truncated(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zeroed(path):
    """The page of a table that has rows."""
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trials'").fetchone()
    content = bytearray(path.read_bytes())
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    path.write_bytes(content)


def garbage(path):
    path.write_bytes(b"\xff\x00not a database" * 1000)


def empty(path):
    path.write_bytes(b"")


def value(path):
    """Of a trial's attribute; the file is whole."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'key'")


def half_made(path):
    """Killed between the table of studies and the index that keeps a name its own."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP INDEX ix_studies_study_name")


def deleted(path):
    path.unlink()


DAMAGE = (truncated, zeroed, garbage, empty, value, half_made, deleted)


@pytest.fixture
def run(finished_run, tmp_path):
    place = tmp_path / "run"
    shutil.copytree(finished_run, place)
    return RunDir(place)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
def test_damage_is_found_said_and_set_aside(run, damage):
    path = run.path / "study.db"
    assert wrong_with(path) is None
    path.with_name("study.db-wal").write_bytes(b"of another")
    damage(path)
    mend(run)
    (said,) = run.repaired
    assert str(path) in said and "written again from the candidates" in said and "\n" not in said
    assert not path.exists()
    if damage is not deleted:
        aside = {one.name for one in (run.path / "damaged").iterdir()}
        assert aside >= {"study.db"} and not path.with_name("study.db-wal").exists()


def test_a_run_goes_on_with_a_study_written_anew(run, cli):
    garbage(run.path / "study.db")
    code, _, err = cli("search", "--resume", "--out", run.path)
    assert code == 0 and "study.db was damaged (file is not a database); it is written again" in err
    study = optuna.load_study(study_name="edgeml", storage=run.storage_url)
    assert {trial.user_attrs["key"] for trial in study.trials} == {c.key for c in run.load_candidates()}
    assert (run.path / "damaged" / "study.db").read_bytes().startswith(b"\xff\x00not")
    assert wrong_with(run.path / "study.db") is None


def test_what_another_process_holds_is_not_set_aside(run, monkeypatch):
    monkeypatch.setattr(study_file, "LONGEST_WAIT_S", 0.1)
    with sqlite3.connect(run.path / "study.db", isolation_level=None) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        mend(run)
        connection.execute("ROLLBACK")
    assert not run.repaired and (run.path / "study.db").exists()


def test_a_damaged_database_of_others_is_refused_in_one_sentence(run, tmp_path, cli):
    """It is not ours alone, and has more than the candidates here."""
    shared = tmp_path / "shared.db"
    garbage(shared)
    code, _, err = cli("search", "--resume", "--out", run.path, "--storage", f"sqlite:///{shared}")
    assert code == 2 and "shared.db" in err and "not a database" in err and err.count("\n") == 1, err
    assert shared.read_bytes().startswith(b"\xff\x00not") and (run.path / "study.db").exists()
