"""A search whose database goes away again and again, and what a second coordinator is worth.

    python bench/endurance.py database [--trials 40] [--stops 5] [--down 8]

Starts a PostgreSQL server of its own (initdb and pg_ctl have to be installed), then

outages   one search of small trainings; the server is stopped (as if the machine were gone) and started again
          several times while it runs. What must hold: it finishes, every trial is in the run directory, in
          the results and in Optuna's tables once.
speed     the same search with one coordinator and with two, each on half of the cores.
claims    eight threads ask for 500 trainings; each must be given exactly once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from edgeml.search.database.database import Database
from edgeml.search.run_dir import RunDir
from edgeml.search.shared.folders import SameDisk, identity
from edgeml.search.shared.shared import Shared
from tests import postgres_server

NOTED = """
SELECT of_key.value_json, of_rung.value_json FROM trials
LEFT JOIN trial_user_attributes of_key ON of_key.trial_id = trials.trial_id AND of_key.key = 'key'
LEFT JOIN trial_user_attributes of_rung ON of_rung.trial_id = trials.trial_id AND of_rung.key = 'rung'
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="endurance.py database", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--down", type=float, default=8.0, help="seconds of each outage")
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--parts", nargs="+", default=["claims", "outages", "speed"])
    parser.add_argument("--out", type=Path, default=Path("bench/results/endurance_database.json"))
    chosen = parser.parse_args(argv)
    if postgres_server.programs() is None:
        print("skipped: needs PostgreSQL's server (apt install postgresql), which is not on this machine")
        return 0
    found: dict[str, Any] = {"machine": machine(), "settings": {**vars(chosen), "out": str(chosen.out)}}
    with tempfile.TemporaryDirectory(prefix="edgeml-endurance-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's user must get there
        server = postgres_server.serve(folder / "server")
        try:
            parts = {"claims": claims, "outages": outages, "speed": speed}
            for part in chosen.parts:
                found[part] = parts[part](server, folder, chosen)
                print(json.dumps({part: found[part]}, indent=1))
        finally:
            server.stop()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    table(found)
    return (
        0
        if found.get("outages", {}).get("passed", True) and found.get("claims", {}).get("passed", True)
        else 1
    )


def machine() -> dict[str, Any]:
    names = ("edgeml", "optuna", "sqlalchemy", "psycopg", "tensorflow")
    folder = postgres_server.programs()
    assert folder is not None
    server = subprocess.check_output([str(folder / "postgres"), "--version"], text=True)
    return {
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "postgresql": server.strip(),
        "versions": {name: version(name) for name in names},
    }


def pictures(folder: Path, samples: int) -> Path:
    """Two classes of small pictures, bright above or below."""
    rng = np.random.default_rng(0)
    y = np.arange(samples) % 2
    x = rng.integers(0, 90, (samples, 16, 16, 1), np.uint8)
    x[y == 0, :8] += 120
    x[y == 1, 8:] += 120
    path = folder / f"halves{samples}.npz"
    np.savez(path, x_train=x, y_train=y)
    return path


def start(folder: Path, name: str, url: str, data: Path, chosen: argparse.Namespace, *more: str) -> Any:
    command = [
        sys.executable, "-m", "edgeml.cli", "search", "--data", data, "--target", "null", "--space", "nano",
        "--trials", chosen.trials, "--epochs", chosen.epochs, "--no-curves", "--compress", "none",
        "--strategy", "random", "--storage", url, "--out", folder / name, *more,
    ]  # fmt: skip
    log = (folder / f"{name}.log").open("w")
    process = subprocess.Popen(
        [str(word) for word in command], stdout=log, stderr=log, start_new_session=True
    )
    log.close()
    return process


def outages(server: Any, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Stop and start the server while a search runs."""
    url, data = server.create("outages"), pictures(folder, 600)
    began, down, stopped = time.monotonic(), 0.0, []
    process = start(folder, "outages", url, data, chosen)
    try:
        every = max(1, chosen.trials // (chosen.stops + 1))
        for stop in range(1, chosen.stops + 1):
            while results(server, "outages") < stop * every and process.poll() is None:
                time.sleep(0.2)
            if process.poll() is not None:
                break
            stopped.append(results(server, "outages"))
            away = time.monotonic()
            server.stop()
            time.sleep(chosen.down)
            server.start()
            down += time.monotonic() - away
        code = process.wait(timeout=3600)
    finally:
        end(process)
    seconds = time.monotonic() - began
    noted = Counter(server.ask(NOTED, "outages"))
    keys = {json.loads(key) for key, _ in noted}
    run = folder / "outages"
    stored = [json.loads(path.read_text()) for path in run.glob("candidates/*/candidate.json")]
    trainings = {(one["key"], row["rung"]) for one in stored for row in one["rungs"]}
    told = {(json.loads(key), json.loads(rung)) for key, rung in noted}
    published = set(server.ask("SELECT key, rung FROM edgeml_results", "outages"))
    figures = {
        "exit_code": code,
        "stops": len(stopped),
        "stopped_at_trial": stopped,
        "seconds": round(seconds, 1),
        "seconds_down": round(down, 1),
        "trials_stored": len(stored),
        "trainings_stored": len(trainings),
        "trainings_noted": len(told),
        "lost": len(trainings - told) + len(trainings - published) + chosen.trials - len(keys),
        "repeated": sum(noted.values()) - len(noted),
        "waited_lines": (folder / "outages.log").read_text().count("waiting for the database"),
    }
    passed = code == 0 and figures["lost"] == figures["repeated"] == 0 and len(stored) == chosen.trials
    return {**figures, "passed": passed and len(stopped) == chosen.stops}


def speed(server: Any, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Trials an hour of one coordinator and of two; from the first result to the last."""
    data, found = pictures(folder, 4000), {}
    for coordinators in (1, 2):
        name = f"speed{coordinators}"
        url = server.create(name)
        running = [
            start(folder, f"{name}_{n}", url, data, chosen, "--worker-threads", "1")
            for n in range(coordinators)
        ]
        try:
            codes = [process.wait(timeout=3600) for process in running]
        finally:
            for process in running:
                end(process)
        ((first, last, number, owners),) = server.ask(
            "SELECT min(at), max(at), count(*), count(DISTINCT coordinator) FROM edgeml_results", name
        )
        span = (last - first).total_seconds()
        found[str(coordinators)] = {
            "exit_codes": codes,
            "trainings": number,
            "coordinators_that_trained": owners,
            "seconds_from_first_to_last": round(span, 1),
            "trainings_an_hour": round(3600 * (number - 1) / span),
        }
    gain = found["2"]["trainings_an_hour"] / found["1"]["trainings_an_hour"]
    return {**found, "gain": round(gain, 2)}


def claims(server: Any, folder: Path, chosen: argparse.Namespace, keys: int = 500) -> dict[str, Any]:
    """Eight coordinators in threads ask for the same trainings."""
    url, got, spans = server.create("claims"), Counter(), []
    everyone = []
    for n in range(8):
        run = RunDir(folder / f"claims{n}")
        run.candidates.mkdir(parents=True)
        one = Shared(Database(url), "study", identity(run), SameDisk(run))
        one.join({})
        everyone.append(one)

    def ask(one: Shared) -> None:
        for n in range(keys):
            began = time.perf_counter()
            number = one.claim(f"k{(n + 60 * one.place) % keys}", 0, 0)
            spans.append(time.perf_counter() - began)
            if number is not None:
                got[f"k{(n + 60 * one.place) % keys}", number] += 1

    threads = [threading.Thread(target=ask, args=(one,)) for one in everyone]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for one in everyone:
        one.close()
    numbers = sorted(number for _, number in got)
    return {
        "asked": 8 * keys,
        "given": sum(got.values()),
        "keys": keys,
        "median_ms": round(1e3 * float(np.median(spans)), 2),
        "slowest_ms": round(1e3 * max(spans), 1),
        "a_second": round(8 * keys / seconds),
        "passed": sum(got.values()) == len(got) == keys and numbers == list(range(keys)),
    }


def results(server: Any, database: str) -> int:
    try:
        return int(server.ask("SELECT count(DISTINCT key) FROM edgeml_results", database)[0][0])
    except Exception:  # not made yet
        return 0


def end(process: Any) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def table(found: dict[str, Any]) -> None:
    rows: list[tuple[str, object]] = []
    if out := found.get("outages"):
        rows += [
            ("trials stored", f"{out['trials_stored']} of {found['settings']['trials']}"),
            ("server stopped", f"{out['stops']} times, {out['seconds_down']} s of {out['seconds']} s"),
            ("trainings lost", out["lost"]),
            ("trainings repeated", out["repeated"]),
        ]
    if quick := found.get("speed"):
        rows += [
            (f"trainings an hour, {n} coordinator(s)", quick[n]["trainings_an_hour"]) for n in ("1", "2")
        ]
        rows += [("gain", quick["gain"])]
    if many := found.get("claims"):
        rows += [
            ("claims", f"{many['given']} given of {many['asked']} asked, {many['keys']} keys"),
            ("a claim", f"median {many['median_ms']} ms, slowest {many['slowest_ms']} ms"),
        ]
    for name, value in rows:
        print(f"{name:34} {value}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
