"""Damaged inputs of every kind that users give: no traceback, no hang, bounded memory.

nice .venv/bin/python bench/endurance_fuzz.py [--inputs 500] [--seed 0] [--kinds a,b] [--keep FOLDER]

The bar is 10,000 inputs (8 minutes): with so many results/endurance_fuzz.json is written, with fewer --out.

An input is made from valid ones by mutation (fuzz_mutations.py), of its number and the seed alone, so that a
finding can be made again (--only NUMBER). Most are read by the command's own function in a child that is
forked once and reads on until it dies; every 60th goes through a real process, and those that a native
runtime loads always do. Good: exit code 0 or 1, or code 2 with one line on stderr. The rest are findings:
a traceback, more lines or control characters, a signal, more than LIMIT_S seconds or MEMORY bytes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import fuzz_data, fuzz_media, fuzz_runs  # noqa: E402
from bench.fuzz_reading import LIMIT_S, START_S, in_process, patched, sendable, work  # noqa: E402

SLOWEST = 6
"""LIMIT_S is of processor time, as others may use the machine; of the clock's it is so many times more."""
MEMORY = 4 << 30
"""Bytes of address space that a reader may take beyond what the libraries take."""
PROCESS_EVERY = 60
FULL = 10_000
OUT = Path(__file__).parent / "results" / "endurance_fuzz.json"

KINDS: dict[str, tuple[int, Callable[[random.Random, Path], list[str]]]] = {
    "space YAML": (10, fuzz_data.space),
    "target YAML": (10, fuzz_data.target),
    "fidelity YAML": (6, fuzz_data.fidelity),
    "inheriting targets": (1, fuzz_runs.own_ops),
    "CSV table": (9, fuzz_data.table),
    "CSV recordings": (4, fuzz_data.recordings),
    "Parquet table": (5, fuzz_data.parquet),
    "NPZ": (7, fuzz_data.npz),
    "IDX": (5, fuzz_data.idx),
    "WAV folders": (6, fuzz_media.wav),
    "image folders": (7, fuzz_media.pictures),
    "manifest": (5, fuzz_media.manifest),
    "odd places": (3, fuzz_media.places),
    "TFLite check": (12, fuzz_runs.check),
    "TFLite measure": (0, fuzz_runs.measure),
    "calibration CSV": (3, fuzz_runs.calibrate),
    "run: report": (6, fuzz_runs.report),
    "run: leaderboard": (5, fuzz_runs.leaderboard),
    "run: compare": (4, fuzz_runs.compare),
    "run: check": (2, fuzz_runs.check_run),
    "run: export": (5, fuzz_runs.export),
    "run: dashboard": (1, fuzz_runs.study),
    "weights": (4, fuzz_runs.bank),
    "exported folder": (6, fuzz_runs.spec),
    "options": (9, fuzz_runs.options),
}
NATIVE = "TFLite measure"
"""Read in a real process always: LiteRT and tflite-micro may crash."""


def kind_of(number: int, names: list[str]) -> str:
    """Kinds in turn, as often as their weight says; every 100th input is for a native runtime."""
    if NATIVE in names and (number % 100 == 99 or names == [NATIVE]):
        return NATIVE
    turn = [name for name in names for _ in range(KINDS[name][0])]
    random.Random(7).shuffle(turn)
    return turn[number % len(turn)]


def one(number: int, seed: int, names: list[str], folder: Path) -> tuple[str, bool, dict[str, Any]]:
    """An input, made and read -> its kind, whether a real process read it, and what came of it."""
    rng = random.Random(f"{seed}:{number}")
    kind = kind_of(number, names)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)  # what an option names is written there
    command = sendable(KINDS[kind][1](rng, folder))
    real = kind == NATIVE or (number % PROCESS_EVERY == 0 and not command[0].startswith("@"))
    result = in_process(command) if real else work(command)
    return kind, real, {"command": command, **result}


def child(pipe: Connection, seed: int, names: list[str], folder: Path) -> None:
    """Read inputs as their numbers come, until the pipe closes."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        number = pipe.recv()
        if number is None:
            return
        Path("/proc/self/clear_refs").write_text("5")  # the peak is of this input
        before, start = _kilobytes("VmRSS"), time.monotonic()
        try:
            kind, real, result = one(number, seed, names, folder / "input")
        except BaseException:
            kind, real, result = (
                kind_of(number, names),
                False,
                {"what": "fuzzer", "why": traceback.format_exc()},
            )
        result.setdefault("seconds", time.monotonic() - start)
        pipe.send((kind, real, result, max(0, _kilobytes("VmHWM") - before) / 1000))


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name + ":")))


class Reader:
    """A child that can be replaced when it hangs or dies."""

    def __init__(self, *given: Any) -> None:
        self._given = given
        self._start()

    def _start(self) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=child, args=(other, *self._given))
        self._process.start()
        other.close()

    def read(self, number: int, limit_s: float) -> tuple[str, bool, dict[str, Any], float]:
        """An input -> its kind, whether in a real process, what came of it, MB beyond the start."""
        kind = kind_of(number, self._given[1])
        self._pipe.send(number)
        start, begun = time.monotonic(), self._processor_s()
        try:
            while time.monotonic() - start < SLOWEST * limit_s and self._processor_s() - begun < limit_s:
                if self._pipe.poll(0.5):
                    found: tuple[str, bool, dict[str, Any], float] = self._pipe.recv()
                    return found
            spent = self._processor_s() - begun
            what = {"what": "hang", "why": f"no end within {spent:.1f} s of processor time"}
        except (EOFError, ConnectionResetError):
            self._process.join(5)
            what = {"what": "crash", "why": f"exit code {self._process.exitcode}"}
        self.close()
        self._start()
        return kind, False, what, 0.0

    def _processor_s(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.join()


BAD = ("traceback", "not one sentence", "hang", "crash", "memory", "fuzzer")


def main(argv: list[str]) -> int:
    """Make and read the inputs, print a table and JSON; 1 where there was a finding."""
    asked = _parsed(argv)
    names = [name for name in KINDS if not asked.kinds or name in asked.kinds.split(",")]
    folder = Path(tempfile.mkdtemp(prefix="edgeml-fuzz-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["TMPDIR"] = str(folder)
    try:
        return _run(asked, names, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=1e9, help="end after so long, with what there is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="", help="names of KINDS with commas between them")
    parser.add_argument("--only", type=int, help="make this input alone, and say where it lies")
    parser.add_argument(
        "--seeds", type=Path, help="folder of an earlier make_seeds, made where it is missing"
    )
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser.parse_args(argv)


def _run(asked: argparse.Namespace, names: list[str], folder: Path) -> int:
    seeds = asked.seeds or folder / "seeds"
    if not (seeds / "export").is_dir():
        script = str(Path(__file__).with_name("fuzz_runs.py"))
        subprocess.run([sys.executable, script, str(seeds)], check=True, stdout=2)
    os.environ[fuzz_runs.SEEDS] = str(seeds.resolve())
    if asked.only is not None:
        print(json.dumps(one(asked.only, asked.seed, names, asked.keep or Path("fuzz-input")), indent=1))
        return 0
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    peaks: dict[str, float] = defaultdict(float)
    slowest: dict[str, float] = defaultdict(float)
    findings: dict[str, dict[str, Any]] = {}
    fuzz_data.bombs()
    patched()  # what is imported before children are forked is there for each at once
    start, real_ones = time.monotonic(), 0
    reader = Reader(asked.seed, names, folder)
    for number in range(asked.inputs):
        if time.monotonic() - start > 60 * asked.minutes:
            break
        real = number % PROCESS_EVERY == 0 or kind_of(number, names) == NATIVE
        kind, really, result, peak = reader.read(number, LIMIT_S + 2 * START_S if real else LIMIT_S)
        real_ones += really
        rows[kind][result["what"]] += 1
        peaks[kind] = max(peaks[kind], peak)
        if not really:
            slowest[kind] = max(slowest[kind], result.get("seconds", LIMIT_S))
        if result["what"] in BAD:
            place = f"{kind}: {result['what']}: {result['why'][-400:].strip()}"
            found = findings.setdefault(place, {"kind": kind, "number": number, "times": 0, **result})
            found["times"] += 1
            if found["times"] == 1:
                print(f"finding {number} {place}", file=sys.stderr, flush=True)
            if found["times"] == 1 and asked.keep:
                target = asked.keep / f"{kind.replace(': ', '-').replace(' ', '-')}-{number}"
                shutil.copytree(folder / "input", target, symlinks=True, dirs_exist_ok=True)
    reader.close()
    seconds = time.monotonic() - start
    summary = _summary(asked, rows, peaks, slowest, findings, seconds, real_ones)
    _print(summary)
    if out := asked.out or (OUT if asked.inputs >= FULL else None):
        out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return bool(findings)


def _summary(asked, rows, peaks, slowest, findings, seconds, real_ones) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    kinds = {
        kind: {
            "inputs": sum(rows[kind].values()),
            **{what: rows[kind][what] for what in ("clean", "sentence", *BAD)},
            "peak_mb": round(peaks[kind]),
            "slowest_s": round(slowest[kind], 2),
        }
        for kind in KINDS
        if kind in rows
    }
    total = {what: sum(one[what] for one in kinds.values()) for what in ("inputs", "clean", "sentence", *BAD)}
    return {
        "seed": asked.seed,
        "seconds": round(seconds),
        "in_real_processes": real_ones,
        "limit_s": LIMIT_S,
        "total": {**total, "peak_mb": max(one["peak_mb"] for one in kinds.values())},
        "kinds": kinds,
        "findings": [{**one, "why": one["why"][-1500:]} for one in findings.values()],
        "versions": {
            "python": platform.python_version(),
            **{
                name: version(name) for name in ("edgeml", "numpy", "pillow", "pyarrow", "pyyaml", "pydantic")
            },
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    }


def _print(summary: dict[str, Any]) -> None:
    heads = ("inputs", "clean", "sentence", *BAD, "peak_mb", "slowest_s")
    print(f"{'kind':<20}" + "".join(f"{head[:9]:>10}" for head in heads))
    for kind, one in {**summary["kinds"], "all": {"slowest_s": "", **summary["total"]}}.items():
        print(f"{kind:<20}" + "".join(f"{one[head]!s:>10}" for head in heads))
    for found in summary["findings"]:
        print(f"\n{found['kind']} {found['number']} ({found['times']} times): {found['what']}")
        print(found["why"][-900:])
    print(f"{summary['total']['inputs']} inputs in {summary['seconds']} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
