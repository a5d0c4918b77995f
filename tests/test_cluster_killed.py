"""The bar for clusters, shortened: 40 trials on two workers of which one after the other is killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeml.arch.space_file import load_space
from edgeml.search.candidate import Candidate
from edgeml.search.cluster.cluster import Cluster
from edgeml.search.cluster.exchange import Delivery
from edgeml.search.evaluate import Job
from edgeml.search.ladder import load_ladder
from edgeml.search.progress import Listener
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings
from edgeml.search.study import Study
from edgeml.search.workers.compute import Compute
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity
from tests.dask_cluster import Dask, evaluate_for_a_moment, light, store_one, until
from tests.killed_engine import TASK

TRIALS, EVERY = 40, 8


class Killer(Listener):
    """Kills a worker, evaluation and all, after every so many trainings."""

    def __init__(self, workers: Dask) -> None:
        self.workers, self.seen, self.kills = workers, 0, 0

    def finished(self, study: Study, candidate: Candidate) -> None:
        self.seen += 1
        if self.seen % EVERY == 0:
            self.kills += 1
            self.workers.kill_worker()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with light(tmp_path_factory.mktemp("dask"), 2) as found:
        yield found


@pytest.mark.slow
def test_forty_trials_on_workers_that_are_killed(workers: Dask, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create()
    run.data.mkdir()
    (run.data / "dataset.json").write_text("{}")
    run.begin({"layout": 3, "settings": {}, "dataset": {}, "space": {}, "ladder": {}})
    settings = Settings("made", ["null"], "nano", "random", TRIALS)
    job = Job(str(run.path), Targets.load(["null"]), {})
    killer = Killer(workers)
    cluster = Cluster(Compute(scheduler=workers.address), run)
    try:
        study = Study(
            run, settings, load_space("nano"), TASK, job, Fidelity(1), evaluate_for_a_moment, cluster,
            killer, load_ladder("balanced"),
        )  # fmt: skip
        study.search()
        study.save("finished")
    finally:
        cluster.close()
    assert killer.kills >= 4
    stored = [json.loads(path.read_text()) for path in run.candidates.glob("*/candidate.json")]
    assert len(stored) == TRIALS and json.loads((run.path / "state.json").read_text())["trials"] == TRIALS
    assert {one["status"] for one in stored} <= {"complete", "stopped"} and not any(
        one["deaths"] for one in stored
    )
    assert sorted(one["number"] for one in stored) == list(range(TRIALS))
    assert set(Counter((one["key"], row["rung"]) for one in stored for row in one["rungs"]).values()) == {1}
    assert killer.seen == sum(len(one["rungs"]) for one in stored), "none was recorded twice"


@pytest.mark.slow
def test_a_worker_without_room_is_left_out_and_its_evaluation_given_to_another(
    workers, tmp_path, monkeypatch
):
    run = RunDir(tmp_path / "run")
    run.create()
    run.data.mkdir()
    job = Job(str(run.path), Targets.load(["null"]), {})
    said: list[str] = []
    cluster = Cluster(Compute(scheduler=workers.address), run, said.append)
    try:
        until(lambda: len(cluster._roster.fit) == 2)
        full = cluster._roster.fit[0]
        first = Delivery("a (b)", refused=True, problem="/x: cannot be written", address=full)
        take, given = cluster._take, [first]
        monkeypatch.setattr(cluster, "_take", lambda one, came: take(one, given.pop() if given else came))
        assert cluster.submit(store_one, job, "fff").result(120) != job.run
        assert full not in cluster._roster.fit and not given
        assert [one for one in said if f"worker {full} on" in one and "/x: cannot be written" in one]
    finally:
        cluster.close()


@pytest.mark.slow
def test_a_worker_that_is_ended_does_not_wait_for_its_idle_evaluations(workers, tmp_path):
    run = RunDir(tmp_path / "run")
    run.create()
    run.data.mkdir()
    cluster = Cluster(Compute(scheduler=workers.address), run)
    try:
        cluster.submit(store_one, Job(str(run.path), Targets.load(["null"]), {}), "ggg").result(120)
        there = [*workers.processes(), *workers.evaluating()]
        cluster._client.retire_workers(list(cluster._client.nthreads()), close_workers=True)
        until(lambda: not any(one.is_running() and one.status() != "zombie" for one in there))
    finally:
        cluster.close()
