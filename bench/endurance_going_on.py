"""What a proposal costs when a run already holds many trials: a strategy goes on with a made-up run.

    python bench/endurance.py engine --trials 10000 --strategies random --ladders full --runs /tmp/runs
    python bench/endurance_going_on.py /tmp/runs/random-full-10000 --strategy auto --more 100

Prints processor milliseconds: `ask` of the strategy alone; `next` of all before a training (promotions,
parent, order); `take` of all after it. The run is changed: give it a copy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.endurance_engine import study_in
from edgeml.search.ladder import FULL, load_ladder


def timed(owner: Any, name: str) -> list[float]:
    """Have a method note the processor milliseconds that each of its calls takes."""
    found: list[float] = []
    method: Callable[..., Any] = getattr(owner, name)

    def call(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        result = method(*args, **options)
        found.append(1e3 * (time.process_time() - began))
        return result

    setattr(owner, name, call)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--ladder", default="full", help="full: one rung; or the name of a fidelity")
    parser.add_argument("--more", type=int, default=100, help="trials")
    options = parser.parse_args()
    ladder = FULL if options.ladder == "full" else load_ladder(options.ladder)
    state = json.loads((options.run / "state.json").read_text(encoding="utf-8"))
    there = sum(1 for _ in (options.run / "candidates").glob("[!.]*"))
    study = study_in(options.run, options.strategy, ladder, there + options.more)
    began = time.process_time()
    study.restore(study.run.each_candidate(), state)
    read, before = time.process_time() - began, study.progress.trials
    rows = {"next": timed(study, "_next"), "take": timed(study, "_take")}
    opened = study._open

    def then_watched() -> None:
        opened()
        rows["ask"] = timed(study._asker, "ask")

    study._open = then_watched  # type: ignore[method-assign]
    study.search()
    for name, all_of_them in rows.items():
        first, *others = all_of_them
        ordered = sorted(others)
        figures = {
            "first": first, "median": statistics.median(ordered), "mean": statistics.mean(ordered),
            "p95": ordered[int(0.95 * len(ordered))], "max": ordered[-1],
        }  # fmt: skip
        told = {key: round(value, 1) for key, value in figures.items()}
        print(json.dumps({"trials": before, "what": name, "calls": len(ordered), "cpu_ms": told}))
    print(json.dumps({"read_cpu_s": round(read, 2)}))


if __name__ == "__main__":
    main()
