"""Trainings stand still while a latency is timed; a dead or stopped training does not block timings."""

import os
import signal
import subprocess
import sys
import time

import pytest

from edgeml.train import quiet
from tests.speed import SOON_S

TRAINING = """
import sys, time
from edgeml.train.quiet import working
while True:
    with working():
        began = time.monotonic()
        time.sleep(0.05)
        print(began, time.monotonic(), flush=True)
"""


@pytest.fixture
def training(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    processes = []

    def start():
        one = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE, text=True)
        processes.append(one)
        assert one.stdout.readline()
        return one

    yield start
    for one in processes:
        one.kill()
        one.wait()
        one.stdout.close()


def test_nothing_trains_while_something_is_timed(training):
    trainings = [training(), training()]
    time.sleep(0.3)
    with quiet.alone() as waited_s:
        began = time.monotonic()
        time.sleep(0.4)
        ended = time.monotonic()
    assert waited_s is not None
    time.sleep(0.5)
    for one in trainings:
        one.kill()
        stretches = [tuple(map(float, line.split())) for line in one.communicate()[0].splitlines()]
        assert any(end <= began for _, end in stretches) and any(start >= ended for start, _ in stretches)
        assert not [s for s in stretches if s[0] < ended and s[1] > began]


def test_a_killed_training_holds_up_nobody(training):
    training().kill()
    with quiet.alone() as waited_s:
        assert waited_s is not None and waited_s < SOON_S


def test_a_stopped_training_is_waited_for_so_long(training, monkeypatch):
    monkeypatch.setattr(quiet, "PATIENCE_S", 0.3)
    one = training()
    while True:  # until it is stopped inside a stretch
        os.kill(one.pid, signal.SIGSTOP)
        with quiet.alone() as waited_s:
            pass
        os.kill(one.pid, signal.SIGCONT)
        if waited_s is None:
            break
        time.sleep(0.03)


def test_two_timings_do_not_overlap(training):
    with quiet.alone() as first:
        code = "from edgeml.train.quiet import alone; import time\nwith alone(): print(time.monotonic())"
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        time.sleep(1.5)
        ended = time.monotonic()
    assert first is not None
    assert float(other.communicate(timeout=60)[0]) >= ended


def test_a_folder_that_is_not_ours_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"edgeml-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with quiet.alone() as waited_s:
        assert waited_s is None
    with quiet.working():
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
