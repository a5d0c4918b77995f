"""SIGSTOP and SIGCONT, as Ctrl-Z and fg send them: time stopped is not time worked, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from edgeml.search import watchdog
from edgeml.search.compute import Compute
from edgeml.search.executor import Workers
from edgeml.train import awake

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


def work(seconds):
    """So much processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


@pytest.fixture
def pool(tmp_path):
    made = Workers(tmp_path / "worker.log", Compute(trial_s=3.0))
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
    assert all_s > STOPPED_S + 0.4 and all_s - STOPPED_S - 0.1 < own_s < all_s - STOPPED_S + 0.5


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


def test_a_worker_that_was_stopped_is_not_late(pool, monkeypatch):
    """Stopped for longer than its --trial-time and than what counts as standing still."""
    monkeypatch.setattr(watchdog, "STALLED_S", 3.0)
    worker = pool.submit(pid).result(LIMIT_S)
    future = pool.submit(work, 0.5)
    time.sleep(0.1)
    stop(worker, STOPPED_S)
    assert future.result(LIMIT_S) == 0.5
    assert pool.submit(pid).result(LIMIT_S) == worker
