"""How --time is shared between trainings."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgeml.search.candidate import Candidate
from edgeml.search.ladder import Ladder, Rung
from edgeml.search.pace import DEAR, FURTHER, LEAST_TRAINING, MOST_FURTHER, Pace
from edgeml.search.progress import Progress
from edgeml.search.rungs import Rungs
from edgeml.search.settings import Settings
from edgeml.train import awake

LADDER = Ladder("two", (Rung(0.2, share=0.4), Rung(1.0, share=0.6)))


def pace(trials: int | None, gone_s: float = 0.0, time_s: float = 60.0, alone: bool = True) -> Pace:
    settings = Settings("made", ["null"], "nano", "random", trials, time_s=time_s)
    progress = Progress()
    progress.started_at = awake.now() - gone_s
    return Pace(settings, progress, Rungs(LADDER, ["macs"], settings.planned_trials), alone)


def after(found: Pace, train_s: float, besides_s: float) -> Pace:
    """The same, a training done."""
    row = {"rung": 0, "accuracy": 0.5, "cost": 0.2, "train_s": train_s, "besides_s": besides_s}
    found.count(SimpleNamespace(status="stopped", metrics={}), [row])
    return found


def test_a_search_that_time_alone_ends_leaves_the_rest_to_its_front_once_that_pays():
    def at(gone_s: float, trials: int | None = None, alone: bool = True, complete: int = 10) -> Pace:
        found = pace(trials, gone_s=gone_s, alone=alone)
        for _ in range(complete):
            found.count(SimpleNamespace(status="complete", metrics={}), [{"rung": 1}])
        return found

    answers = iter([False, True])
    left_s = 10 * FURTHER * 60 - 5
    late = at(60 - left_s)
    late.pays = lambda: next(answers)
    late.decide()
    assert late.time_left_s() == pytest.approx(left_s, abs=1) and not late.leaves
    late.decide()
    assert late.time_left_s() == 0 and late.leaves and late.all_left_s() == pytest.approx(left_s, abs=1)
    late.decide()  # does not ask again
    assert late.time_left_s() == 0
    half = at(60 * (1 - MOST_FURTHER) + 1, complete=1000)
    half.pays = lambda: True
    half.decide()
    assert half.leaves
    early = at(60 * (1 - MOST_FURTHER) - 1, complete=1000)
    for other in (early, at(20), at(50, trials=30), at(50, alone=False), at(50, complete=1)):
        other.pays = lambda: True
        other.decide()
        assert other.time_left_s() > 5 and not other.leaves


def test_by_time_alone_the_first_training_is_not_cut_short():
    assert pace(None).training_s(0.2) > 3
    assert pace(30).training_s(0.2) < 1  # thirty trials in that time were asked for


@pytest.mark.parametrize("trials", [30, None])
def test_while_there_is_time_for_a_training_the_search_goes_on(trials):
    found = after(pace(trials, gone_s=20), 2.0, 5.0)  # besides is more than its share of the time
    assert found.worth_it(0.2)
    assert found.training_s(0.2) >= LEAST_TRAINING * 2.0 - 1e-9


@pytest.mark.parametrize("trials", [30, None])
def test_no_training_may_take_more_than_the_time_left(trials):
    assert after(pace(trials, gone_s=54), 2.0, 3.0).training_s(0.8) <= 3.0
    assert not after(pace(trials, gone_s=57.5), 2.0, 1.0).worth_it(0.8)


def test_new_architectures_end_when_they_could_not_be_fully_trained_any_more():
    assert not after(pace(None, gone_s=40), 2.0, 1.0).over(1.0)  # ten seconds a full training
    assert after(pace(None, gone_s=52), 2.0, 1.0).over(1.0)
    assert after(pace(None, gone_s=46), 2.0, 3.0).over(1.0)  # six seconds more for building and converting
    assert not after(pace(None, time_s=0), 2.0, 1.0).over(1.0)


def test_seconds_count_less_and_less():
    macs = np.array([1e4, 1e6])
    for gone_s, power in ((0.0, 1.0), (30.0, 0.5), (70.0, 0.0)):
        found = pace(None, gone_s=gone_s)
        for size in (1e4, 1e5, 1e6, 1e7):
            row = {"cost": 1.0, "train_s": 1 + size / 1e5, "besides_s": 0.0}
            found.count(SimpleNamespace(status="stopped", metrics={"macs": {"value": size}}), [row])
        assert found.weight(macs) == pytest.approx(np.array([1.1, 11.0]) ** power, rel=0.02)


def test_a_promotion_that_fails_has_no_row_of_its_own():
    done = Candidate("key", 0, "stopped", {}, {}, 0, rungs=[{"rung": 0, "cost": 0.2}])
    assert done.newest == done.rungs
    assert replace(done, rung=1, status="failed").newest == []  # else the first one counted twice
    assert replace(done, rungs=[]).newest == []


def test_networks_that_take_too_much_of_the_time_are_not_looked_for():
    found = pace(None, time_s=100.0)
    assert found.affordable(np.array([1e3, 1e12])).all()  # nothing is known yet
    for macs in (1e6, 2e6, 3e6, 4e6):
        row = {"rung": 1, "cost": 1.0, "train_s": macs / 1e6, "besides_s": 0.0}
        found.count(SimpleNamespace(status="complete", metrics={"macs": {"value": macs}}), [row])
    edge = DEAR * 100 * 1e6
    assert found.affordable(np.array([0.9 * edge, 1.1 * edge])).tolist() == [True, False]
    assert found.affordable(np.array([1.1 * edge, 9 * edge]), 3).tolist() == [True, False]


def test_what_follows_a_search_may_be_given_less_than_is_left():
    found = pace(8, gone_s=10.0)
    assert found.all_left_s() == pytest.approx(50, abs=1)
    found.end_within(5.0)
    assert found.all_left_s() == pytest.approx(5, abs=1)
    found.end_within(500.0)
    assert found.all_left_s() == pytest.approx(50, abs=1)
