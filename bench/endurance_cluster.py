"""A search on a Dask cluster of two workers, one of which is killed every 30 seconds.

    python bench/endurance.py cluster [--trials 40] [--every 30] [--epochs 20]

Scheduler and workers are started as a user starts them (`dask scheduler`, `dask worker`); the search is the
product's own command on digits. What must hold: it ends by itself with every trial once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.dask_cluster import EDGEML, dask

RESULT = Path(__file__).parent / "results" / "endurance_cluster.json"


def run(folder: Path, trials: int, every_s: float, epochs: float) -> dict[str, Any]:
    """One search under fire -> what is left of it."""
    out, kills, began = folder / "run", 0, time.monotonic()
    with dask(folder, 2) as cluster:
        options = {
            "--data": "digits", "--target": "mcu-m4", "--trials": trials, "--epochs": epochs, "--out": out,
            "--scheduler": cluster.address,
        }  # fmt: skip
        words = [str(word) for pair in options.items() for word in pair]
        with (folder / "search.txt").open("wb") as log:
            process = subprocess.Popen([*EDGEML, "search", *words], stdout=log, stderr=log)
            due = time.monotonic() + every_s
            while process.poll() is None:
                time.sleep(0.2)
                if time.monotonic() >= due:
                    cluster.kill_worker()
                    kills, due = kills + 1, time.monotonic() + every_s
    seconds = time.monotonic() - began
    stored = [json.loads(path.read_text()) for path in (out / "candidates").glob("*/candidate.json")]
    trained = [one for one in stored if not (one["compression"] or {}).get("of")]
    rungs = Counter((one["key"], row["rung"]) for one in trained for row in one["rungs"])
    return {
        "exit_code": process.returncode,
        "kills": kills,
        "seconds": round(seconds),
        "trials": len(trained),
        "lost": trials - len(trained),
        "repeated": sum(count > 1 for count in rungs.values()),
        "by_status": dict(Counter(one["status"] for one in trained)),
        "last_lines": (folder / "search.txt").read_text().splitlines()[-2:],
    }


def main(argv: list[str]) -> int:
    """Measure and print; 1 where something is lost or repeated."""
    parser = argparse.ArgumentParser(prog="endurance.py cluster", description=str(__doc__).splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--every", type=float, default=30.0, help="seconds from kill to kill")
    parser.add_argument("--epochs", type=float, default=20.0)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edgeml-endurance-") as name:
        found = run(Path(name), chosen.trials, chosen.every, chosen.epochs)
    found = {
        "command": "python bench/endurance.py cluster " + " ".join(argv),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("edgeml", "distributed", "tensorflow")},
        **found,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for name in ("exit_code", "kills", "seconds", "trials", "lost", "repeated", "by_status"):
        print(f"{name:10} {found[name]}")
    print(json.dumps(found))
    return int(found["exit_code"] != 0 or found["lost"] != 0 or found["repeated"] != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
