"""The search engine with many trials: nothing grows with them that need not, and nothing else changes."""

from __future__ import annotations

import random
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import optuna
import pytest
from sqlalchemy import create_engine

from edgeml.arch.space_file import load_space
from edgeml.search import asking, session
from edgeml.search.archive import pareto
from edgeml.search.archive.active import active as active_rows
from edgeml.search.archive.archive import Archive
from edgeml.search.archive.kept import RECENT
from edgeml.search.candidate import Candidate
from edgeml.search.database.study_rows import insert, noted
from edgeml.search.run_dir import RunDir
from edgeml.search.strategy.learning import distributions
from tests.test_rungs import TWO, study
from tests.test_search import study_in


def candidate(number, rng, rungs=1, status="complete"):
    """One with a random point."""
    accuracy = round(0.5 + 0.4 * rng.random(), 3)
    rows = [{"rung": r, "accuracy": accuracy, "curve": [accuracy]} for r in range(rungs)]
    return Candidate(
        f"{number:012x}", number, status, {"a": 1}, {"input_shape": [8, 8, 1]}, 0, accuracy=accuracy,
        metrics={"macs": {"value": float(rng.randrange(1, 500))}}, rungs=rows, rung=rungs - 1,
        finished_at_s=float(number), history=[{"loss": 1.0}] * 20, time_s={"train": 1.0},
    )  # fmt: skip


def by_hand(candidates):
    """Front, reference point and last hypervolume, worked out from all points."""
    points = [(c, c.point(["macs"])) for c in candidates if c.status == "complete"]
    members = [points[i] for i in pareto.front([point for _, point in points])]
    reference = pareto.reference_point([point for _, point in points], 0.9)
    front = [c.key for c, _ in sorted(members, key=lambda row: row[1])]
    return front, reference, pareto.hypervolume([point for _, point in points], reference)


def test_the_front_kept_up_point_by_point_is_that_of_all_points():
    rng, archive, every = random.Random(0), Archive(["macs"], 0.9), {}
    for number in range(1_300):
        low = number % 3 == 0
        one = candidate(number, rng, status="stopped" if low else "complete")
        every[one.key] = one
        archive.keep(one)
        if number % 7 == 0:  # a promotion of an earlier one
            late = candidate(number // 2, rng, rungs=2)
            if every[late.key].status == "stopped":
                every[late.key] = late
                archive.keep(late)
        if number % 100 == 99:
            front, reference, volume = by_hand(sorted(every.values(), key=lambda c: c.number))
            assert [c.key for c in archive.front()] == front
            assert archive.reference_point() == reference
            assert archive.hypervolumes()[-1][2] == volume
    volumes = archive.hypervolumes()
    complete = sum(c.status == "complete" for c in every.values())
    assert len(volumes) == complete if complete <= 1_000 else len(volumes) < 1_000
    assert [v for _, _, v in volumes] == sorted(v for _, _, v in volumes)
    assert {row.key for row in archive.waiting(0)} == {c.key for c in every.values() if c.waiting}
    assert archive.knee().key == front[pareto.knee([every[key].point(["macs"]) for key in front])]
    again = Archive(["macs"], 0.9)
    again.restore(reversed(every.values()))
    assert [c.number for c in again.candidates.values()] == list(range(1_300))
    assert [c.key for c in again.front()] == front and again.tally.trained == archive.tally.trained


def test_a_candidate_costs_no_more_calls_when_there_are_many():
    """Counts calls, not time: a pass over all candidates in a step of the search fails here."""
    rng, archive, counted = random.Random(1), Archive(["macs"], 0.9), []
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1

    for number in range(2_000):
        one = candidate(number, rng, status="stopped" if number % 2 else "complete")
        sys.setprofile(count)
        archive.keep(one)
        archive.rest([f"{number - 100:012x}"] if number >= 100 else [])
        archive.front_points()
        archive.waiting(0)
        archive.reached(0, ())
        archive.tally.curves(0)
        sys.setprofile(None)
        counted.append(calls)
        calls = 0
    assert np.mean(counted[-200:]) < 1.5 * np.mean(counted[200:400])


def test_memory_stays_small_where_candidates_have_folders():
    rng, stored = random.Random(2), {}
    archive = Archive(["macs"], 0.9, lambda key: candidate(int(key, 16), random.Random(key)))
    tracemalloc.start()
    for number in range(3_000):
        archive.keep(candidate(number, rng, status="stopped"))
        archive.rest([f"{number:012x}"])
        if number in (999, 2_999):
            stored[number] = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert (stored[2_999] - stored[999]) / 2_000 < 1_000
    assert len(archive.candidates._whole) <= 3 * RECENT
    assert archive.candidates[f"{5:012x}"].number == 5  # read again


def test_rows_are_what_optuna_writes(tmp_path):
    space, rng = load_space("nano"), random.Random(0)
    fixed, trial = distributions(space), optuna.trial
    trials = [
        trial.create_trial(
            state=trial.TrialState.FAIL if number == 1 else trial.TrialState.COMPLETE,
            values=None if number == 1 else [0.1, float("inf") if number == 2 else 7.0],
            params=space.sample(rng), distributions=fixed,
            user_attrs={"key": str(number), "number": number, "rung": 0},
            constraints={"macs": 0.5} if number == 3 else None,
        )
        for number in range(5)
    ]  # fmt: skip
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("theirs", "ours")]
    theirs, ours = (
        optuna.create_study(storage=url, study_name="s", directions=["minimize"] * 2) for url in urls
    )
    for one in trials:
        theirs.add_trial(one)
    engine = create_engine(urls[1])
    for some in (trials[:2], trials[2:]):
        with engine.begin() as connection:
            insert(connection, "s", some)
    assert ours.trials == theirs.trials
    with engine.connect() as connection:
        assert noted(connection, "s") == {(str(number), 0) for number in range(5)}
    engine.dispose()


def test_what_stays_active_is_the_best_the_climbers_and_the_latest():
    rng = np.random.default_rng(0)
    values, rungs = rng.random((1_000, 2)), np.zeros(1_000, int)
    rungs[[3, 5]] = 1
    rows = active_rows(values, np.zeros(1_000), rungs, left=90)
    assert len(rows) == 90 and {3, 5} <= set(rows.tolist()) and set(range(980, 1_000)) <= set(rows.tolist())
    assert set(pareto.front(values.tolist())) <= set(rows.tolist())
    assert active_rows(values, np.zeros(1_000), rungs, left=1_000).tolist() == list(range(1_000))


@pytest.mark.parametrize("strategy", ["auto", "evolution", "bayesian", "rl"])
def test_a_search_goes_on_when_its_strategy_has_been_shown_enough(monkeypatch, strategy):
    monkeypatch.setattr(asking, "LIMIT", 40)
    monkeypatch.setattr(asking, "active", lambda *arrays: active_rows(*arrays, left=25))
    run = study(TWO, strategy, trials=100)
    run.search()
    keys = list(run.archive.candidates)
    assert len(keys) == len(set(keys)) == 100
    told = [trial for trial in run._asker.told() if trial.user_attrs]
    assert 25 <= len(told) <= 41
    total = sum(run.rungs.spent)
    for index, rung in enumerate(TWO.rungs):
        assert abs(run.rungs.spent[index] - rung.share * total) <= 1.01 * TWO.cost(index)


def test_a_long_run_is_resumed_with_what_is_active(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "LIMIT", 30)
    monkeypatch.setattr(asking, "active", lambda *arrays: active_rows(*arrays, left=20))
    first = study_in(tmp_path, load_space("nano"), strategy="evolution", trials=60)
    first.search()
    second = study_in(tmp_path, load_space("nano"), strategy="evolution", trials=70)
    second.restore(iter(second.run.load_candidates()), second.run.state())
    assert [c.key for c in second.archive.front()] == [c.key for c in first.archive.front()]
    second.search()
    numbers = [row.number for row in second.archive.rows.values()]
    assert numbers == list(range(70)) and len(second._asker.told()) <= 31


def test_a_run_that_goes_on_holds_no_list_of_its_candidates(tmp_path):
    run = RunDir(tmp_path)
    run.candidates.mkdir()
    rng = random.Random(0)
    for number in range(6):
        one = candidate(number, rng)
        run.store(replace(one, compression={"of": "x"}) if number in (1, 4) else one, {})
    variants = []
    some = session._trials(run, variants)
    assert next(some).number == 0 and not variants
    assert next(some).number == 2 and [one.number for one in variants] == [1]
    assert [one.number for one in some] == [3, 5] and [one.number for one in variants] == [1, 4]
