"""2,000 short trials in one process tree: how the coordinator's memory, and its workers', grow.

python bench/endurance.py soak [--trials 2000] [--workers 2] [--every 5]

The product's own search on digits with trainings of a fraction of an epoch; memory is resident bytes, read
every few seconds from outside. What grows is judged from the 100th trial on: before, caches fill.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULT = Path(__file__).parent / "results" / "endurance_soak.json"
SETTLED = 100
BAR_MB = 50


def watch(run: Path, process: subprocess.Popen[bytes], every_s: float) -> list[dict[str, Any]]:
    """Trials done and resident megabytes of the coordinator and its largest worker, until it ends."""
    rows: list[dict[str, Any]] = []
    coordinator = psutil.Process(process.pid)
    while process.poll() is None:
        time.sleep(every_s)
        try:
            own = coordinator.memory_info().rss / 1e6
            workers = [child.memory_info().rss / 1e6 for child in coordinator.children(recursive=True)]
            trials = sum(1 for _ in (run / "candidates").iterdir()) if (run / "candidates").exists() else 0
        except psutil.Error:
            continue
        if not own:  # it ends
            break
        rows.append(
            {
                "trials": trials,
                "coordinator_mb": round(own, 1),
                "worker_mb": round(max(workers, default=0), 1),
            }
        )
    return rows


def main(argv: list[str]) -> int:
    """Measure and print; 1 where the coordinator grew more than the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=float, default=5.0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        run, began = Path(folder) / "run", time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "edgeml.cli", "search", "--data", "digits", "--target", "null",
             "--trials", str(options.trials), "--epochs", "0.2", "--fidelity", "full", "--compress", "none",
             "--no-curves", "--workers", str(options.workers), "--out", str(run)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        rows = watch(run, process, options.every)
        seconds = time.monotonic() - began
        done = json.loads((run / "state.json").read_text())
    settled = [row for row in rows if min(SETTLED, options.trials / 4) <= row["trials"] < options.trials]
    growth = max(row["coordinator_mb"] for row in settled) - settled[0]["coordinator_mb"]
    with_report = max(row["coordinator_mb"] for row in rows)
    found = {
        "command": "python bench/endurance.py soak " + " ".join(argv),
        "trials": done["trials"],
        "failed": done["failed"],
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "coordinator_mb": {"settled": settled[0]["coordinator_mb"], "last": settled[-1]["coordinator_mb"]},
        "coordinator_growth_mb": round(growth, 1),
        "coordinator_largest_with_report_mb": with_report,
        "largest_worker_mb": max(row["worker_mb"] for row in settled),
        "versions": {name: version(name) for name in ("edgeml", "tensorflow", "optuna")},
        "curve": rows[:: max(1, len(rows) // 60)],
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{'trials':>8} {'coordinator':>12} {'largest worker':>15}")
    for row in found["curve"][:: max(1, len(found["curve"]) // 12)]:
        print(f"{row['trials']:>8} {row['coordinator_mb']:>9} MB {row['worker_mb']:>12} MB")
    print(json.dumps({name: value for name, value in found.items() if name != "curve"}))
    return int(growth > BAR_MB)
