"""Workers that a disk fails, workers that are killed: a training is kept, tried again or given a reason."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest

from edgeml.arch.space_file import load_space
from edgeml.errors import ModelError
from edgeml.search.candidate import Candidate
from edgeml.search.damage import wrong_with
from edgeml.search.evaluate import Job, Order, stamp
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.compute import Compute
from edgeml.search.workers.executor import Workers
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity
from tests.test_search import fake_evaluate, study_in

TRIALS, KILLED = 6, 10


def full():
    """What the kernel says where there is no room."""
    with Path("/dev/full").open("wb") as file:
        file.write(b"x")


def unreadable():
    """What the kernel says where a disk cannot be read: address 0 of a process is such a place."""
    with Path("/proc/self/mem").open("rb", buffering=0) as file:
        file.read(1)


def too_much():
    bytearray(1 << 60)


FAULTS = {0: (full, 1), 2: (unreadable, 2), 3: (too_much, 1), 5: (unreadable, 9)}
"""By trial: what fails, and how often; the last one always."""


def failing(job, order):
    """A training of which some fail at first, in a real worker."""
    tries = Path(job.run) / f"tries{order.number}"
    with tries.open("a") as log:
        log.write("x")
    fault, times = FAULTS.get(order.number, (full, 0))
    if tries.stat().st_size <= times:
        fault()
    return fake_evaluate(job, order)


def slow(job, order):
    """A training of a third of a second; what it began, stored and in which process goes into a log."""
    log = Path(job.run) / "trainings.log"
    note(log, "begins", order.number)
    time.sleep(0.35)
    done = stamp(fake_evaluate(job, order), order.at_s + 0.35)
    RunDir(Path(job.run)).update(done)
    note(log, "stored", order.number)
    if order.number == 1:  # stored, and killed before it can say so
        os.kill(os.getpid(), signal.SIGKILL)
    return done


def note(log, what, number):
    with log.open("a") as file:
        file.write(f"{what} {number} {os.getpid()}\n")


def noted(run):
    return [line.split() for line in (run / "trainings.log").read_text().splitlines()]


def searched(path, evaluate, workers, trials):
    """A study over real workers, not yet searched."""
    study = study_in(path, load_space("nano"), trials=trials, executor=workers)
    study._trainings._evaluate = evaluate
    return study


def notes(run):
    return optuna.load_study(study_name="edgeml", storage=RunDir(run).storage_url).trials


def test_a_worker_whose_disk_fails_is_tried_again_then_a_reason(tmp_path):
    for fault, code in ((full, errno.ENOSPC), (unreadable, errno.EIO)):
        with pytest.raises(OSError) as caught:
            fault()
        assert caught.value.errno == code
    workers = Workers(tmp_path / "worker.log", Compute(workers=2))
    study = searched(tmp_path, failing, workers, TRIALS)
    try:
        study.search()
    finally:
        workers.kill()
    found = {c.number: c for c in RunDir(tmp_path).load_candidates()}
    assert set(found) == set(range(TRIALS)) and not study.progress.interrupted
    assert {n: len(c.deaths) for n, c in found.items() if c.deaths} == {0: 1, 2: 2, 3: 1, 5: 3}
    assert "No space left on device" in found[0].deaths[0]
    assert found[5].status == "infeasible" and "given up after 3 attempts" in found[5].reason
    assert "Input/output error" in found[5].reason and "\n" not in found[5].reason
    assert all(c.status == "complete" for n, c in found.items() if n != 5) and study.archive.front()
    failures = [trial.user_attrs for trial in notes(tmp_path) if "reason" in trial.user_attrs]
    assert len(failures) == 1 + 2 + 1 + 3


def test_workers_killed_at_random_lose_and_repeat_nothing(tmp_path):
    """Twice at most on one training: at the third death it would be given up, as it should."""
    workers = Workers(tmp_path / "worker.log", Compute(workers=2))
    study = searched(tmp_path, slow, workers, KILLED)
    over, killed, rng = threading.Event(), [], random.Random(7)

    def kill():
        while not over.wait(rng.uniform(1.0, 2.0)):
            pids = [one._process.pid for one in workers._workers if one._process is not None]
            number = rng.choice(pids) if pids else None
            begun = Counter(n for what, n, _ in noted(tmp_path) if what == "begins")
            own = [(what, n) for what, n, pid in noted(tmp_path) if int(pid) == number]
            if own and own[-1][0] == "begins" and begun[own[-1][1]] <= 2:
                killed.append(number)
                os.kill(number, signal.SIGKILL)

    (tmp_path / "trainings.log").touch()
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        study.search()
    finally:
        over.set()
        killer.join()
        workers.kill()
    found = RunDir(tmp_path).load_candidates()
    assert [c.number for c in found] == list(range(KILLED)) and all(c.status == "complete" for c in found)
    stored = Counter(n for what, n, _ in noted(tmp_path) if what == "stored")
    assert set(stored.values()) == {1}, "what was stored was trained again"
    assert killed and sum(len(c.deaths) for c in found) >= 2
    assert "SIGKILL" in found[1].deaths[0] and stored["1"] == 1
    keys = Counter(trial.user_attrs["key"] for trial in notes(tmp_path) if "rung" in trial.user_attrs)
    assert len(keys) == KILLED and set(keys.values()) == {1}


def test_a_search_that_has_no_front_says_so_by_its_exit_code(finished_run, tmp_path, cli):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for file in run.glob("candidates/*/candidate.json"):
        told = {**json.loads(file.read_text()), "status": "failed", "reason": "no luck", "artifact": None}
        file.write_text(json.dumps({**told, "accuracy": None, "rungs": []}))
    code, out, err = cli("search", "--resume", "--out", run)
    assert code == 1 and "3 failed" in out and "Traceback" not in err


def test_what_nobody_foresaw_costs_one_candidate_not_the_search(tmp_path, monkeypatch, capfd):
    from edgeml.search import evaluate as evaluation

    def broken(job, order, arch, candidate, files):
        raise RuntimeError("out of\n luck")

    def first_breaks(job, order):
        with monkeypatch.context() as patch:
            if order.number:
                return fake_evaluate(job, order)
            patch.setattr(evaluation, "_run", broken)
            return evaluation.evaluate(job, order)

    study = study_in(tmp_path / "run", load_space("nano"), trials=3)
    study._trainings._evaluate = first_breaks
    study.search()
    found = sorted(study.archive.candidates.values(), key=lambda one: one.number)
    assert [one.status for one in found] == ["failed", "complete", "complete"]
    assert found[0].reason is not None and found[0].reason.startswith(
        "RuntimeError: out of luck (not foreseen;"
    )
    assert "Traceback" in capfd.readouterr().err


def test_a_promotion_that_fails_claims_no_files(tmp_path, monkeypatch):
    """They go with the folder of the rung below: --resume would call it damaged, children ask for weights."""
    from edgeml.search import evaluate as evaluation

    def broken(job, order, arch, candidate, files):
        files["uncompressed.safetensors"] = b"half-done"
        raise ModelError("training failed: loss NaN")

    monkeypatch.setattr(evaluation, "_run", broken)
    monkeypatch.setattr(evaluation.Arch, "from_dict", lambda value: value)
    artifact = {"file": "model.tflite", "bytes": 9, "weights_sha256": "0" * 64}
    before = Candidate("abc", 3, "stopped", {}, {}, 0, accuracy=0.9, rungs=[{"rung": 0}], artifact=artifact)
    (tmp_path / "candidates").mkdir()
    order = Order(3, "abc", {}, {}, 0, Fidelity(1.0), index=1, before=before)
    found = evaluation.evaluate(Job(str(tmp_path), Targets(()), {}), order)
    folder = tmp_path / "candidates" / "abc"
    assert found.status == "failed" and found.rung == 1 and found.artifact is None
    assert wrong_with(folder) is None and [path.name for path in folder.iterdir()] == ["candidate.json"]
