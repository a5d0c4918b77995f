"""Strategies and the coordinator, without any training."""

from __future__ import annotations

import itertools
import json
import random
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from edgeml.arch.cell import Arch, lower
from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import RunError, UnknownNameError
from edgeml.search.archive import pareto
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job
from edgeml.search.ladder import FULL
from edgeml.search.orders import trial_seed
from edgeml.search.progress import Listener
from edgeml.search.propose import Proposer
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings
from edgeml.search.strategy import STRATEGIES, sampler
from edgeml.search.study import Study
from edgeml.search.workers.executor import Inline, WorkerDiedError
from edgeml.target.measurement import exact
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity

TASK = Task((12, 12, 1), 4)


@pytest.fixture
def tiny_space(tmp_path):
    """A space of 3 x 2 x 2 points, some of them one architecture."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "description: tiny\nkind: cells\nstem: {channels: [4, 8]}\n"
        "cell: {nodes: 1, wiring: complete, output: last, "
        "ops: [skip, conv_1x1, avg_pool_3x3], reduction: none}\n"
        "stages: {count: 1, repeat: [1, 2], growth: [1.0]}\n"
    )
    return load_space(str(path))


# -- strategies and the coordinator ---------------------------------------------------------------------


def fake_evaluate(job, order):
    """Accuracy and cost as functions of the architecture; stores the folder as the real one does."""
    arch = Arch.from_dict(order.arch)
    found = cost(lower(arch))
    rng = random.Random(arch.key)
    accuracy = min(0.99, 0.3 + 0.05 * np.log(found.macs) + 0.02 * rng.random())
    metrics = {
        name: exact(name, value, "x", "estimated", "test").to_dict()
        for name, value in (
            ("macs", found.macs),
            ("size_bytes", found.size_bytes),
            ("ram_bytes", found.ram_bytes),
        )
    }
    candidate = Candidate(
        arch.key, order.number, "complete", order.choices, order.arch, order.seed,
        accuracy=accuracy, accuracy_float=accuracy, metrics=metrics, time_s={"train": 0.0},
        artifact={"sha256": "", "bytes": 1, "file": "model.tflite", "format": "tflite"},
        parent=order.parent,
    )  # fmt: skip
    RunDir(Path(job.run)).store(candidate, {})
    return candidate


class Failing(Inline):
    """Raises what a dead worker or Ctrl-C would, at some calls."""

    def __init__(self, failures):
        self.calls, self.failures = 0, failures

    def submit(self, function, *arguments):
        self.calls += 1
        if self.calls not in self.failures:
            return super().submit(function, *arguments)
        future = Future()
        future.set_exception(self.failures[self.calls])
        return future


def study_in(
    path, space, *, strategy="random", trials=20, limits=None, executor=None, seed=0, task=TASK, ladder=FULL
):
    run = RunDir(path)
    run.candidates.mkdir(parents=True, exist_ok=True)
    settings = Settings("made", ["null"], space.name, strategy, trials, seed=seed)
    job = Job(str(path), Targets.load(["null"]), limits or {})
    return Study(
        run, settings, space, task, job, Fidelity(1), fake_evaluate, executor or Inline(), Listener(), ladder
    )


@pytest.mark.parametrize(
    ("strategy", "name"), [("auto", "nano"), ("evolution", "micro_cell"), ("random", "nasbench201")]
)
def test_strategies_never_repeat_and_keep_limits(tmp_path, strategy, name):
    """In the whole loop; tests/test_strategies.py holds every strategy to it."""
    study = study_in(tmp_path, load_space(name), strategy=strategy, trials=40, limits={"macs": 4e6})
    study.search()
    keys = [c.key for c in study.archive.candidates.values()]
    assert len(keys) == len(set(keys)) == 40
    assert all(c.metrics["macs"]["value"] <= 4e6 for c in study.archive.candidates.values())
    truth = pareto.front([c.point(["macs"]) for c in study.archive.candidates.values()])
    assert {c.key for c in study.archive.front()} == {keys[i] for i in truth}


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "grid"])
def test_strategies_are_repeatable_by_seed(tmp_path, strategy):
    found = []
    for index, seed in enumerate((3, 3, 4)):
        study = study_in(tmp_path / str(index), load_space("nano"), strategy=strategy, trials=15, seed=seed)
        study.search()
        found.append(list(study.archive.candidates))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_small_space_is_exhausted_exactly(tmp_path, tiny_space, strategy):
    names = [d.name for d in tiny_space.decisions]
    points = itertools.product(*(d.choices for d in tiny_space.decisions))
    every = {tiny_space.decode(dict(zip(names, p, strict=True)), TASK).key for p in points}
    study = study_in(tmp_path, tiny_space, strategy=strategy, trials=100)
    study.search()
    assert set(study.archive.candidates) == every
    assert study.progress.exhausted and len(every) < 12


def test_evolution_finds_more_than_random(tmp_path):
    """On a smooth problem, mean hypervolume over 3 seeds, one reference point for both."""
    volumes = {}
    for strategy in ("random", "evolution"):
        totals = []
        for seed in range(3):
            folder = tmp_path / f"{strategy}{seed}"
            study = study_in(folder, load_space("mbconv_macro"), strategy=strategy, trials=45, seed=seed)
            study.search()
            points = [
                (e, np.log10(m)) for e, m in (c.point(["macs"]) for c in study.archive.candidates.values())
            ]
            totals.append(pareto.hypervolume(points, (0.75, 8)))
        volumes[strategy] = np.mean(totals)
    assert volumes["evolution"] > volumes["random"]


def test_resume_after_a_kill_at_every_instant(tmp_path):
    """Ctrl-C or death between any two steps: no finished trial is lost, none is repeated."""
    done: list[str] = []
    for stop in range(1, 9):
        executor = Failing({2: KeyboardInterrupt()})
        study = study_in(tmp_path, load_space("nano"), trials=20, executor=executor)
        stored = study.run.load_candidates()
        assert [c.key for c in stored] == done
        study.restore(stored, {})
        study.search()
        assert study.progress.interrupted
        new = [key for key in study.archive.candidates if key not in done]
        assert len(new) == 1
        done += new
        if stop % 2:  # a coordinator that died after the worker wrote, before the study was told
            proposal = study._asker.ask()
            done.append(fake_evaluate(study.job, study._order(proposal, len(done))).key)
    study = study_in(tmp_path, load_space("nano"), trials=len(done) + 3)
    study.restore(study.run.load_candidates(), {})
    study.search()
    assert list(study.archive.candidates)[: len(done)] == done
    assert len(study.archive.candidates) == len(done) + 3
    import optuna

    copy = optuna.load_study(study_name="edgeml", storage=study.run.storage_url)
    told = [t for t in copy.trials if t.user_attrs.get("rung") == 0]
    assert {t.user_attrs["key"] for t in told} == set(study.archive.candidates)
    assert len(told) == len(study.archive.candidates)


def test_a_training_whose_worker_died_is_tried_again(tmp_path):
    deaths = {2: WorkerDiedError("killed"), 3: WorkerDiedError("hung")}
    study = study_in(tmp_path, load_space("nano"), trials=5, executor=Failing(deaths))
    study.search()
    assert study.progress.trials == 5 and len(study.archive.scored()) == 5
    assert [c.deaths for c in study.archive.candidates.values()] == [[], ["killed", "hung"], [], [], []]
    assert [t.user_attrs["reason"] for t in failed_trials(study)] == ["killed", "hung"]


def test_a_training_that_kills_three_workers_is_given_up(tmp_path):
    deaths = {call: WorkerDiedError("died") for call in (2, 3, 4)}
    study = study_in(tmp_path, load_space("nano"), trials=5, executor=Failing(deaths))
    study.search()
    given_up = [c for c in study.archive.candidates.values() if c.status == "infeasible"]
    assert len(given_up) == 1 and given_up[0].reason == "given up after 3 attempts: died"
    assert study.progress.trials == 5 and len(study.archive.scored()) == 4
    assert len(failed_trials(study)) == 4  # each attempt, and the candidate that came to nothing
    again = study_in(tmp_path, load_space("nano"), trials=6)
    again.restore(again.run.load_candidates(), {})
    again.search()
    assert again.archive.candidates[given_up[0].key].status == "infeasible"
    assert len(again.archive.candidates) == 6


def failed_trials(study):
    import optuna

    copy = optuna.load_study(study_name="edgeml", storage=study.run.storage_url)
    return [t for t in copy.trials if t.state.name == "FAIL"]


def test_state_and_front_files_agree_with_the_archive(tmp_path):
    study = study_in(tmp_path, load_space("nano"), trials=10)
    study.search()
    study.save("finished")
    state = json.loads((tmp_path / "state.json").read_text())
    front = json.loads((tmp_path / "front.json").read_text())
    assert front["keys"] == [c.key for c in study.archive.front()] and front["knee"] == state["knee"]
    volumes = [row[2] for row in state["hypervolume"]]
    assert volumes == sorted(volumes) and len(volumes) == 10
    points = [c.point(["macs"]) for c in study.archive.candidates.values()]
    assert volumes[-1] == pytest.approx(pareto.hypervolume(points, state["reference_point"]))


def test_two_processes_cannot_have_one_run(tmp_path):
    with (
        RunDir(tmp_path / "run").locked(),
        pytest.raises(RunError, match="in use"),
        RunDir(tmp_path / "run").locked(),
    ):
        pass


def test_a_run_directory_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not an edgeml run"):
        RunDir(tmp_path).create()
    with pytest.raises(RunError, match="no run to resume"):
        RunDir(tmp_path).open()
    (tmp_path / "run.json").write_text('{"layout": 99}')
    with pytest.raises(RunError, match="--resume"):
        RunDir(tmp_path).create()
    with pytest.raises(RunError, match="layout 99"):
        RunDir(tmp_path).open()


def test_unknown_strategy_lists_the_known():
    space = load_space("nano")
    with pytest.raises(UnknownNameError, match="evolution"):
        sampler("evolutoin", space, Proposer(space, TASK, {}), 0)


def test_trial_seeds_differ():
    assert len({trial_seed(seed, number) for seed in range(20) for number in range(50)}) == 1000


def test_asking_to_resume_leaves_a_running_search_alone(tmp_path):
    """The half-written candidate of the process that holds the lock is not someone else's to clear."""
    running, other = RunDir(tmp_path), RunDir(tmp_path)
    half = running.candidates / ".0123456789ab"
    half.mkdir(parents=True)
    about = {"layout": 3, "settings": {}, "dataset": {}, "space": {}, "ladder": {}}
    (tmp_path / "run.json").write_text(json.dumps(about))
    with running.locked():
        assert other.open() == about and half.is_dir()
        with pytest.raises(RunError, match="in use"), other.locked():
            pass
    other.clear_unfinished()
    assert not half.exists()
