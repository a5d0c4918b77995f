"""RUN/study.db is read while the search writes it: all the time, and by somebody who does not let go."""

from __future__ import annotations

import subprocess
import sys
import time

import optuna
import pytest

from edgeml.arch.space_file import load_space
from edgeml.errors import RunError
from edgeml.report import dashboard
from edgeml.search.database.database import Database
from edgeml.search.database.study_notes import StudyNotes
from edgeml.search.run_dir import RunDir
from edgeml.search.shared.meeting import Meeting
from edgeml.search.workers.compute import Compute
from edgeml.search.workers.executor import Inline
from tests.speed import SOON_S
from tests.test_search import study_in

LOOKING = """
import sys, time, warnings
warnings.simplefilter("ignore")
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
looks, seen = 0, 0
print("ready", flush=True)
while seen < int(sys.argv[2]):
    study = optuna.load_study(study_name="edgeml", storage=sys.argv[1])
    now = len(study.get_trials())
    assert now >= seen, "a trial vanished"
    seen, looks = now, looks + 1
print(looks, flush=True)
"""
HOLDING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.isolation_level = None
connection.execute("BEGIN")
before = connection.execute("SELECT COUNT(*) FROM trials").fetchone()
print("ready", flush=True)
sys.stdin.readline()
assert connection.execute("SELECT COUNT(*) FROM trials").fetchone() == before
print("kept", flush=True)
"""
TRIALS = 60


class Slow(Inline):
    """Trials are written about once a second, so the search has to take some."""

    def submit(self, function, *arguments):
        time.sleep(0.05)
        return super().submit(function, *arguments)


def reader(script, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_readers_neither_stop_the_search_nor_lose_a_note(tmp_path):
    study = study_in(tmp_path, load_space("nano"), trials=TRIALS, executor=Slow())
    notes = StudyNotes(Database(study.run.storage_url), "edgeml")
    notes.open(2)
    notes.close()
    looking = reader(LOOKING, study.run.storage_url, TRIALS)
    holding = reader(HOLDING, tmp_path / "study.db")
    try:
        began = time.monotonic()
        study.search()
        assert time.monotonic() - began < SOON_S, "it waited for a reader"
        looks, _ = looking.communicate(timeout=60)
        assert int(looks) > 3
        kept, _ = holding.communicate("\n", timeout=60)
        assert kept == "kept\n", "what a reader sees does not change under it"
    finally:
        for process in (looking, holding):
            process.kill()
            process.communicate()
    copy = optuna.load_study(study_name="edgeml", storage=study.run.storage_url)
    noted = [(trial.user_attrs["key"], trial.user_attrs["rung"]) for trial in copy.trials]
    assert len(noted) == len(set(noted)) == TRIALS
    assert {key for key, _ in noted} == set(study.archive.candidates)


def test_a_finished_run_is_one_file_that_needs_no_writing(tmp_path):
    """A copied or write-protected run can be read; while a search writes there is a log beside the file."""
    run = RunDir(tmp_path)
    meeting = Meeting(Compute(), run)
    notes = meeting.notes(lambda what: None)
    notes.open(1)
    notes.add_all([optuna.trial.create_trial(value=0.5, user_attrs={"key": "k", "rung": 0})])
    assert mode(tmp_path) == 2, "write-ahead log"
    meeting.close()
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]
    assert mode(tmp_path) == 1, "rollback journal"


def mode(folder):
    """Byte 18 of SQLite's header: 1 rollback journal, 2 write-ahead log (sqlite.org/fileformat2.html)."""
    return (folder / "study.db").read_bytes()[18]


def test_the_dashboard_says_where_a_shared_study_is(finished_run, tmp_path):
    import shutil

    from edgeml.search.shared.folders import Coordinator, sign

    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "study.db").unlink()
    sign(RunDir(run), Coordinator("x", "host", str(run)), "postgresql://u:***@h/d", "team")
    with (
        pytest.raises(RunError, match=r"study team in postgresql://u:\*\*\*@h/d; .*optuna-dashboard"),
        dashboard.serving(run, 0),
    ):
        pass


def test_a_shared_run_that_goes_on_alone_says_so(tmp_path):
    from edgeml.search.shared.folders import Coordinator, sign

    run = RunDir(tmp_path)
    assert Meeting(Compute(), run).left == []
    sign(run, Coordinator("x", "host", str(tmp_path)), "postgresql://u:***@h/d", "team")
    (said,) = Meeting(Compute(), run).left
    assert "study team in postgresql://u:***@h/d; without --storage it goes on alone" in said
    assert Meeting(Compute(storage="postgresql://u@h/d"), run).left == []
