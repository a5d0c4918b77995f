"""The search engine alone: the product's Study, archive, record and strategies, without any training.

Every trial goes the product's whole way: proposed, judged, its parent looked for, its folder stored and
flushed, archived, told to the strategy, noted in study.db. Accuracies come from the architecture's MACs and
its key. The target is `null`, the space `micro_cell`.

    python bench/endurance.py engine                       # 10,000 trials of each of four strategies
    python bench/endurance.py engine --trials 100000 --strategies random --ladders two
    python bench/endurance.py engine --resume RUN          # how long a run that is there takes to go on
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order, stamp
from edgeml.search.ladder import FULL, Ladder, load_ladder
from edgeml.search.progress import Listener
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings
from edgeml.search.stopwatch import Stopwatch
from edgeml.search.study import Study
from edgeml.search.workers.executor import Inline
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity

TASK = Task((32, 32, 3), 10)
MARKS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
WINDOW = 500
"""Proposals that the figures at a mark are taken from."""
HISTORY = 12  # epochs of the made-up learning curve


def rss_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def disk_bytes(path: Path) -> int:
    """Space that a folder takes on disk."""
    total = 0
    for folder, _, files in os.walk(path):
        total += os.lstat(folder).st_blocks * 512
        total += sum((Path(folder) / name).lstat().st_blocks * 512 for name in files)
    return total


class Trainer:
    """Stands in for training: a candidate as the real one leaves it, at once, its folder stored."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.study: Study | None = None

    def __call__(self, job: Job, order: Order) -> Candidate:
        assert self.study is not None
        known = self.study.proposer.outlook(order.choices)
        assert known is not None
        macs = cost(known.graph).macs
        chance = zlib.crc32(f"{order.key}{order.index}".encode()) / 2**32
        reached = 0.035 * len(bin(int(macs))) * order.rung.epochs**0.15
        accuracy = min(0.99, reached + 0.04 * chance)
        before = order.before
        row = {
            "rung": order.index, "epochs": order.rung.epochs * HISTORY, "accuracy": accuracy,
            "accuracy_float": accuracy, "cost": order.cost, "train_s": 1.0, "besides_s": 0.5, "cpu_s": 1.0,
            "curve": [accuracy * (1 - 0.5 ** (i + 1)) for i in range(10)],
        }  # fmt: skip
        epochs = [
            {"epoch": i, "loss": 1 / (i + 1), "accuracy": accuracy * i / HISTORY} for i in range(HISTORY)
        ]
        figures: dict[str, dict[str, Any]] = {
            name: {
                "metric": name, "value": value, "unit": "1", "kind": "counted", "tool": "made up",
                "low": value, "high": value, "n": 1, "conditions": {},
            }
            for name, value in (("macs", macs), ("size_bytes", macs / 100), ("ram_bytes", macs / 50))
        }  # fmt: skip
        candidate = Candidate(
            order.key, order.number, "complete" if order.top else "stopped", order.choices, order.arch,
            order.seed, accuracy=accuracy, accuracy_float=accuracy, rung=order.index, metrics=figures,
            rungs=[*(before.rungs if before else []), row], recipe=order.recipe.to_dict(),
            parent=order.parent, source="overlap" if order.parent else None,
            artifact={"format": "tflite", "file": "model.tflite", "bytes": 0, "sha256": "0" * 64},
            history=[*(before.history if before else []), *epochs], time_s={"train": 0.0},
        )  # fmt: skip
        candidate = stamp(candidate, order.at_s + 1e-3)
        self.run.store(candidate, {})
        return candidate


def study_in(path: Path, strategy: str, ladder: Ladder, trials: int, seed: int = 0) -> Study:
    """A study on a run directory, its trainings made up."""
    run = RunDir(path)
    run.candidates.mkdir(parents=True, exist_ok=True)
    settings = Settings("made up", ["null"], "micro_cell", strategy, trials, seed=seed)
    trainer = Trainer(run)
    study = Study(
        run, settings, load_space("micro_cell"), TASK, Job(str(path), Targets.load(["null"]), {}, "morph"),
        Fidelity(float(HISTORY)), trainer, Inline(), Watcher(), ladder,
    )  # fmt: skip
    trainer.study = study
    study.clock = Processor(study.seconds)
    return study


class Processor(Stopwatch):
    """Also adds up the processor's seconds, which other work on the machine does not change much."""

    def __init__(self, seconds: defaultdict[str, float]) -> None:
        super().__init__()
        self.seconds = seconds
        self.cpu: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done inside `with`."""
        began = time.process_time()
        with super().__call__(stage):
            yield
        self.cpu[stage] += time.process_time() - began


class Watcher(Listener):
    """Notes memory and time at the marks, and how long proposals took."""

    def __init__(self) -> None:
        self.proposals: list[tuple[float, float]] = []
        self.marks: list[dict[str, Any]] = []
        self.report: Callable[[dict[str, Any]], None] = lambda mark: None
        self._proposed = (0.0, 0.0)
        self._began = time.perf_counter()
        self._cpu = time.process_time()
        self._last = 0

    def finished(self, study: Study, candidate: Candidate) -> None:
        """A trial is done."""
        assert isinstance(study.clock, Processor)
        spent = (study.seconds["proposal"], study.clock.cpu["proposal"])
        done = study.progress.trials
        if done == self._last:  # a promotion: its training is no trial of its own
            return
        self._last = done
        self.proposals.append((1e3 * (spent[0] - self._proposed[0]), 1e3 * (spent[1] - self._proposed[1])))
        self._proposed = spent
        del self.proposals[:-WINDOW]
        if done in MARKS or done == study.settings.trials:
            ordered, cpu = (sorted(column) for column in zip(*self.proposals, strict=True))
            mark = {
                "trials": done,
                "seconds": round(time.perf_counter() - self._began, 2),
                "cpu_s": round(time.process_time() - self._cpu, 2),
                "rss_bytes": rss_bytes(),
                "proposal_ms": round(statistics.median(ordered), 3),
                "proposal_ms_p95": round(ordered[int(0.95 * len(ordered))], 3),
                "proposal_ms_max": round(ordered[-1], 3),
                "proposal_cpu_ms": round(statistics.median(cpu), 3),
                "proposal_cpu_ms_mean": round(statistics.mean(cpu), 3),
                "proposal_cpu_ms_p95": round(cpu[int(0.95 * len(cpu))], 3),
            }
            self.marks.append(mark)
            self.report(mark)


def measured(path: Path, strategy: str, ladder: Ladder, trials: int) -> dict[str, Any]:
    """One search in a new run directory -> its figures, then how long it takes to go on with it."""
    study = study_in(path, strategy, ladder, trials)
    watcher = study._listener
    assert isinstance(watcher, Watcher)
    name = f"{strategy}, {ladder.top + 1} rung(s)"
    watcher.report = lambda mark: print(f"{name}: {json.dumps(mark)}", flush=True)
    study.search()
    study.save(study.status)
    done = study.progress.trials
    first = next((m for m in watcher.marks if m["trials"] == 1_000), watcher.marks[0])
    last = watcher.marks[-1]
    grown = (last["rss_bytes"] - first["rss_bytes"]) / max(1, last["trials"] - first["trials"])
    return {
        "strategy": strategy, "rungs": ladder.top + 1, "trials": done, "marks": watcher.marks,
        "ms_a_trial": round(1e3 * last["seconds"] / done, 3),
        "rss_growth_bytes_a_trial": round(grown, 1),
        "disk_bytes_a_trial": round(disk_bytes(path) / done),
        "study_db_bytes_a_trial": round((path / "study.db").stat().st_size / done),
        "state_json_bytes": (path / "state.json").stat().st_size,
        "front": len(study.archive.front()),
    }  # fmt: skip


def resumed(path: Path, strategy: str, ladder: Ladder) -> dict[str, Any]:
    """A run that is there -> seconds until its next proposal, and what that took."""
    began, before, cpu = time.perf_counter(), rss_bytes(), time.process_time()
    study = study_in(path, strategy, ladder, 10**9)
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    study.restore(study.run.each_candidate(), state)
    loaded = time.perf_counter()
    with study.clock("proposal"):
        study._open()
    opened = time.perf_counter()
    assert study._next() is not None
    ended = time.perf_counter()
    return {
        "trials": study.progress.trials, "resume_s": round(ended - began, 2),
        "read_s": round(loaded - began, 2), "open_s": round(opened - loaded, 2),
        "first_proposal_s": round(ended - opened, 3), "cpu_s": round(time.process_time() - cpu, 2),
        "rss_bytes": rss_bytes(), "grown_bytes": rss_bytes() - before,
    }  # fmt: skip


def _in_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Call in a forked process, so that one search's memory is not counted as the next one's."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w") as file:
            json.dump(work(), file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if status or not text:
        raise SystemExit(f"a search ended with status {status}")
    found: dict[str, Any] = json.loads(text)
    return found


def main(argv: list[str]) -> int:
    """Print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--strategies", default="auto,random,evolution,bayesian")
    parser.add_argument("--ladders", default="full,balanced", help="full: one rung; or names of fidelities")
    parser.add_argument("--runs", type=Path, default=Path("/tmp/edgeml-engine"), help="folder for the runs")
    parser.add_argument("--resume", type=Path, help="only time how long this run takes to go on")
    parser.add_argument("--out", type=Path, help="write the JSON here, after every search")
    options = parser.parse_args(argv)
    result: dict[str, Any] = {
        "python": platform.python_version(), "optuna": version("optuna"), "edgeml": version("edgeml"),
        "machine": platform.platform(), "cores": os.cpu_count(), "rows": [],
    }  # fmt: skip
    for kind in options.ladders.split(","):
        ladder = FULL if kind == "full" else load_ladder(kind)
        for strategy in options.strategies.split(","):
            if options.resume:
                rows = [{"resume": _in_child(partial(resumed, options.resume, strategy, ladder))}]
            else:
                path = options.runs / f"{strategy.replace(':', '-')}-{kind}-{options.trials}"
                if path.exists():
                    parser.error(f"{path} is there already; remove it or choose another --runs")
                row = _in_child(partial(measured, path, strategy, ladder, options.trials))
                row["resume"] = _in_child(partial(resumed, path, strategy, ladder))
                rows = [row]
            result["rows"] += rows
            if options.out:
                options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))
    for row in result["rows"]:
        print(_line(row))
    return 0


def _line(row: dict[str, Any]) -> str:
    again = row["resume"]
    if "marks" not in row:
        memory = f"{again['rss_bytes'] / 1e6:.0f} MB"
        return f"| resume of {again['trials']:,} | {again['resume_s']} s | {memory} |"
    last = row["marks"][-1]
    return (
        f"| {row['strategy']} | {row['rungs']} | {row['trials']:,} | {row['ms_a_trial']:.1f} ms | "
        f"{last['proposal_cpu_ms']:.1f} / {last['proposal_cpu_ms_p95']:.1f} CPU ms | "
        f"{row['rss_growth_bytes_a_trial']:.0f} B | {row['disk_bytes_a_trial'] / 1e3:.1f} kB | "
        f"{again['resume_s']:.1f} s |"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
