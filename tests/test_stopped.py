"""SIGSTOP and SIGCONT, as Ctrl-Z and fg send them: time stopped is not time worked, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from edgeml.arch.space_file import load_space
from edgeml.search.run_dir import RunDir
from edgeml.search.workers import watchdog
from edgeml.search.workers.compute import Compute
from edgeml.search.workers.executor import Workers
from edgeml.train import awake
from tests.test_search import fake_evaluate, study_in

STOPPED_S = 3.5
LIMIT_S = 60
COUNTING = """
import time
from edgeml.train import awake
awake.now()
print("ready", flush=True)
input()
began, own = time.monotonic(), awake.now()
input()
print(time.monotonic() - began, awake.now() - own)
"""


def pid():
    return os.getpid()


def rest(seconds):
    time.sleep(seconds)
    return seconds


@pytest.fixture
def pool(tmp_path):
    made = Workers(tmp_path / "worker.log", Compute())
    yield made
    made.kill()


def stop(number, seconds):
    os.kill(number, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(number, signal.SIGCONT)


def test_a_process_that_was_stopped_knows_it():
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(0.5)
    stop(process.pid, STOPPED_S)
    out, _ = process.communicate("\n", timeout=LIMIT_S)
    all_s, own_s = map(float, out.split())
    assert all_s > STOPPED_S + 0.4 and 0 < own_s < all_s - STOPPED_S + 0.5


def test_work_that_lets_no_thread_run_is_no_stop(monkeypatch):
    """C code that computes and holds Python's lock keeps the clock's thread from looking, too."""
    clock = awake.Clock()
    seen = {"monotonic": 100.0, "process_time": 1.0}
    monkeypatch.setattr(awake.time, "monotonic", lambda: seen["monotonic"])
    monkeypatch.setattr(awake.time, "process_time", lambda: seen["process_time"])
    monkeypatch.setattr(awake.Clock, "_look", lambda self: threading.Event().wait(5))
    before = clock.now()
    seen.update(monotonic=110.0, process_time=9.0)
    assert clock.now() - before == 10.0
    seen.update(monotonic=210.0, process_time=9.1)
    assert clock.now() - before == pytest.approx(10.0 + awake.LOOK_S)


def test_a_worker_may_work_while_its_coordinator_is_stopped(tmp_path):
    """It took 500 seconds, of which the coordinator saw none: no stage has taken less than nothing."""

    def evaluate(job, order):
        done = replace(fake_evaluate(job, order), time_s={"train": 500.0}, finished_at_s=order.at_s + 500.0)
        RunDir(tmp_path).update(done)
        return done

    study = study_in(tmp_path, load_space("nano"), trials=2)
    study._trainings._evaluate = evaluate
    study.search()
    assert study.seconds["train"] == 1000.0 and study.seconds["other"] >= 0
    assert all(c.finished_at_s < 250 for c in RunDir(tmp_path).load_candidates()), "by the search's clock"


def test_a_worker_that_was_stopped_is_not_late(pool, monkeypatch):
    """Stopped for longer than its --trial-time and than what counts as standing still."""
    worker = pool.submit(pid).result(LIMIT_S)
    monkeypatch.setattr(watchdog, "STALLED_S", 5.5)
    pool._workers[0]._watchdog._trial_s = 5.0  # starting the worker may take longer
    future = pool.submit(rest, 1.0)
    time.sleep(0.1)
    stop(worker, 6.0)
    assert future.result(LIMIT_S) == 1.0
    assert pool.submit(pid).result(LIMIT_S) == worker
