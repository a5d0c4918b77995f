"""The bounds of tests/speed.py: a slow computer passes, what is ten times too slow does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import speed

BURN = "import time\nwhile time.process_time() < 0.3: pass"


class Clock:
    """Goes on by what each piece of work says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *taken_s: float):
        left = list(taken_s)

        def run() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(speed, "piece", made.work(3 * speed.REFERENCE_S))  # a third of the reference's speed
    return made


def test_a_bound_grows_with_how_slow_the_computer_is(clock):
    speed.assert_within(0.1, clock.work(0.29), clock)
    with pytest.raises(AssertionError, match=r"0\.1033 s of the reference at best; bound: 0\.1 s"):
        speed.assert_within(0.1, clock.work(0.31), clock)


def test_one_try_within_the_bound_is_enough(clock):
    speed.assert_within(0.1, clock.work(9.0, 5.0, 0.2), clock)


def test_a_faster_computer_has_no_smaller_bound(clock, monkeypatch):
    monkeypatch.setattr(speed, "piece", clock.work(0.1 * speed.REFERENCE_S))
    assert speed.slowness(clock) == 1


def test_the_time_of_ended_children_counts():
    assert speed.seconds(lambda: subprocess.run([sys.executable, "-c", BURN], check=True)) > 0.29
