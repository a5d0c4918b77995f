"""edgeml dashboard: optuna-dashboard on a copy that follows the search and never locks it."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import optuna
import pytest
from test_report_files import write_run
from test_tiny import listen_to_ctrl_c

from edgeml.errors import ConfigError, RunError
from edgeml.report import dashboard

pytest.importorskip("optuna_dashboard", reason="needs optuna-dashboard (pip install 'edgeml[dashboard]')")


def study_of(run: Path) -> optuna.Study:
    return optuna.create_study(
        storage=f"sqlite:///{run / 'study.db'}",
        study_name="edgeml",
        directions=["minimize", "minimize"],
        load_if_exists=True,
    )


def add(study: optuna.Study) -> None:
    study.add_trial(optuna.trial.create_trial(values=[0.1, 2.0]))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = write_run(tmp_path / "run")
    add(study_of(path))
    return path


def fetch(port: int, path: str) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        found: dict = json.load(answer)
    return found


def test_it_serves_the_trials_and_follows_while_the_search_writes(run: Path) -> None:
    study = study_of(run)
    with dashboard.serving(run, 0, refresh_s=0.1) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        first = fetch(server.server_port, "/api/studies/1")
        assert len(first["trials"]) == 1
        assert first["objective_names"] == ["1 - accuracy (score)", "latency_ms"]
        writer = sqlite3.connect(run / "study.db", timeout=1)
        writer.execute("BEGIN IMMEDIATE")  # as a search that is writing: reading goes on
        fetch(server.server_port, "/api/studies/1")
        writer.rollback()
        writer.close()
        add(study)  # and the search can write
        deadline = time.monotonic() + 30
        while len(fetch(server.server_port, "/api/studies/1")["trials"]) < 2:
            assert time.monotonic() < deadline, "the copy did not follow"
            time.sleep(0.1)
        server.shutdown()
        thread.join()
    assert not study_of(run).user_attrs, "the run's own study was written"
    assert "metric_names" not in str(study_of(run)._storage.get_study_system_attrs(1))


def test_a_copy_that_cannot_be_read_just_now_does_not_end_the_following(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, calls = dashboard._named, []

    def now_and_then(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise optuna.exceptions.StorageInternalError("locked")
        return named(*arguments)

    monkeypatch.setattr(dashboard, "_named", now_and_then)
    with dashboard.serving(run, 0, refresh_s=0.05):
        deadline = time.monotonic() + 30
        while len(calls) < 3:
            assert time.monotonic() < deadline, "the copy was not taken again"
            time.sleep(0.02)


def test_ctrl_c_ends_the_command_cleanly(run: Path) -> None:
    command = [sys.executable, "-m", "edgeml.cli", "dashboard", str(run), "--port", "0", "--no-open"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("dashboard: http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out.strip(), err) == (0, "dashboard closed", "")


def test_a_taken_port_is_said_and_the_default_moves_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dashboard.serving(run, 0) as server:
        taken = server.server_port
        with (
            pytest.raises(ConfigError, match=f"--port {taken}: cannot be used"),
            dashboard.serving(run, taken),
        ):
            pass
        monkeypatch.setattr(dashboard, "PORT", taken)
        with dashboard.serving(run) as other:
            assert other.server_port != taken


def test_what_is_missing_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "study.db").write_text("no database at all")
    with pytest.raises(RunError, match="cannot be copied"), dashboard.serving(run, 0):
        pass
    (run / "study.db").unlink()
    with pytest.raises(RunError, match=r"has no study\.db"), dashboard.serving(run, 0):
        pass
    monkeypatch.setattr(dashboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'edgeml\[dashboard\]'"), dashboard.serving(run, 0):
        pass
