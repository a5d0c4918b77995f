"""The tables of the showdown from the JSON files in bench/results/showdown/.

    python bench/showdown_table.py [--json]
    python bench/showdown_markdown.py            # those of docs/benchmarks.md, written there

A front is chosen by accuracy on validation, its hypervolume is that of its accuracies on test: over accuracy
and log cost, as a part of the box from the error of guessing to none and from the task's cheapest to
its dearest model that any searching tool made with any budget. Only runs on the same kind of processor are
compared: each has its folder there, its boxes and its tables.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent))

from bench.showdown_volume import (  # noqa: E402
    SHOWN,
    Bounds,
    Run,
    bounds,
    is_reference,
    members,
    reached_after,
    volume,
)

RESULTS = BENCH / "results" / "showdown"
LIMITS = {"arena_bytes": (32_000, 64_000, 128_000), "size_bytes": (50_000, 100_000, 250_000)}
Comparison = tuple[str, float, str]
"""What runs share that are compared: task, budget in CPU seconds, processor."""
CLASSES = {"digits": 10, "fashion-mnist": 10, "cifar10": 10, "fsdd": 10, "magic-wand": 5}


def load(task: str | None = None, changed: bool = False, processor: str | None = None) -> list[Run]:
    """Every run, or those of a task or on a processor; with `changed` those of edgeml with other options."""
    folder = folder_of(processor).name if processor else "*"
    files = sorted(RESULTS.glob(f"{folder}/{task or '*'}.*.json"))
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [run for run in runs if bool(run["options"]) == changed]


def folder_of(processor: str) -> Path:
    """Where the results of a kind of processor are: "AMD EPYC" -> results/showdown/amd-epyc."""
    return RESULTS / re.sub(r"[^a-z0-9]+", "-", short(processor).lower()).strip("-")


def short(processor: str) -> str:
    """A processor's name without what says nothing."""
    return " ".join(re.sub(r"\((R|TM)\)|\b(Processor|CPU)\b|@", " ", processor).split())


def comparison_of(run: Run) -> Comparison:
    """A run -> with which it is compared."""
    return run["task"], run["budget_cpu_s"], run["processor"]


def comparisons(changed: bool = False) -> list[Comparison]:
    """Those of every search that was run."""
    return sorted({comparison_of(run) for run in load(changed=changed) if not is_reference(run)})


def under(rows: Sequence[dict[str, Any]], cost: str, limit: float) -> float | None:
    """Test accuracy of the model that is best on validation within a limit."""
    fitting = [row for row in rows if row[cost] is not None and row[cost] <= limit]
    return max(fitting, key=lambda row: (row["validation"], -row[cost]))["test"] if fitting else None


def table(task: str, budget: float, processor: str) -> list[dict[str, Any]]:
    """Task, budget and processor -> a row a searching tool, most hypervolume first."""
    everything = load(task, processor=processor)
    within, guess = bounds(everything, budget), 1 - 1 / CLASSES[task]
    by_tool: dict[str, list[Run]] = defaultdict(list)
    for run in everything:
        if run["budget_cpu_s"] == budget and not is_reference(run):
            by_tool[run["tool"]].append(run)
    rows = []
    for tool, runs in by_tool.items():
        row: dict[str, Any] = {"tool": tool, "seeds": len(runs)}
        volumes = {c: [volume(run["models"], c, within[c], guess) for run in runs] for c in within}
        row["volumes"] = volumes
        row["mean"] = statistics.mean(value for c in volumes for value in volumes[c]) if volumes else 0.0
        row["best"] = [max((r["test"] for r in _top(run["models"])), default=0.0) for run in runs]
        row["under"] = {
            f"{cost} {limit}": [under(run["models"], cost, limit) for run in runs]
            for cost, limits in LIMITS.items()
            for limit in limits
        }
        row["models"] = statistics.mean(run["models_in_budget"] for run in runs)
        row["user_lines"] = runs[0]["about"].get("user_lines")
        row["errors"] = sorted({str(run["about"]["error"]) for run in runs if run["about"].get("error")})
        rows.append(row)
    _add_speed(rows, by_tool, within, guess)
    return sorted(rows, key=lambda row: -row["mean"])


def _top(models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The model that is best on validation."""
    return [max(models, key=lambda row: (row["validation"], -row["macs"]))] if models else []


def _add_speed(
    rows: list[dict[str, Any]], by_tool: dict[str, list[Run]], within: Bounds, guess: float
) -> None:
    """`share`: processor seconds that edgeml needs for a tool's mean final hypervolume, of the tool's budget.

    Median over edgeml's seeds and the costs; a run that never gets there counts as infinite.
    """
    for row in rows:
        shares = []
        for cost, values in row["volumes"].items():
            wanted = statistics.mean(values)
            for run in by_tool.get("edgeml", []):
                of = partial(volume, cost=cost, within=within[cost], guess=guess)
                after = reached_after(run, wanted, of)
                shares.append(math.inf if after is None else after / run["budget_cpu_s"])
        row["share"] = statistics.median(shares) if shares and row["tool"] != "edgeml" else None


def references(task: str, budget: float, processor: str) -> list[dict[str, Any]]:
    """Fixed networks against edgeml's fronts: least share of a cost at no less accuracy, median of seeds."""
    runs = load(task, processor=processor)
    ours = [run for run in runs if run["tool"] == "edgeml" and run["budget_cpu_s"] == budget]
    rows = []
    for name in sorted({run["tool"] for run in runs if is_reference(run)}):
        theirs = [r for r in runs if r["tool"] == name and r["budget_cpu_s"] == budget]
        tops = [top for run in theirs for top in _top(run["models"])]
        if not tops:
            continue
        accuracy = statistics.mean(top["test"] for top in tops)
        row = {"reference": name.split(":")[1], "seeds": len(theirs), "test": accuracy}
        for cost in ("macs", "arena_bytes", "size_bytes"):
            theirs_cost = statistics.median(top[cost] for top in tops if top[cost]) if tops[0][cost] else None
            row[cost] = theirs_cost
            least = [
                min(
                    (r[cost] for r in members(run["models"], cost) if r["test"] >= accuracy), default=math.inf
                )
                for run in ours
            ]
            row[f"share_{cost}"] = statistics.median(least) / theirs_cost if least and theirs_cost else None
        rows.append(row)
    return rows


def ablations(task: str, budget: float, processor: str) -> list[dict[str, Any]]:
    """The default, and edgeml with something switched off: mean hypervolume by seed, in the same box.

    Over the costs that all of them have: host_ms only after showdown_latency.py has measured them too.
    """
    plain, changed = load(task, processor=processor), load(task, changed=True, processor=processor)
    within, guess = bounds(plain, budget), 1 - 1 / CLASSES[task]
    within = {cost: within[cost] for cost in bounds([*plain, *changed], budget)}
    found: dict[str, list[Run]] = defaultdict(list)
    for run in [*(run for run in plain if run["tool"] == "edgeml"), *changed]:
        if run["budget_cpu_s"] == budget:
            found[" ".join(run["options"]) or "as it is"].append(run)
    return [
        {
            "options": options,
            "seeds": [run["seed"] for run in runs],
            "mean": [
                statistics.mean(volume(run["models"], cost, within[cost], guess) for cost in within)
                for run in runs
            ],
            "best": [max((r["test"] for r in _top(run["models"])), default=0.0) for run in runs],
        }
        for options, runs in found.items()
    ]


def spread(values: Sequence[float | None], digits: int = 3) -> str:
    """Values of the seeds -> mean (standard deviation); `-` where one seed has none."""
    there = [value for value in values if value is not None]
    if not there or len(there) < len(values):
        return "-"
    mean = f"{statistics.mean(there):.{digits}f}"
    return mean if len(there) < 2 else f"{mean} ({statistics.stdev(there):.{digits}f})"


def show(task: str, budget: float, processor: str) -> None:
    """Print a task's tables."""
    console = Console(width=200)
    rows = table(task, budget, processor)
    if not rows:
        return
    costs = list(rows[0]["volumes"])
    shown = Table(title=f"{titled(task, budget, processor)}: hypervolume, mean (sd) over seeds")
    for name in (
        "tool",
        "seeds",
        *(SHOWN[c] for c in costs),
        "best test",
        "models",
        "lines",
        "edgeml gets there in",
    ):
        shown.add_column(name)
    for row in rows:
        share = "" if row["share"] is None else "never" if row["share"] == math.inf else f"{row['share']:.2f}"
        volumes = [spread(row["volumes"].get(c, [])) for c in costs]
        models, lines = f"{row['models']:.0f}", str(row["user_lines"] or "")
        shown.add_row(row["tool"], str(row["seeds"]), *volumes, spread(row["best"]), models, lines, share)
    console.print(shown)
    limited = Table(title="best test accuracy (chosen on validation) within arena | flash for the model, kB")
    names = list(rows[0]["under"])
    for name in ("tool", *(f"{n.split('_')[0]} {int(n.split()[1]) // 1000}" for n in names)):
        limited.add_column(name)
    for row in rows:
        limited.add_row(row["tool"], *(spread(row["under"][n]) for n in names))
    console.print(limited)
    for row in rows:
        for error in row["errors"]:
            console.print(f"{row['tool']}: {error}")
    for row in ablations(task, budget, processor)[1:]:
        console.print(f"edgeml with {row['options']}: {spread(row['mean'])}, best {spread(row['best'])}")
    fixed = references(task, budget, processor)
    if fixed:
        beside = Table(
            title="fixed networks; least share of their cost at no less accuracy on edgeml's front (test)"
        )
        for name in ("network", "seeds", "test", "MACs", "arena", "file", "of MACs", "of arena", "of file"):
            beside.add_column(name)
        for row in fixed:
            figures = [f"{row[c]:.3g}" if row[c] else "-" for c in ("macs", "arena_bytes", "size_bytes")]
            shares = [share_of(row[f"share_{c}"]) for c in ("macs", "arena_bytes", "size_bytes")]
            beside.add_row(row["reference"], str(row["seeds"]), f"{row['test']:.3f}", *figures, *shares)
        console.print(beside)


def titled(task: str, budget: float, processor: str) -> str:
    """What stands above a table or a part of a picture."""
    return f"{task}, {budget:g} s, {short(processor)}"


def share_of(value: float | None) -> str:
    """A share as the tables have it: `-` not known, `never` reached."""
    if value is None:
        return "-"
    if value == math.inf:
        return "never"
    return f"{value:.2f}" if value >= 0.01 else "<0.01"


def main() -> None:
    """Print all tables, with --json what is in them."""
    found = comparisons()
    if "--json" in sys.argv[1:]:
        keys = "task", "budget", "processor"
        parts = [
            dict(zip(keys, one, strict=True)) | {"rows": table(*one), "fixed": references(*one)}
            for one in found
        ]
        print(json.dumps(parts))
        return
    for one in found:
        show(*one)


if __name__ == "__main__":
    main()
