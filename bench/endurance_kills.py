"""`edgeml search` killed with -9 at random instants and resumed: is a finished training lost, or done twice?

The real command on digits, with rungs, in turn with --compress and --inherit bank. Its length is that of an
undisturbed run. Every session is killed after a time drawn uniformly from it, unless it is done before; then
the run is checked and another begins. "Finished" is a training whose candidate was whole on disk, or whose
line was printed, before the kill. "Repeated" is one whose row in candidate.json (its seconds too) is another
afterwards, or whose line is printed twice. The front is worked out again from candidates/ alone.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

RESULT = Path(__file__).parent / "results" / "endurance_kills.json"
COMMON = ["--data", "digits", "--target", "null", "--trials", "5", "--epochs", "2"]
KINDS = (
    ["--compress", "none"],
    ["--compress", "ptq"],
    ["--compress", "none", "--inherit", "bank"],
    ["--compress", "qat", "--strategy", "random"],
)
LINE = re.compile(r"^\[\d+/\d+\] ([0-9a-f]{12}) rung (\d)", re.MULTILINE)
ORPHAN_S = 20.0

Training = tuple[str, int]


@dataclass
class Found:
    """What the kills have shown."""

    kills: int = 0
    sessions: int = 0
    runs: int = 0
    finished: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    orphans_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Seen:
    """What was finished before a kill: rows of candidate.json, and lines printed."""

    rows: dict[Training, Any] = field(default_factory=dict)
    printed: Counter[Training] = field(default_factory=Counter)


def command(run: Path, kind: list[str]) -> list[str]:
    """What starts a run or goes on with it."""
    again = ["--resume"] if (run / "run.json").exists() else []
    return [sys.executable, "-m", "edgeml.cli", "search", *COMMON, *kind, "--out", str(run), *again]


def rows_on_disk(run: Path) -> dict[Training, Any]:
    """Rows of all trainings whose folder is whole, by key and rung; a variant counts as one."""
    found: dict[Training, Any] = {}
    for file in run.glob("candidates/[!.]*/candidate.json"):
        value = json.loads(file.read_text())
        for row in value["rungs"]:
            found[value["key"], row["rung"]] = {k: v for k, v in row.items() if k != "at_s"}
    return found


def phase(run: Path, said: str) -> str:
    """What a killed session was at, by what it had printed and what lies in the run directory."""
    hidden = [path.name for path in run.glob("candidates/.*")]
    if not (run / "run.json").exists():
        return "before run.json"
    if any(name.endswith(".before") for name in hidden):
        return "promotion: folders swapped"
    if hidden:
        return "storing a candidate"
    if "searching " not in said:
        return "opening the run"
    state = json.loads((run / "state.json").read_text()) if (run / "state.json").exists() else {}
    if state.get("status") == "finished":
        return "report"
    lines = len(LINE.findall(said))
    return f"searching, {min(lines, 5)}{'+' if lines >= 5 else ''} trainings printed in this session"


def session(run: Path, kind: list[str], limit_s: float, found: Found, seen: Seen) -> bool:
    """One session, killed after `limit_s` unless it is done before; whether it is done."""
    log = run.parent / f"{run.name}.{found.sessions}.err"
    found.sessions += 1
    with log.open("w") as err:
        process = subprocess.Popen(command(run, kind), cwd=run.parent, stdout=subprocess.DEVNULL, stderr=err)
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            process.wait()
            code, began = None, time.monotonic()
            psutil.wait_procs(children, ORPHAN_S)
            found.orphans_s.append(round(time.monotonic() - began, 2))
            left = [child for child in children if child.is_running() and child.status() != "zombie"]
            found.wrong += [f"{run.name}: an orphan is left: {child}" for child in left]
    said = log.read_text()
    seen.printed.update((key, int(rung) - 1) for key, rung in LINE.findall(said))
    if code not in (None, 0) or "Traceback" in said:
        found.wrong.append(f"{run.name}: exit code {code}: {said[-300:]}")
    now = rows_on_disk(run)
    for training, row in seen.rows.items():
        if training not in now:
            found.wrong.append(f"{run.name}: lost {training}")
        elif now[training] != row:
            found.wrong.append(f"{run.name}: repeated {training}")
    if code is None:
        where = phase(run, said)
        found.kills += 1
        found.phases[where] += 1
        print(
            f"kill {found.kills} of {run.name} after {limit_s:.1f} s: {where}; {len(now)} finished",
            flush=True,
        )
    seen.rows |= now
    return code is not None


def check(run: Path, found: Found, seen: Seen) -> None:
    """A run that is done: everything finished is there, nothing twice, and the front is the front."""
    found.runs += 1
    found.finished += len(seen.rows)
    found.wrong += [f"{run.name}: printed twice: {one}" for one, times in seen.printed.items() if times > 1]
    found.wrong += [f"{run.name}: printed and lost: {one}" for one in seen.printed if one not in seen.rows]
    names = [one["name"] for one in json.loads((run / "run.json").read_text())["objectives"][1:]]
    points = {}
    trials = set()
    for file in run.glob("candidates/*/candidate.json"):
        value = json.loads(file.read_text())
        if not (value.get("compression") or {}).get("of"):
            trials.add(value["number"])
        if value["status"] == "complete":
            costs = (value["metrics"][name]["value"] for name in names)
            points[value["key"]] = (1 - value["accuracy"], *costs)
    front = {
        key
        for key, p in points.items()
        if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points.values())
    }
    if set(json.loads((run / "front.json").read_text())["keys"]) != front:
        found.wrong.append(f"{run.name}: front.json is not the front of candidates/")
    if len(trials) != 5:
        found.wrong.append(f"{run.name}: {len(trials)} trials, expected 5")
    state = json.loads((run / "state.json").read_text())
    if state["status"] != "finished" or not (run / "report.html").exists():
        found.wrong.append(f"{run.name}: state.json says {state['status']}")
    found.wrong += [f"{run.name}: left behind: {rest}" for rest in run.rglob(".*")]


def main(argv: list[str]) -> int:
    """Kill until there are enough; prints a table and JSON, writes bench/results/endurance_kills.json."""
    parser = argparse.ArgumentParser("endurance.py kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(argv)
    from edgeml.search.session import host, versions

    rng, found, began = random.Random(given.seed), Found(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeml-kills-") as name:
        folder = Path(name)
        lengths = []
        for index, kind in enumerate(KINDS[:2]):
            start = time.monotonic()
            session(folder / f"undisturbed{index}", kind, 600, Found(), Seen())
            lengths.append(time.monotonic() - start)
        length = sum(lengths) / len(lengths)
        print(f"an undisturbed run takes {length:.0f} s", flush=True)
        while found.kills < given.kills:
            run, seen = folder / f"run{found.runs}", Seen()
            kind = KINDS[found.runs % len(KINDS)]
            while not session(run, kind, rng.uniform(0, length), found, seen):
                if found.kills >= given.kills:
                    session(run, kind, 600, found, seen)
                    break
            check(run, found, seen)
            shutil.rmtree(run)
    result = {
        "kills": found.kills,
        "runs": found.runs,
        "sessions": found.sessions,
        "finished_trainings": found.finished,
        "lost": sum("lost" in one for one in found.wrong),
        "repeated": sum("repeated" in one or "twice" in one for one in found.wrong),
        "wrong": found.wrong,
        "phases": dict(found.phases.most_common()),
        "longest_orphan_s": max(found.orphans_s, default=0.0),
        "undisturbed_s": round(length, 1),
        "took_s": round(time.monotonic() - began),
        "versions": versions(),
        "host": host(),
    }
    print(json.dumps(result, indent=1))
    for where, times in found.phases.most_common():
        print(f"{times:4d}  {where}")
    print(f"{found.kills} kills in {found.runs} runs: {result['lost']} lost, {result['repeated']} repeated")
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
