"""edgeml and its peers on the same data, with the same budget of processor seconds, scored by the same code.

    bash bench/showdown_peers/environment.sh        # once: the peers' own environment
    python bench/showdown.py --task digits --budget 150 --seeds 3 [--tools edgeml,optuna-tpe] [--core 0]

Runs what bench/results/showdown/ lacks of this kind of processor, one JSON file a run, and prints the table
of the task; `python bench/showdown_table.py` prints all. With --core each tool has that core to itself, so
that two tasks can run side by side; the files say it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent))

from bench.showdown_score import Found, kept, score  # noqa: E402
from bench.showdown_table import folder_of, show  # noqa: E402
from bench.showdown_tasks import TASKS, AbsentError, prepare, source_of  # noqa: E402
from bench.showdown_tree import run  # noqa: E402
from edgeml.target.host_cpu import cpu_name  # noqa: E402

PEERS_PYTHON = Path(
    os.environ.get(
        "EDGEML_PEERS_PYTHON", Path.home() / ".cache" / "edgeml-bench" / "peers" / "bin" / "python"
    )
)
PEERS = (
    "keras-tuner-bayesian", "keras-tuner-hyperband", "autokeras",
    "optuna-tpe", "optuna-nsga2", "syne-tune-moasha",
)  # fmt: skip
REFERENCES = ("resnet8", "ds-cnn", "mobilenetv1-0.25", "mobilenetv2-0.35", "mobilenetv3-small-minimalistic")
TOOLS = ("edgeml", *PEERS, *(f"reference:{name}" for name in REFERENCES))
TARGET = "mcu-m7"
"""edgeml's, on every task: its costs are the arena and an MCU's latency. Everything else is default."""
LEAST_BUSY = 0.9
"""Processor seconds a second of wall clock that a run with a core to itself has at the least."""
LEFT = 0.92
"""Of the budget goes into edgeml's --time; the rest is for the start and for finishing the front."""


class Edgeml:
    """A run of edgeml: the command, and the fully trained candidates as they come.

    A candidate that is trained further is another model, and the one before stays in `models`.
    """

    def __init__(self, place: Path, out: Path, budget_s: float, seed: int, options: list[str]) -> None:
        self.run, self.models, self.seen = out / "run", out / "models", dict[Path, float]()
        self._known = dict[Path, tuple[int, int]]()
        self.commit = _commit(_sources())
        self.time_s = round(LEFT * budget_s / _processor_per_wall())
        program = str(Path(sys.executable).with_name("edgeml"))
        self.command = [
            program, "search", "--data", str(source_of(place)), "--target", TARGET,
            "--time", f"{self.time_s}s", "--seed", str(seed), "--out", str(self.run), *options,
        ]  # fmt: skip

    def look(self, cpu_s: float) -> None:
        """Copy what is complete now and was not before, or has other weights."""
        for file in self.run.glob("candidates/*/candidate.json"):
            if file.parent.name.startswith("."):  # it is not in its place yet
                continue
            with contextlib.suppress(OSError, ValueError, KeyError):  # it is being written: next time
                mark = file.stat().st_ino, file.stat().st_mtime_ns
                if self._known.get(file) != mark and self._taken(file, cpu_s):
                    self._known[file] = mark

    def _taken(self, file: Path, cpu_s: float) -> bool:
        """Copy a candidate's model where it is new; False where another one has just taken its place."""
        about = file.read_bytes()
        candidate = json.loads(about)
        if candidate["status"] != "complete":
            return True
        model, named = (file.parent / "model.tflite").read_bytes(), candidate["artifact"]["sha256"]
        if hashlib.sha256(model).hexdigest() != named:
            return False
        place = self.models / f"{candidate['key']}.{named[:8]}"
        if place not in self.seen:
            place.mkdir(parents=True, exist_ok=True)
            (place / "model.tflite").write_bytes(model)
            (place / "candidate.json").write_bytes(about)
            self.seen[place] = cpu_s
        return True

    def found(self) -> list[Found]:
        """What it made, oldest first."""
        return [Found(place / "model.tflite", cpu_s, self.run) for place, cpu_s in self.seen.items()]

    def about(self) -> dict[str, Any]:
        """Version, commit and settings."""
        from importlib.metadata import version

        settings = f"--target {TARGET} --time {self.time_s}s, all else default"
        versions = {"edgeml": version("edgeml"), "commit": self.commit}
        return {"versions": versions, "settings": settings, "user_lines": 1}


def _sources() -> Path:
    """The edgeml that the command runs, which need not be the one beside this script."""
    command = [sys.executable, "-P", "-c", "import edgeml; print(edgeml.__path__[0])"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def _commit(tree: Path) -> str:
    """The commit that a tree of sources is of, `-dirty` where its files were changed since."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Peer:
    """A run of another tool, by the contract of showdown_peers/run.py."""

    def __init__(self, tool: str, place: Path, out: Path, budget_s: float, seed: int) -> None:
        self.out, self.seen = out / "peer", dict[str, float]()
        self.command = [
            str(PEERS_PYTHON), str(BENCH / "showdown_peers" / "run.py"), tool,
            "--task", str(place / "peers.npz"),
            "--budget", str(budget_s), "--seed", str(seed), "--out", str(self.out),
        ]  # fmt: skip

    def look(self, cpu_s: float) -> None:
        """Note models that its progress names now and did not before."""
        try:
            lines = (self.out / "progress.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return
        for line in lines:
            try:
                self.seen.setdefault(json.loads(line)["model"], cpu_s)
            except (ValueError, KeyError):
                continue

    def found(self) -> list[Found]:
        """What it made, oldest first."""
        return [Found(self.out / "models" / name, cpu_s) for name, cpu_s in self.seen.items()]

    def about(self) -> dict[str, Any]:
        """What it says about itself."""
        try:
            said: dict[str, Any] = json.loads((self.out / "about.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"error": "it left no about.json"}
        return said


def one(
    task: str, tool: str, budget_s: float, seed: int, work: Path, core: int | None, options: list[str]
) -> dict[str, Any]:
    """One tool on one task with one seed -> what goes into its JSON file."""
    place = prepare(task, work / "tasks")
    out = work / "runs" / _name(task, tool, budget_s, seed, options)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made: Edgeml | Peer
    if tool == "edgeml":
        made = Edgeml(place, out, budget_s, seed, options)
    else:
        made = Peer(tool, place, out, budget_s, seed)
    ended = run(made.command, budget_s, out / "log.txt", made.look, core)
    in_budget = [found for found in made.found() if found.cpu_s <= budget_s]
    rows, failures = score(in_budget, place / "scoring.npz")
    return {
        "task": task, "tool": tool, "budget_cpu_s": budget_s, "seed": seed, "options": options,
        "cores": 1 if core is not None else len(os.sched_getaffinity(0)), "processor": cpu_name(),
        "cpu_s": ended.cpu_s, "wall_s": ended.wall_s, "code": ended.code, "killed": ended.killed,
        "models_made": len(made.found()), "models_in_budget": len(rows), "not_scored": failures,
        "about": made.about(), "models": kept(rows),
    }  # fmt: skip


def _name(task: str, tool: str, budget_s: float, seed: int, options: list[str]) -> str:
    changed = "".join(options).replace("--", "_").replace("=", "-")
    return f"{task}.{tool.replace(':', '-')}{changed}.{budget_s:g}.{seed}"


def _processor_per_wall() -> float:
    """Processor seconds a second of wall clock in edgeml's runs so far here; 1 before there are any.

    Runs that had to share their core are no measure, so it is never taken for less than LEAST_BUSY.
    """
    ratios = []
    for file in folder_of(cpu_name()).glob("*.edgeml.*.json"):
        read = json.loads(file.read_text(encoding="utf-8"))
        if read["cores"] == 1 and not read["options"]:
            ratios.append(read["cpu_s"] / read["wall_s"])
    return max(LEAST_BUSY, statistics.median(ratios)) if ratios else 1.0


def main() -> None:
    """Run what is missing, then print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--task", choices=list(TASKS), required=True)
    asked.add_argument(
        "--budget", type=float, required=True, help="processor seconds of the whole process tree"
    )
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--tools", default=",".join(TOOLS))
    asked.add_argument("--core", type=int, help="the only core a tool may use")
    asked.add_argument(
        "--options", default="", help="more options of `edgeml search`, for ablations: --no-curves"
    )
    asked.add_argument("--work", type=Path, default=Path("/tmp/showdown"))
    asked.add_argument("--again", action="store_true", help="run what is there already")
    given = asked.parse_args()
    results = folder_of(cpu_name())
    results.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for tool in given.tools.split(","):
            options = given.options.split() if tool == "edgeml" else []
            file = results / f"{_name(given.task, tool, given.budget, seed, options)}.json"
            if file.exists() and not given.again:
                continue
            try:
                found = one(given.task, tool, given.budget, seed, given.work, given.core, options)
            except AbsentError as error:
                sys.exit(f"skipped: {error}")
            file.write_text(json.dumps(found) + "\n", encoding="utf-8")
            best = max((row["test"] for row in found["models"]), default=0)
            print(
                f"{file.name}: {found['cpu_s']:.0f} CPU s, {found['models_in_budget']} models, "
                f"best {best:.3f}",
                flush=True,
            )
    show(given.task, given.budget, cpu_name())


if __name__ == "__main__":
    main()
