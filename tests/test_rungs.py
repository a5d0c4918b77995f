"""Ladders, promotions and what they report, without any training."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from edgeml.arch.cell import Arch, lower
from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import ConfigError, UnknownNameError
from edgeml.resources import names
from edgeml.search.archive.archive import Archive
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job
from edgeml.search.ladder import FULL, Ladder, Rung, load_ladder
from edgeml.search.progress import Listener
from edgeml.search.record import NoRecord
from edgeml.search.run_dir import RunDir
from edgeml.search.rungs import Rungs, correlations
from edgeml.search.settings import Settings
from edgeml.search.strategy import STRATEGIES
from edgeml.search.strategy.observed import non_domination_ranks
from edgeml.search.study import Study
from edgeml.search.workers.executor import Inline
from edgeml.target.measurement import exact
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity
from tests.speed import SOON_S
from tests.test_search import Failing

TASK = Task((12, 12, 1), 4)
TWO = Ladder("two", (Rung(0.2, share=0.4), Rung(1.0, share=0.6)))
THREE = Ladder("three", (Rung(0.1, share=0.3), Rung(0.3, share=0.3), Rung(1.0, share=0.4)))


def evaluate(job, order):
    """Accuracy rises with MACs and with training; some noise by key and rung."""
    arch = Arch.from_dict(order.arch)
    macs = cost(lower(arch)).macs
    done = order.rung.epochs
    noise = random.Random(f"{arch.key}{order.index}").random()
    accuracy = float(min(0.99, 0.2 + 0.05 * np.log(macs) * done**0.15 + 0.03 * noise))
    rows = order.before.rungs if order.before else []
    row = {"rung": order.index, "accuracy": accuracy, "cost": order.cost, "train_s": 0.0, "besides_s": 0.0}
    return Candidate(
        order.key, order.number, "complete" if order.top else "stopped", order.choices, order.arch,
        order.seed, accuracy=accuracy, rung=order.index, rungs=[*rows, row], recipe=order.recipe.to_dict(),
        metrics={"macs": exact("macs", macs, "x", "counted", "test").to_dict()}, time_s={"train": 0.0},
    )  # fmt: skip


def study(ladder, strategy="auto", trials=25, seed=0, space="nano", executor=None, time_s=0.0):
    settings = Settings("made", ["null"], space, strategy, trials, time_s=time_s, seed=seed)
    return Study(
        RunDir(Path("/nonexistent")), settings, load_space(space), TASK,
        Job("", Targets.load(["null"]), {}), Fidelity(3.0), evaluate, executor or Inline(), Listener(),
        ladder, NoRecord(),
    )  # fmt: skip


def test_every_built_in_fidelity_loads_and_ends_in_full_training():
    found = {name: load_ladder(name) for name in names("fidelities")}
    assert {"fast", "balanced", "full"} <= found.keys()
    for ladder in found.values():
        assert ladder.rungs[-1].cost == 1
        assert sum(rung.share for rung in ladder.rungs) == pytest.approx(1)
    assert found["full"].top == 0 < found["balanced"].top < found["fast"].top


@pytest.mark.parametrize(
    ("rungs", "problem"),
    [
        ("[{epochs: 0.5}, {epochs: 0.2}, {}]", "x.yaml:2: rung 2 has epochs 0.2 after 0.5"),
        ("[{epochs: 0.5}, {epochs: 0.5}, {}]", "rung 2 is no more training"),
        ("[{epochs: 0.2}, {epochs: 0.5}]", "the last rung is 50 % of full training"),
        ("[{width: 0.5}, {width: 0.4, epochs: 1.0}, {}]", "rung 2 has width 0.4 after 0.5"),
        ("[]", "rungs"),
        ("[{epochs: 0}]", "epochs"),
        ("[{epoch: 0.5}, {}]", "epoch"),
        ("[{share: 0}]", "share"),
    ],
)
def test_a_ladder_that_does_not_rise_is_refused_in_one_sentence(tmp_path, rungs, problem):
    path = tmp_path / "x.yaml"
    path.write_text(f"description: d\nrungs: {rungs}\n")
    with pytest.raises(ConfigError, match=problem.replace(".", r"\.")) as raised:
        load_ladder(str(path))
    assert "x.yaml" in str(raised.value) and "\n" not in str(raised.value)


def test_an_unknown_fidelity_lists_the_known():
    with pytest.raises(UnknownNameError, match="balanced"):
        load_ladder("balancd")


def test_what_a_rung_trains_and_costs():
    full = Fidelity(10.0)
    assert [TWO.cost(0), TWO.cost(1)] == pytest.approx([0.2, 0.8])
    assert TWO.fidelity(1, full).epochs == pytest.approx(8.0)
    anew = Ladder("anew", TWO.rungs, carry=False)
    assert anew.cost(1) == 1 and anew.fidelity(1, full).epochs == 10.0
    narrow = Ladder("narrow", (Rung(0.2, width=0.5), Rung(1.0)))
    assert narrow.cost(0) == pytest.approx(0.05) and narrow.cost(1) == 1  # other weights: trained anew
    small = Ladder("small", (Rung(0.2, data=0.5, resolution=0.5), Rung(1.0)))
    assert small.cost(0) == pytest.approx(0.025) and small.fidelity(0, full).data_fraction == 0.5
    assert Ladder("b", (Rung(0.2, batch=0.25), Rung(1.0))).fidelity(0, full).batch_size == 32
    assert FULL.cost(0) == 1 and TWO.for_trials(5) is TWO


def test_few_trials_are_trained_fully_and_say_so():
    """On the ladder's last rung: a later session of more trials must not take them for short trainings."""
    few = THREE.for_trials(4)
    assert few.first == few.top == 2 and not few.climbs and few.cost(2) == 1
    assert few.fidelity(2, Fidelity(10.0)).epochs == 10
    run = study(THREE, "auto", trials=3)
    run.search()
    first = list(run.archive.candidates.values())
    assert all(c.status == "complete" and [row["rung"] for row in c.rungs] == [2] for c in first)
    assert run.rungs.spent == [0, 0, 3] and run.rungs.left(3) == 0
    again = study(THREE, "auto", trials=40)
    again.restore(first, {})
    again.search()
    assert again.rungs.spent[2] >= 3
    told = {trial.user_attrs["key"]: trial.user_attrs["rungs"] for trial in again._asker.told()}
    for one in first:
        assert told[one.key] == [[2, pytest.approx(1 - one.accuracy)]]
    assert sum(c.rung == 2 for c in again.archive.candidates.values()) > 3


@pytest.mark.parametrize("ladder", [TWO, THREE])
@pytest.mark.parametrize("strategy", ["auto", "evolution", "bayesian", "random"])
def test_a_run_keeps_the_shares_and_ends_with_a_full_front(ladder, strategy):
    run = study(ladder, strategy, trials=30)
    run.search()
    every = run.archive.candidates.values()
    assert len(every) == run.progress.trials == 30
    total = sum(run.rungs.spent)
    for index, rung in enumerate(ladder.rungs):
        assert abs(run.rungs.spent[index] - rung.share * total) <= 1.01 * ladder.cost(index)
    complete = [c for c in every if c.status == "complete"]
    assert complete and {c.key for c in run.archive.front()} <= {c.key for c in complete}
    for candidate in every:
        assert [row["rung"] for row in candidate.rungs] == list(range(candidate.rung + 1))


def test_by_time_alone_a_search_goes_on_until_the_time_is_over():
    run = study(TWO, "random", trials=None, time_s=4.0)
    run.search()
    assert 4 <= run.progress.elapsed_s < SOON_S
    assert run.progress.trials > 30  # what --trials is where nothing limits
    complete = [c for c in run.archive.candidates.values() if c.status == "complete"]
    assert 0.5 < len(complete) * TWO.cost(1) / sum(run.rungs.spent) < 0.65


def test_promoted_candidates_come_from_the_first_fronts():
    run = study(TWO, "random", trials=40)
    run.search()
    every = list(run.archive.candidates.values())
    points = [[1 - c.rungs[0]["accuracy"], c.metrics["macs"]["value"]] for c in every]
    ranks = non_domination_ranks(np.array(points))
    full = [rank for rank, c in zip(ranks, every, strict=True) if c.status == "complete"]
    assert len(full) >= 8 and np.mean(full) < np.mean(ranks)
    assert np.mean([rank == 0 for rank in full]) > np.mean([rank == 0 for rank in ranks])


def test_a_promoted_candidate_stands_in_the_study_with_its_new_value():
    run = study(TWO, "evolution", trials=15)
    run.search()
    told = {t.user_attrs["key"]: t for t in run._asker.told()}
    for candidate in run.archive.candidates.values():
        trial = told[candidate.key]
        assert len(trial.user_attrs["rungs"]) == len(candidate.rungs)
        if candidate.status == "complete":
            assert trial.values == [1 - candidate.accuracy, candidate.metrics["macs"]["value"]]
        else:  # what full training is expected to make of it
            assert trial.values[0] < 1 - candidate.accuracy


def test_a_run_goes_on_with_promotions_where_it_was_interrupted():
    first = study(TWO, trials=20, executor=Failing({12: KeyboardInterrupt()}))
    first.search()
    assert first.progress.interrupted
    second = study(TWO, trials=20)
    second.restore(list(first.archive.candidates.values()), {})
    assert second.rungs.spent == first.rungs.spent
    second.search()
    assert len(second.archive.candidates) == 20
    assert second.rungs.spent[1] >= 0.5 * sum(second.rungs.spent)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_space_of_one_point_is_trained_once(tmp_path, strategy):
    path = tmp_path / "one.yaml"
    path.write_text(
        "description: one\nkind: stages\nstem: {channels: [8]}\n"
        "stages: [{op: [sep_conv], kernel: [3], repeat: [1], channels: [8]}]\n"
    )
    run = study(TWO, strategy, trials=6, space=str(path))
    run.search()
    assert run.progress.exhausted and [c.rung for c in run.archive.candidates.values()] == [1]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "grid"])
def test_objectives_that_tie_everywhere(strategy):
    def level(job, order):
        found = evaluate(job, order)
        metrics = {"macs": exact("macs", 7, "x", "counted", "test").to_dict()}
        rows = [{**row, "accuracy": 0.5} for row in found.rungs]
        return Candidate(**{**found.to_dict(), "accuracy": 0.5, "metrics": metrics, "rungs": rows})

    run = study(TWO, strategy, trials=18)
    run._trainings._evaluate = level
    run.search()
    assert len(run.archive.candidates) == 18 and len(run.archive.front()) == 1


def test_rank_correlation_says_when_it_is_poor():
    def found(full, count=12):
        run = Archive([], 0.9)
        for i in range(count):
            rows = [{"rung": 0, "accuracy": i / 20}, {"rung": 1, "accuracy": full(i)}]
            run.keep(Candidate(str(i), i, "complete", {}, {}, 0, rung=1, rungs=rows))
        return correlations(run.tally.pairs, TWO)[0]

    assert found(lambda i: i / 15)["ranks"] is True
    poor = found(lambda i: (7 * i % 12) / 15)
    assert poor["ranks"] is False and poor["pairs"] == 12
    assert found(lambda i: i / 15, 4)["ranks"] is None
    assert found(lambda i: i / 15, 2)["spearman"] is None


def test_nothing_is_promoted_twice_or_while_a_rung_has_had_its_share():
    rungs = Rungs(TWO, ["macs"], 12)
    waiting = Archive(["macs"], 0.9)
    assert rungs.promotion(waiting, True, None) is None
    for i in range(6):
        waiting.keep(
            Candidate(str(i), i, "stopped", {}, {}, 0, accuracy=0.5 + i / 50, rung=0,
                      rungs=[{"rung": 0, "accuracy": 0.5 + i / 50}], metrics={"macs": {"value": 10 + i}})
        )  # fmt: skip
        rungs.count(0)
    promotion = rungs.promotion(waiting, True, None)
    assert promotion is not None and promotion.rung == 1
    rungs.count(1)
    rungs.count(1)
    assert rungs.promotion(waiting, True, None) is None
