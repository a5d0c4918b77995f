"""Whole searches as processes on one study in PostgreSQL: together, through an outage, after a kill."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from tests.command import edgeml_run
from tests.postgres_server import PASSWORD, QUOTED

SILENT_S = 6
COORDINATOR = f"""
import importlib, sys
importlib.import_module("edgeml.search.shared.shared").SILENT_S = {SILENT_S}
from edgeml.cli import main
main(sys.argv[1:])
"""
TRIALS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes of small pictures, bright above or below."""
    rng = np.random.default_rng(0)
    y = np.arange(96) % 2
    x = rng.integers(0, 90, (96, 8, 8, 1), np.uint8)
    x[y == 0, :4] += 120
    x[y == 1, 4:] += 120
    path = tmp_path_factory.mktemp("data") / "halves.npz"
    np.savez(path, x_train=x, y_train=y)
    return path


def words(data, url, out, *more):
    fixed = ["--target", "null", "--space", "nano", "--epochs", 2, "--no-curves", "--compress", "none"]
    where = ["--data", data, "--storage", url, "--out", out]
    return ["search", *fixed, "--trials", TRIALS, *where, *more]


@pytest.fixture
def alone(data, tmp_path, monkeypatch):
    """`alone("a", url)` searches in this process, where no other is at it and nothing is killed."""
    monkeypatch.setattr(importlib.import_module("edgeml.search.shared.shared"), "SILENT_S", SILENT_S)

    def run(name, url, *more):
        done = edgeml_run(*words(data, url, tmp_path / name, *more), cwd=tmp_path, check=False)
        assert not [word for word in (PASSWORD, QUOTED) if word in done.stdout + done.stderr]
        return done

    return run


@pytest.fixture
def coordinator(data, tmp_path):
    """`coordinator("a", url)` searches as a process; its log is tmp_path/a.log."""
    running = []

    def start(name, url, *more):
        arguments = words(data, url, tmp_path / name, *more)
        with (tmp_path / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", COORDINATOR, *map(str, arguments)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running.append(process)
        process.log = tmp_path / f"{name}.log"
        return process

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition, *processes, seconds=300):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert all(one.poll() is None for one in processes), [one.log.read_text() for one in processes]
        time.sleep(0.1)
    return found


def ended(process):
    process.wait(timeout=300)
    text = process.log.read_text()
    assert process.returncode == 0, text
    assert PASSWORD not in text and QUOTED not in text
    return text


NOTED = """
SELECT of_key.value_json, of_rung.value_json FROM trials
LEFT JOIN trial_user_attributes of_key ON of_key.trial_id = trials.trial_id AND of_key.key = 'key'
LEFT JOIN trial_user_attributes of_rung ON of_rung.trial_id = trials.trial_id AND of_rung.key = 'rung'
"""


def check(server, database, *runs):
    """Nothing twice, nothing lost: Optuna's trials, the results and every run directory say the same."""
    ((study,),) = server.ask("SELECT study_name FROM studies", database)
    noted = Counter((json.loads(key), json.loads(rung)) for key, rung in server.ask(NOTED, database))
    assert set(noted.values()) == {1}, "trained twice"
    keys = {key for key, _ in noted}
    assert len(keys) == TRIALS
    fronts = []
    for run in runs:
        found = [json.loads(path.read_text()) for path in run.glob("candidates/*/candidate.json")]
        assert {one["key"] for one in found} == keys
        assert sorted(one["number"] for one in found) == sorted({one["number"] for one in found})
        assert {(one["key"], one["rung"]) for one in found} <= set(noted)
        fronts.append(set(json.loads((run / "front.json").read_text())["keys"]))
        assert not [p for p in run.rglob("*.json") if QUOTED in p.read_text() or PASSWORD in p.read_text()]
    assert all(front == fronts[0] for front in fronts), "both fronts hold what the other has found"
    return study


@pytest.mark.slow
def test_two_coordinators_and_a_server_that_goes_away(postgres, coordinator, alone, tmp_path):
    url = postgres.create("together")
    first, second = coordinator("a", url), coordinator("b", url)

    def results():
        try:
            return postgres.ask("SELECT coordinator FROM edgeml_results", "together")
        except Exception:  # the tables are not there yet
            return []

    wait_for(lambda: len(results()) >= 3, first, second)
    postgres.stop()
    time.sleep(4)
    postgres.start()
    logs = ended(first), ended(second)
    for log in logs:
        assert f"[{TRIALS}/{TRIALS}]" in log
        assert "waiting for the database postgresql://edgeml:***@127.0.0.1" in log
        assert "the database is back" in log
    study = check(postgres, "together", tmp_path / "a", tmp_path / "b")
    assert len(set(results())) == 2, "both have trained"
    late = alone("late", url, "--study", study, "--seed", 5)
    assert late.returncode == 2 and late.stderr.count("\n") == 1
    assert "seed is 0 there and 5 here; use the same, or another --study" in late.stderr
    assert not (tmp_path / "late").exists()


@pytest.mark.slow
def test_when_one_coordinator_is_killed_the_other_finishes(postgres, coordinator, alone, tmp_path):
    url = postgres.create("killed")
    doomed = coordinator("doomed", url)

    def claims():
        try:
            return postgres.ask("SELECT key, coordinator FROM edgeml_claims", "killed")
        except Exception:
            return []

    def stopped_in_the_middle():
        os.killpg(doomed.pid, signal.SIGSTOP)
        done = claims() and len(postgres.ask("SELECT 1 FROM edgeml_results", "killed")) >= 2
        os.killpg(doomed.pid, signal.SIGSTOP if done else signal.SIGCONT)
        return claims() if done else None

    left = wait_for(stopped_in_the_middle, doomed)
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    heir = alone("heir", url)
    assert heir.returncode == 0, heir.stderr
    mine = json.loads((tmp_path / "heir" / "coordinator.json").read_text())["id"]
    assert all(owner != mine for _, owner in left)
    study = check(postgres, "killed", tmp_path / "heir")
    again = alone("doomed", url, "--resume")
    assert again.returncode == 0, again.stderr
    assert not claims()
    assert check(postgres, "killed", tmp_path / "doomed", tmp_path / "heir") == study
