"""What is left of --time goes into the front: who is next, and what is kept."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import edgeml
from edgeml.errors import ModelError
from edgeml.search.archive.archive import Archive
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job
from edgeml.search.finishing import longer
from edgeml.search.finishing.further import (
    UNKNOWN,
    Schedule,
    allowed_s,
    expected_of,
    gains,
    left_of_error,
    pays,
    seconds_an_epoch,
    updated,
    volume,
)
from edgeml.search.finishing.longer import train_longer
from edgeml.search.ladder import FULL, Ladder, Rung
from edgeml.search.run_dir import RunDir
from edgeml.target.measurement import exact
from edgeml.target.targets import Targets
from edgeml.terminal.lines import time_left_s
from edgeml.train.fidelity import Fidelity
from edgeml.train.inherit import load_weights
from tests.command import edgeml_run
from tests.speed import SOON_S


def test_a_power_law_says_what_doubling_leaves_of_an_error():
    halved_by_four = [(0.6, 0.8), (0.2, 0.6), (0.9, 0.95)]
    assert left_of_error(halved_by_four, 4) == pytest.approx(math.sqrt(0.5))
    assert left_of_error([(0.5, 0.4)], 4) == 1.0  # never more
    assert left_of_error([(0.5, 1.0)], 4) == 0.5  # nor less
    assert left_of_error([], 4) == left_of_error([(1.0, 1.0)], 4) == UNKNOWN


def test_what_was_seen_counts_beside_what_was_expected():
    assert updated(0.8, []) == pytest.approx(0.8)
    assert updated(0.8, [1.0]) == pytest.approx(math.sqrt(0.8))
    assert updated(0.5, [1.0] * 99) > 0.99
    assert updated(0.8, [0.0]) > 0  # a perfect network says little of the others


def test_only_a_lowest_rung_on_all_data_says_what_longer_training_does():
    pairs = [(0.6, 0.8)]
    assert expected_of(pairs, Ladder("two", (Rung(0.25), Rung(1.0)))) == pytest.approx(math.sqrt(0.5))
    assert expected_of(pairs, Ladder("part", (Rung(0.25, data=0.5), Rung(1.0)))) == UNKNOWN
    assert expected_of(pairs, FULL) == UNKNOWN


def test_gains_are_those_of_the_hypervolume_over_the_logarithm_of_costs():
    points = [(0.1, 100.0), (0.4, 10.0)]
    found = gains(points, 0.5, lambda these: volume(these, (0.9, 1000.0)))
    decade = math.log(10)
    assert found == pytest.approx([0.05 * decade, 0.2 * decade])  # each to the next dearer, or to the end
    with_nothing = [(error, cost, 0.0) for error, cost in points]
    assert gains(with_nothing, 0.5, lambda these: volume(these, (0.9, 1000.0, 0.0))) == pytest.approx(found)
    exact = [(0.0, 10.0), (0.5, 1.0)]  # nothing is left to gain
    assert gains(exact, 0.5, lambda these: volume(these, (0.9, 100.0)))[0] == 0


def member(key, accuracy, macs, train_s, at_s=10.0, **more):
    row = {"rung": 0, "accuracy": accuracy, "epochs": 4.0, "train_s": train_s}
    metrics = {"macs": exact("macs", macs, "x", "counted", "test").to_dict()}
    made = Candidate(
        key, macs, "complete", {}, {}, 0, accuracy=accuracy, metrics=metrics, rungs=[row], recipe={},
        fidelity={"epochs": 4.0}, finished_at_s=at_s,
    )  # fmt: skip
    return replace(made, **more)


def study(members, left_s=100.0, elapsed_s=75.0, epochs=4.0, dear=(), prefer="balanced"):
    archive = Archive(["macs"], 0.9)
    for one in members:
        archive.keep(one)
    pace = SimpleNamespace(all_left_s=lambda: left_s, besides_s=1.0)
    settings = SimpleNamespace(time_s=100.0, prefer=prefer)
    return SimpleNamespace(
        archive=archive, pace=pace, ladder=FULL, settings=settings,
        progress=SimpleNamespace(elapsed_s=elapsed_s),
        fidelity=Fidelity(epochs, 64), reference_point=lambda: archive.reference_point(dear),
    )  # fmt: skip


def test_next_is_who_adds_most_a_second():
    cheap, dear = member("cheap", 0.6, 10, 10.0), member("dear", 0.9, 1000, 30.0)
    assert Schedule(study([cheap, dear])).next(()).candidate.key == "cheap"
    slow = member("cheap", 0.6, 10, 200.0)
    found = Schedule(study([slow, dear])).next(())
    assert found.candidate.key == "dear" and found.epochs == 4.0
    assert Schedule(study([cheap, dear])).next(["cheap"]).candidate.key == "dear"
    short = Schedule(study([member("one", 0.6, 10, 40.0)], left_s=31.0)).next(())
    assert short.epochs == pytest.approx(3.0)  # of 40 s there are 30
    assert Schedule(study([member("one", 0.6, 10, 40.0)], left_s=20.0)).next(()) is None


def test_every_third_is_the_most_accurate_that_time_allows():
    """A minute at the cheap end adds more hypervolume: what is most accurate would never be trained."""
    three = [member("cheap", 0.6, 10, 10.0), member("good", 0.8, 100, 30.0), member("best", 0.9, 1000, 60.0)]
    better = {"before": 0.6, "accuracy": 0.65, "kept": True, "epochs": 4.0, "train_s": 10.0}
    for left_s, third in ((100.0, "best"), (25.0, "good")):
        schedule, keys = Schedule(study(three, left_s=left_s)), []
        for _ in range(4):
            keys.append(schedule.next(()).candidate.key)
            schedule.learn(better)
        assert keys == ["cheap", "cheap", third, "cheap"]
    assert Schedule(study(three)).next(["cheap", "good"]).candidate.key == "best"


def test_the_dear_end_of_a_front_is_worth_as_much_as_time_allows_it_to_reach():
    two = [member("cheap", 0.6, 10, 10.0), member("dear", 0.7, 1000, 10.0)]
    assert Schedule(study(two)).next(()).candidate.key == "cheap"
    assert Schedule(study(two, dear=[1e9])).next(()).candidate.key == "dear"


def test_what_is_preferred_is_trained_further_first():
    two = [member("cheap", 0.6, 500, 10.0), member("accurate", 0.7, 1000, 10.0)]
    assert Schedule(study(two)).next(()).candidate.key == "cheap"
    assert Schedule(study(two, prefer="accuracy")).next(()).candidate.key == "accurate"


def test_who_did_not_get_better_or_is_compressed_is_left_alone():
    row = {"before": 0.6, "accuracy": 0.6, "kept": False, "epochs": 4.0, "train_s": 10.0}
    for left_out in ({"further": [row]}, {"recipe": {"compression": "qat"}}, {"fidelity": {}}):
        assert Schedule(study([member("one", 0.6, 10, 10.0, **left_out)])).next(()) is None
    schedule = Schedule(study([member("one", 0.6, 10, 10.0)]))
    schedule.failed("one")
    assert schedule.next(()) is None
    schedule = Schedule(study([member("one", 0.6, 10, 10.0)]))
    for _ in range(40):
        schedule.learn(row)
    assert schedule.next(()) is None  # it has done nothing for anybody


def test_further_training_pays_once_the_search_adds_less():
    still = [member("a", 0.6, 10, 1.0, at_s=10), member("b", 0.9, 1000, 10.0, at_s=20)]
    assert pays(study(still))
    going_on = [*still, member("c", 0.89, 20, 1.0, at_s=60)]  # much, within the last quarter of the time
    assert not pays(study(going_on))
    assert pays(study(going_on, elapsed_s=90.0))
    assert not pays(study(still, left_s=0.2))  # no time for anything
    assert not pays(study(still, epochs=20.0))  # full training is long enough


@pytest.mark.parametrize(
    ("changed", "seconds"),
    [
        ({}, 75.0),  # as long as the search took
        ({"further": 30.0}, 15.0),  # of 75 s were 30 for the front: 45 were for the search
        ({"left_s": 20.0}, 20.0),
        ({"epochs": 20.0}, 0.0),  # full training is long enough
        ({"budget": "quick"}, 0.0),
        ({"time_s": 0.0}, 0.0),
        ({"alone": False}, 0.0),
        ({"may_leave": True, "left_s": 7.0, "epochs": 20.0}, 7.0),  # only time ends it
    ],
)
def test_a_search_that_trials_end_has_as_long_again_for_its_front(changed, seconds):
    asked = {"left_s": 500.0, "epochs": 4.0, "further": 0.0, "budget": "standard", "time_s": 600.0}
    asked |= {"alone": True, "may_leave": False} | changed
    ended = study([], asked["left_s"], epochs=asked["epochs"])
    ended.settings.time_s, ended.settings.budget = asked["time_s"], asked["budget"]
    ended.settings.trials = None if asked["may_leave"] else 30
    ended.pace.alone, ended.pace.may_leave = asked["alone"], asked["may_leave"]
    ended.seconds = {"further": asked["further"]}
    ended.progress = SimpleNamespace(searched_s=75.0 - asked["further"])
    assert allowed_s(ended) == seconds


def test_the_time_left_knows_of_what_follows():
    going_on = study([member("one", 0.6, 10, 10.0)], left_s=500.0, elapsed_s=60.0)
    going_on.settings.time_s, going_on.settings.trials, going_on.settings.planned_trials = 600.0, 30, 30
    going_on.settings.budget, going_on.pace.alone, going_on.seconds = "standard", True, {"further": 0.0}
    going_on.archive.tally.seconds = 60.0
    going_on.rungs = SimpleNamespace(spent=[6.0], left=lambda trials: 4.0)
    going_on.progress = SimpleNamespace(searched_s=60.0, afterwards=None)
    assert time_left_s(going_on) == pytest.approx(40 + 60 + 40)
    going_on.seconds["further"] = 15.0  # of an earlier session: of 60 s 45 were for the search
    going_on.progress.searched_s = 45.0
    assert time_left_s(going_on) == pytest.approx(40 + 45 + 40 - 15)
    going_on.fidelity = Fidelity(20.0, 64)
    assert time_left_s(going_on) == pytest.approx(40)
    going_on.progress.afterwards = "training the front's members further"
    assert time_left_s(going_on) == 500.0  # what the clock has left for that


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """A run of networks that are trained for two epochs each, and the key of the best."""
    path = shutil.copytree(finished_run, tmp_path_factory.mktemp("further") / "run")
    rows = edgeml.Run(path, "finished").leaderboard
    key = max((row for row in rows if row["status"] == "complete"), key=lambda row: row["accuracy"])
    return path, key["key"]


def job(path):
    return Job(str(path.resolve()), Targets.load(["null"]), {})


def test_what_is_better_takes_its_place_and_says_so(run):
    path, key = run
    folder, before = path / "candidates" / key, RunDir(path).load(key)
    weights = load_weights(str(folder / "weights.safetensors"))
    done = train_longer(job(path), key, Fidelity(8.0, 64))
    (row,) = done.further
    assert done.accuracy == row["accuracy"] > row["before"] == before.accuracy and row["kept"]
    assert done.rungs == before.rungs and done.fidelity["epochs"] == before.fidelity["epochs"] + 8
    assert RunDir(path).load(key) == done
    after = load_weights(str(folder / "weights.safetensors"))
    assert any(not np.array_equal(after[name], weights[name]) for name in weights)
    assert len((folder / "model.tflite").read_bytes()) == done.artifact["bytes"]
    assert seconds_an_epoch(done) == pytest.approx(row["train_s"] / 8)
    RunDir(path).check_whole()


@pytest.mark.parametrize("failing", [False, True])
def test_what_is_not_better_leaves_everything_as_it_was(run, failing, monkeypatch):
    path, key = run
    folder, before = path / "candidates" / key, RunDir(path).load(key)
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "candidate.json"}

    def worse(*_):
        if failing:
            raise ModelError("training failed: it exploded")
        return longer._Found({"epochs": 1.0, "accuracy": before.accuracy - 0.1, "accuracy_float": 0.5})

    monkeypatch.setattr(longer, "_trained", worse)
    done = train_longer(job(path), key, Fidelity(1.0, 64))
    assert done.further[-1]["kept"] is False and ("failure" in done.further[-1]) == failing
    assert (done.accuracy, done.artifact, done.fidelity) == (
        before.accuracy,
        before.artifact,
        before.fidelity,
    )
    assert files == {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "candidate.json"}
    assert RunDir(path).load(key) == done


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [["--time", "30s"], ["--time", "5m", "--trials", "4"]])
def test_the_front_is_trained_further_once_a_search_is_over(ended_by, tmp_path):
    options = ["--data", "digits", "--target", "null", "--epochs", "2", "--out", "run", *ended_by]
    said = edgeml_run("search", *options, cwd=tmp_path)
    assert " epochs more: accuracy " in said.stdout + said.stderr
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    further_s, elapsed_s = state["time_s"]["further"], state["elapsed_s"]
    assert 0 < further_s < 0.5 * elapsed_s and elapsed_s < 30 + SOON_S
    folders = (tmp_path / "run" / "candidates").glob("*/candidate.json")
    rows = [row for file in folders for row in json.loads(file.read_text())["further"]]
    assert any(row["kept"] for row in rows)
    shown = edgeml_run("report", "run", cwd=tmp_path)
    assert shown.returncode == 0
