"""Latency on this computer of the networks that the showdown kept: all of a task in one interleaved session.

    python bench/showdown_latency.py [--task digits] [--budget 150] [--work /tmp/showdown]

Adds `host_ms` to the rows in bench/results/showdown/ whose files are still below WORK/runs (the product's own
protocol, edgeml/target/host_timing.py: one thread, XNNPACK). A network that LiteRT refuses gets none. To be
run on a quiet machine, once the runs of a task are there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bench.showdown_table import folder_of, show  # noqa: E402
from bench.showdown_tasks import TASKS  # noqa: E402
from edgeml.target.host_cpu import cpu_name  # noqa: E402


def files_of(result: Path, work: Path) -> dict[str, Path]:
    """A result -> the files of its networks that are there, by their name in it."""
    run = work / "runs" / result.stem
    places = (run / "models", run / "run" / "candidates", run / "peer")
    names = [row["model"] for row in json.loads(result.read_text(encoding="utf-8"))["models"]]
    return {name: place / name for name in names for place in places if (place / name).is_file()}


def measured(models: dict[str, Path]) -> dict[str, float]:
    """Files by name -> milliseconds, without those that LiteRT refuses."""
    from edgeml.errors import ModelError
    from edgeml.target.meters.litert_host import latencies, prepared

    able = {}
    for name, file in models.items():
        model = file.read_bytes()
        try:
            prepared(model, 1, "xnnpack").invoke()
        except (ModelError, RuntimeError) as error:
            print(f"{name}: {' '.join(str(error).split())[:120]}")
            continue
        able[name] = model
    return {name: found.value for name, found in latencies(able).items()}


def main() -> None:
    """Measure, write the rows anew, print the tables."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--task", choices=list(TASKS))
    asked.add_argument("--budget", type=float, help="only the runs of this budget")
    asked.add_argument("--work", type=Path, default=Path("/tmp/showdown"))
    given = asked.parse_args()
    folder = folder_of(cpu_name())
    budgets = dict[Path, float]()
    for file in sorted(folder.glob(f"{given.task or '*'}.*.json")):
        budget = json.loads(file.read_text(encoding="utf-8"))["budget_cpu_s"]
        if given.budget in (None, budget):
            budgets[file] = budget
    if not budgets:
        sys.exit(f"{folder} has no run of that task and budget; bench/showdown.py makes them")
    for task in [given.task] if given.task else list(TASKS):
        results = [file for file in budgets if file.name.startswith(f"{task}.")]
        models = {
            f"{result.stem}/{name}": file
            for result in results
            for name, file in files_of(result, given.work).items()
        }
        found = measured(models) if models else {}
        for result in results:
            run = json.loads(result.read_text(encoding="utf-8"))
            for row in run["models"]:
                if (value := found.get(f"{result.stem}/{row['model']}")) is not None:
                    row["host_ms"] = value
            result.write_text(json.dumps(run) + "\n", encoding="utf-8")
        for budget in sorted({budgets[result] for result in results}):
            show(task, budget, cpu_name())


if __name__ == "__main__":
    main()
