"""Trials an hour of two workers against one, on searches that train, one and two in turns.

python bench/endurance.py workers [--rounds 3] [--trials 12] [--data digits PATH.npz --epochs 20 8]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "endurance_workers.json"


def search(data: str, workers: int, trials: int, seed: int, epochs: float, folder: Path) -> dict[str, Any]:
    """One search, full training only, nothing inherited -> trials, seconds of search."""
    options = {
        "--data": data, "--target": "null", "--strategy": "random", "--trials": trials, "--epochs": epochs,
        "--fidelity": "full", "--inherit": "none", "--compress": "none", "--workers": workers, "--seed": seed,
        "--out": folder,
    }  # fmt: skip
    words = [str(word) for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "edgeml.cli", "search", "--no-curves", *words]
    subprocess.run(command, check=True, capture_output=True)
    state = json.loads((folder / "state.json").read_text())
    candidates = [json.loads(path.read_text()) for path in folder.glob("candidates/*/candidate.json")]
    last = max(one["finished_at_s"] for one in candidates)
    return {"data": data, "workers": workers, "trials": state["trials"], "search_s": round(last, 2)}


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--data", nargs="+", default=["digits"])
    parser.add_argument("--epochs", type=float, nargs="+", default=[20.0], help="one for each of --data")
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for data, epochs in zip(options.data, options.epochs, strict=True):
            for seed in range(options.rounds):
                for workers in (1, 2):
                    place = Path(folder) / f"{len(rows)}"
                    rows.append(search(data, workers, options.trials, seed, epochs, place))
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(f"{'data':24} {'1 worker':>12} {'2 workers':>12} {'ratio, median (range)':>24}")
    summary = {}
    for data in options.data:
        by = {n: [r for r in rows if r["data"] == data and r["workers"] == n] for n in (1, 2)}
        hourly = {n: [3600 * r["trials"] / r["search_s"] for r in by[n]] for n in (1, 2)}
        ratios = [two / one for one, two in zip(hourly[1], hourly[2], strict=True)]
        name = Path(data).name
        summary[name] = {
            "trials_an_hour": {n: round(statistics.median(hourly[n])) for n in (1, 2)},
            "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        }
        one, two = (summary[name]["trials_an_hour"][n] for n in (1, 2))
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:24} {one:>10}/h {two:>10}/h {spread:>24}")
    found = {
        "command": "python bench/endurance.py workers " + " ".join(argv),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("edgeml", "tensorflow")},
        "rows": [{**row, "data": Path(row["data"]).name} for row in rows],
        "summary": summary,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(summary))
    return 0
