"""Kills the coordinator of a search without training at random instants, a hundred times a minute.

Run as a program: `python tests/killed_engine.py KILLS FOLDER [SEED]`. It loads everything once and forks a
process for each session, which goes on with a run in FOLDER until it is killed or done. Prints JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from edgeml.arch.cell import Arch, lower
from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.search.candidate import Candidate
from edgeml.search.damage import worked_out
from edgeml.search.database.study_file import mend
from edgeml.search.evaluate import Job
from edgeml.search.ladder import load_ladder
from edgeml.search.progress import Listener
from edgeml.search.record import RunRecord
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings
from edgeml.search.study import Study
from edgeml.target.measurement import exact
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity

TRIALS = 16
TASK = Task((12, 12, 1), 4)
ALONG_S = 0.25
"""Seconds in which a session is killed, drawn uniformly; every other session has opened the run by then."""
COPIED = 6
"""After so many kills the run is copied elsewhere and goes on there."""
PHASES = mmap.mmap(-1, 64)


def phase(name: str) -> None:
    """Say, in memory that outlives this process, what it is doing."""
    PHASES[:] = name.encode().ljust(64, b"\0")


def note(folder: Path, *words: object) -> None:
    """Append a line to the log of this run; what was written survives the process."""
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        log.write(" ".join(map(str, words)) + "\n")


def evaluate(job, order):
    """What the real one stores, without training."""
    run = RunDir(Path(job.run))
    phase("training")
    note(run.path, "trains", order.key, order.index)
    arch = Arch.from_dict(order.arch)
    found = cost(lower(arch))
    accuracy = min(
        0.99, 0.05 * np.log(found.macs) + 0.1 * order.index + random.Random(arch.key).random() / 20
    )
    weights, model = save({"w": np.ones(order.number + 1, np.float32)}), bytes(order.number + 8)
    metrics = {
        name: exact(name, getattr(found, name), "x", "estimated", "test").to_dict()
        for name in ("macs", "size_bytes", "ram_bytes")
    }
    before = order.before.rungs if order.before else []
    candidate = Candidate(
        order.key, order.number, "complete" if order.top else "stopped",
        order.choices, order.arch, order.seed,
        accuracy=accuracy, accuracy_float=accuracy, metrics=metrics, rung=order.index,
        rungs=[*before, {"rung": order.index, "accuracy": accuracy, "cost": order.cost, "train_s": 0.0,
                         "besides_s": 0.0}],
        artifact={"file": "model.tflite", "format": "tflite", "bytes": len(model), "weights_sha256": "-"},
    )  # fmt: skip
    phase("promotion" if order.index else "storing")
    run.store(candidate, {"model.tflite": model, "weights.safetensors": weights})
    note(run.path, "stored", order.key, order.index)
    return candidate


class Noted(RunRecord):
    """The record, saying what it is at."""

    def open(self, axes, distributions, known):
        phase("opening study.db")
        super().open(axes, distributions, known)
        phase("proposal")

    def keep(self, candidate, values, broken):
        phase("candidate.json and study.db")
        super().keep(candidate, values, broken)

    def save(self, state, front):
        phase("state.json and front.json")
        super().save(state, front)
        phase("proposal")


class Inline:
    """Evaluates in this process."""

    slots = 1

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future

    def kill(self):
        pass


def session(folder: Path) -> None:
    """Go on with a run until it is done."""
    phase("opening")
    run = RunDir(folder)
    with run.locked():
        if (folder / "run.json").exists():
            run.open()
            run.clear_unfinished()
            run.check_whole()
            mend(run)
        else:
            run.create()
            about: dict = {name: {} for name in ("settings", "dataset", "space", "ladder")}
            run.data.mkdir()
            (run.data / "dataset.json").write_text("{}")
            run.begin({"layout": 3, **about})
        settings = Settings("made", ["null"], "nano", "random", TRIALS)
        job = Job(str(folder), Targets.load(["null"]), {})
        ladder = load_ladder("balanced")
        study = Study(
            run, settings, load_space("nano"), TASK, job, Fidelity(1), evaluate, Inline(), Listener(), ladder,
            Noted(run),
        )  # fmt: skip
        known = run.load_candidates()
        study.restore(known, run.state() or worked_out(known))
        phase("telling the strategy")
        study.search()
        phase("ending")
        study.save("finished")
        half_made = ("cut off while it was made", "study.db was missing")
        assert all(any(words in said for words in half_made) for said in run.repaired), run.repaired


def killed(folder: Path, delay_s: float, opened: bool) -> tuple[str, int]:
    """One session, killed after so long unless it is done before -> (what it was doing, exit code or -9).

    With `opened` its time begins when the run is open.
    """
    phase("")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            session(folder)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    end, gone, status = time.monotonic() + delay_s, 0, 0
    while not gone and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.01))
        if opened and PHASES[:7] in (bytes(7), b"opening", b"telling"):
            end = time.monotonic() + delay_s
        gone, status = os.waitpid(child, os.WNOHANG)
    if not gone:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return PHASES[:].rstrip(b"\0").decode(), os.waitstatus_to_exitcode(status)


def on_disk(folder: Path) -> set[tuple[str, int]]:
    """Trainings whose results are whole under their name: (key, rung)."""
    found = set()
    for file in folder.glob("candidates/[!.]*/candidate.json"):
        value = json.loads(file.read_text())
        found |= {(value["key"], row["rung"]) for row in value["rungs"]}
    return found


def problems(folder: Path) -> list[str]:
    """What is wrong with a run that is done, by its files and its log alone."""
    lines = [line.split() for line in (folder.parent / f"{folder.name}.log").read_text().splitlines()]
    stored: set[tuple[str, str]] = set()
    wrong = []
    for what, key, rung in lines:
        if what == "trains" and (key, rung) in stored:
            wrong.append(f"repeated {key} on rung {rung}")
        stored |= {(key, rung)} if what == "stored" else set()
    here = {(key, str(rung)) for key, rung in on_disk(folder)}
    wrong += [f"lost {key} on rung {rung}" for key, rung in stored - here]
    rows = [json.loads(file.read_text()) for file in folder.glob("candidates/*/candidate.json")]
    points = {
        row["key"]: (1 - row["accuracy"], row["metrics"]["macs"]["value"])
        for row in rows
        if row["status"] == "complete"
    }
    front = {
        key
        for key, p in points.items()
        if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points.values())
    }
    if set(json.loads((folder / "front.json").read_text())["keys"]) != front:
        wrong.append("front.json is not the front of candidates/")
    if len(rows) != TRIALS or len({row["number"] for row in rows}) != TRIALS:
        wrong.append(f"{len(rows)} candidates with {len({row['number'] for row in rows})} numbers")
    wrong += [f"left behind: {rest}" for rest in folder.rglob(".*")]
    import optuna

    study = optuna.load_study(study_name="edgeml", storage=RunDir(folder).storage_url)
    told = Counter((t.user_attrs["key"], t.user_attrs["rung"]) for t in study.get_trials(deepcopy=False))
    wrong += [f"study.db has {one} {times} times" for one, times in told.items() if times > 1]
    wrong += [f"study.db lacks {row['key']}" for row in rows if (row["key"], row["rung"]) not in told]
    return wrong


def copied(run: Path, to: Path) -> Path:
    """Go on elsewhere with what a kill has left; `run` is not looked at any more."""
    to.mkdir()
    if run.exists():
        shutil.copytree(run, to / run.name)
    if (log := run.with_name(f"{run.name}.log")).exists():
        shutil.copy(log, to / log.name)
    return to


def main(kills: int, folder: Path, seed: int = 0) -> int:
    """Kill so often; whole runs are checked when they are done."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Study.__init__.__globals__["TICK_S"] = 0.001
    rng, phases, runs, done, wrong = random.Random(seed), Counter[str](), 1, 0, list[str]()
    session(folder / "warm")  # what is imported late is imported now
    while done < kills or (folder / f"run{runs}" / "run.json").exists():
        run = folder / f"run{runs}"
        before = on_disk(run)
        where, code = killed(run, rng.uniform(0, ALONG_S) if done < kills else 60, done % 2 == 1)
        wrong += [f"{run.name}: lost at once: {one}" for one in before - on_disk(run)]
        if code == -signal.SIGKILL:
            done += 1
            phases[where] += 1
            if done % COPIED == 0:
                folder = copied(run, folder / f"copy{done}")
            continue
        if code:
            print(f"session ended with {code} in {run}", file=sys.stderr)
            return 1
        wrong += [f"{run.name}: {what}" for what in problems(run)]
        runs += 1
    print(json.dumps({"kills": done, "runs": runs - 1, "phases": phases.most_common(), "wrong": wrong}))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:4])))
