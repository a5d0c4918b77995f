"""Evaluations on a Dask cluster of real processes: what they write, how they end, what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace

import pytest

from edgeml.errors import ClusterError, ConfigError
from edgeml.search.cluster import cluster as clusters
from edgeml.search.cluster import dask_client, greeting
from edgeml.search.cluster.cluster import Cluster
from edgeml.search.evaluate import Job
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.compute import Compute
from edgeml.search.workers.executor import WorkerDiedError
from edgeml.target.targets import Targets
from tests.dask_cluster import EDGEML, ENVIRONMENT, crash, dask, light, linger, store_one, until
from tests.loopback_sshd import free_port
from tests.speed import SOON_S

pytestmark = pytest.mark.slow


@pytest.fixture
def training(tmp_path_factory):
    """A scheduler and two workers that their nannies start again."""
    with dask(tmp_path_factory.mktemp("dask"), 2) as found:
        yield found


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The same without TensorFlow, where nothing is trained."""
    with light(tmp_path_factory.mktemp("dask"), 2) as found:
        yield found


@pytest.fixture
def run(tmp_path):
    found = RunDir(tmp_path / "run")
    found.create()
    found.data.mkdir()
    (found.data / "part.npy").write_bytes(b"data" * 1000)
    return found


@pytest.fixture
def job(run):
    return Job(str(run.path), Targets.load(["null"]), {})


def connected(address, run, said=None, **more):
    found = Cluster(Compute(scheduler=address, **more), run, (said if said is not None else []).append)
    until(lambda: found._roster.fit)
    return found


def test_a_search_whose_worker_is_killed_loses_nothing(training, tmp_path):
    """The command; weights and data go through a store, a Dask worker is killed in the middle."""
    command = [*EDGEML, "search", "--data", "digits", "--target", "null", "--trials", "4", "--epochs", "1"]
    command += ["--scheduler", training.address, "--store", (tmp_path / "store").as_uri(), "--out", "run"]
    with (tmp_path / "said").open("w") as said:
        search = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | ENVIRONMENT, stdout=said, stderr=subprocess.STDOUT
        )
        until(lambda: training.evaluating() or search.poll() is not None)
        training.kill_worker()
        search.wait(300)
    text = (tmp_path / "said").read_text()
    assert search.returncode == 0, text
    assert "1 worker has gone away" in text and "given to others" in text, text
    run = RunDir(tmp_path / "run")
    state = json.loads((run.path / "state.json").read_text())
    candidates = [one for one in run.load_candidates() if not one.is_variant]
    assert state["status"] == "finished" and state["trials"] == len(candidates) == 4
    assert {one.status for one in candidates} <= {"complete", "stopped"}
    for one in run.load_candidates():
        assert len((run.candidates / one.key / "model.tflite").read_bytes()) == one.artifact["bytes"]
    assert any(one.test_accuracy for one in candidates) and (run.path / "report.html").exists()
    assert not list((tmp_path / "store" / "runs").glob("*/*")) and list(
        (tmp_path / "store" / "data").iterdir()
    )
    copies = [p for p in (training.folder / "local").rglob("dataset.json") if "run" not in p.parts]
    assert copies, "workers read a copy of their own"
    assert not (run.path / ".exchange.tmp").exists()


@pytest.mark.parametrize("stored", [False, True])
def test_what_a_worker_writes_comes_into_the_run_directory(two, run, job, tmp_path, stored):
    cluster = connected(two.address, run, store=str(tmp_path / "s") if stored else None)
    try:
        where = cluster.submit(store_one, job, "aaa").result(120)
        assert where != job.run, "it works in a folder of its own"
        cluster.submit(store_one, job, "aaa-ptq").result(60)
        cluster.submit(store_one, job, "aaa").result(60)
    finally:
        cluster.close()
    found = {one.key: one for one in run.load_candidates()}
    assert found["aaa"].choices["seen"] == ["aaa", "aaa-ptq"], "variants go along"
    assert (run.candidates / "aaa" / "weights.safetensors").read_bytes() == b"w" * 1000
    assert "stored aaa" in run.log.read_text()
    assert not (run.path / ".exchange.tmp").exists() and not list(tmp_path.glob("s/runs/*"))


def test_a_crash_is_a_death_with_a_reason_and_the_next_one_runs(two, run, job):
    cluster = connected(two.address, run)
    try:
        with pytest.raises(
            WorkerDiedError, match=r"tcp://127\.0\.0\.1:\d+\): the worker process died of SIGSEGV"
        ):
            cluster.submit(crash, job).result(120)
        cluster.submit(store_one, job, "bbb").result(120)
    finally:
        cluster.close()


def test_ending_a_search_ends_what_runs_there(two, run, job, tmp_path):
    cluster = connected(two.address, run)
    try:
        running = cluster.submit(linger, job, str(tmp_path / "began"))
        until((tmp_path / "began").exists)
        before = {one.pid for one in two.evaluating()}
        cluster.kill()
        with pytest.raises(WorkerDiedError, match="called off"):
            running.result(60)
        until(lambda: before - {one.pid for one in two.evaluating()})
        cluster.submit(store_one, job, "ccc").result(120)
    finally:
        cluster.close()


@pytest.fixture
def asked(two, monkeypatch):
    """`asked(field=value)` changes what workers are asked, who are there."""
    from distributed import Client

    with Client(two.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    real = clusters.question

    def change(**fields):
        monkeypatch.setattr(clusters, "question", lambda *given: replace(real(*given), **fields))

    return change


def test_a_worker_with_other_software_is_not_used(two, run, asked):
    asked(software=(*greeting.software()[:3], ("tf_keras", "1.0")))
    with pytest.raises(
        ClusterError, match=r"it has tf_keras \S+, the search 1\.0; install the same"
    ) as caught:
        Cluster(Compute(scheduler=two.address), run)
    assert "\n" not in str(caught.value)
    assert not (run.path / ".exchange.tmp").exists()


def test_a_run_directory_that_workers_do_not_see(two, run, asked):
    asked(shared="/not/there")
    with pytest.raises(ClusterError, match=r"does not see the run directory /not/there; .* give --store URL"):
        Cluster(Compute(scheduler=two.address), run)


def test_no_worker_is_waited_for_and_then_said(run, job, tmp_path):
    import dask as settings

    said: list[str] = []
    with dask(tmp_path, 0) as empty, settings.config.set({"distributed.scheduler.no-workers-timeout": "2s"}):
        cluster = Cluster(Compute(scheduler=empty.address), run, said.append)
        assert cluster.slots == 1
        with pytest.raises(ClusterError, match=r"no worker has joined .* then go on with --resume"):
            cluster.submit(store_one, job, "ddd").result(30)
        with pytest.raises(ClusterError):
            cluster.submit(store_one, job, "eee").result(0)
        cluster.close()
    assert any("waiting for workers; start some with: dask worker" in one for one in said)


def test_a_scheduler_that_goes_away(run, job, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_client, "CONNECT_S", 2.0)
    monkeypatch.setattr(clusters, "CONNECT_S", 2.0)
    with light(tmp_path, 1) as found:
        until(lambda: found.processes())
        cluster = Cluster(Compute(scheduler=found.address), run)
        until(lambda: cluster._roster.fit)
        running = cluster.submit(linger, job, str(tmp_path / "began"))
        until((tmp_path / "began").exists)
        child = found.evaluating()
        found.scheduler.kill()
        with pytest.raises(
            ClusterError, match="is gone; start it and its workers again, then go on with --res"
        ):
            running.result(60)
        cluster.close()
        until(lambda: not any(one.is_running() and one.status() != "zombie" for one in child))


def test_workers_are_not_gone_where_the_client_refreshes_its_list_without_them(two, run, monkeypatch):
    """Dask's client does so every two seconds, between its question and its answer on a busy computer."""
    said: list[str] = []
    cluster = connected(two.address, run, said)
    try:
        monkeypatch.setattr(cluster._client, "scheduler_info", lambda **_: {"workers": {}})
        cluster._roster.look()
        assert cluster._roster.fit and not any("gone away" in one for one in said)
    finally:
        cluster.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:{free}", "Timed out trying to connect"),
        ("what://127.0.0.1:{free}", "unknown address scheme"),
        ("tls://127.0.0.1:{free}", "TLS"),
        ("tcp://127.0.0.1:{silent}", "no answer of Dask's"),
        ("{worker}", "a Dask Worker listens there"),
    ],
)
def test_a_wrong_address_is_one_sentence(two, run, address, words, monkeypatch):
    import socket

    monkeypatch.setattr(dask_client, "CONNECT_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        worker = ""
        if address == "{worker}":
            until(lambda: "Registered to" in (two.folder / "worker.log").read_text())
            lines = (two.folder / "worker.log").read_text().splitlines()
            worker = [line.split()[-1] for line in lines if "Listening to:" in line][-1]
        address = address.format(free=free_port(), silent=silent.getsockname()[1], worker=worker)
        began = time.monotonic()
        with pytest.raises(ClusterError) as caught:
            Cluster(Compute(scheduler=address), run)
    message = str(caught.value)
    advice = (
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE" if words == "TLS" else "an address such as tcp://host:8786"
    )
    assert words in message and "\n" not in message and advice in message
    assert time.monotonic() - began < SOON_S


def test_options_that_exclude_each_other():
    with pytest.raises(ConfigError, match="--workers and --scheduler exclude each other"):
        Compute(workers=2, scheduler="tcp://a:1")
    with pytest.raises(ConfigError, match="--store is the way"):
        Compute(store="s3://a/b")
