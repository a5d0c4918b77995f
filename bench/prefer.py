"""What --prefer changes, on tables of trained networks: the product's own search, training being a look-up.

    python bench/prefer.py                  # 10 seeds, cost 25, two tasks; minutes

For each preference the network that it picks is shown from a search that was told of it
(search/archive/preference.py) and from one that was not (`balanced`), with the same seeds: "picks" alone
would need no telling.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.nasbench201 import LADDERS, search
from bench.nasbench201_task import task

WORDS = ("accuracy", "latency")


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cost", type=int, default=25, help="in full trainings")
    parser.add_argument("--tasks", default="rpi4-cifar100,pixel3-cifar10")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for name in options.tasks.split(","):
        try:
            table = task(name)
        except FileNotFoundError as error:
            print(f"skipped: {error}")
            return
        runs = {
            word: [
                search(table, "auto", LADDERS["two"], (options.cost,), seed, word)
                for seed in range(options.seeds)
            ]
            for word in ("balanced", *WORDS)
        }
        for word in WORDS:
            row: dict[str, Any] = {"task": name, "picks": word}
            for told, side in ((word, "told"), ("balanced", "not told")):
                picks = [found["picks"][word] for _, found in runs[told]]
                row[side] = {
                    "accuracy": 100 * (1 - statistics.mean(point[0] for point in picks)),
                    "latency_ms": statistics.mean(point[1] for point in picks),
                    "hypervolume": statistics.mean(scores[options.cost] for scores, _ in runs[told]),
                }
            pairs = zip(runs[word], runs["balanced"], strict=True)
            axis = 0 if word == "accuracy" else 1
            changes = [a["picks"][word][axis] / b["picks"][word][axis] for (_, a), (_, b) in pairs]
            row["ratio"] = statistics.mean(changes)
            row["error"] = statistics.stdev(changes) / len(changes) ** 0.5
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.out:
        result = {"seeds": options.seeds, "cost": options.cost, "rows": rows}
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
