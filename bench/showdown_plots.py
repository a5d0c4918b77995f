"""The two plots of the showdown from the JSON files in bench/results/showdown/.

    python bench/showdown_plots.py [FOLDER]

`showdown_time.png`: hypervolume over processor seconds, mean over seeds and costs. `showdown_fronts.png`: the
networks that a tool's runs leave, chosen by validation, by their error on test and Cortex-M7 milliseconds.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent))

import altair as alt  # noqa: E402

from bench.showdown_table import CLASSES, Comparison, comparison_of, load, titled  # noqa: E402
from bench.showdown_volume import Run, bounds, is_reference, members, volume  # noqa: E402

STEPS = 30
"""Moments of a run at which its hypervolume is drawn."""
ORDER = (
    "edgeml", "optuna-tpe", "optuna-nsga2", "syne-tune-moasha",
    "keras-tuner-bayesian", "keras-tuner-hyperband", "autokeras",
)  # fmt: skip
COLOURS = ("#d62728", "#1f77b4", "#17becf", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f")


def over_time(runs: list[Run]) -> list[dict[str, Any]]:
    """Runs -> rows of task, budget, tool, cpu_s and hypervolume."""
    rows = []
    groups: dict[tuple[Comparison, str], list[Run]] = defaultdict(list)
    for run in runs:
        if not is_reference(run):
            groups[comparison_of(run), run["tool"]].append(run)
    every = set(map(comparison_of, runs))
    boxes = {(task, s, on): bounds(load(task, processor=on), s) for task, s, on in every}
    for (what, tool), same in sorted(groups.items()):
        task, budget, _ = what
        guess = 1 - 1 / CLASSES[task]
        for step in range(STEPS + 1):
            now = budget * step / STEPS
            found = [
                volume([row for row in run["models"] if row["cpu_s"] <= now], cost, ends, guess)
                for run in same
                for cost, ends in boxes[what].items()
            ]
            rows.append({"task": titled(*what), "tool": tool, "CPU s": now,
                         "hypervolume": statistics.mean(found)})  # fmt: skip
    return rows


def at_the_end(runs: list[Run]) -> list[dict[str, Any]]:
    """Runs -> rows of task, tool, ms and error, of the members of each run's front."""
    rows = []
    for run in runs:
        tool = "fixed networks" if is_reference(run) else run["tool"]
        rows += [
            {"task": titled(*comparison_of(run)), "tool": tool,
             "ms": row["mcu_ms"], "error %": 100 * (1 - row["test"])}
            for row in members(run["models"], "mcu_ms")
        ]  # fmt: skip
    return rows


def coloured(rows: list[dict[str, Any]]) -> alt.Color:
    """The colours of the tools that rows name, always the same for a tool."""
    named = dict(zip((*ORDER, "fixed networks"), (*COLOURS, "#000000"), strict=True))
    there = [tool for tool in named if any(row["tool"] == tool for row in rows)]
    return alt.Color(
        "tool:N",
        scale=alt.Scale(domain=there, range=[named[tool] for tool in there]),
        legend=alt.Legend(orient="bottom", columns=4, title=None),
    )


def draw(folder: Path) -> list[Path]:
    """Write both pictures; returns their paths."""
    runs = load()
    tools = defaultdict(set)
    for run in runs:
        if not is_reference(run):
            tools[comparison_of(run)].add(run["tool"])
    runs = [run for run in runs if len(tools[comparison_of(run)]) > 1]  # else nothing compares
    lines_of, points_of = over_time(runs), at_the_end(runs)
    lines = (
        alt.Chart(alt.Data(values=lines_of), width=230, height=150)
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("CPU s:Q", axis=alt.Axis(labelOverlap="greedy", labelSeparation=6)),
            y=alt.Y("hypervolume:Q", scale=alt.Scale(domain=[0, 1])),
            color=coloured(lines_of),
            strokeWidth=alt.condition("datum.tool == 'edgeml'", alt.value(3), alt.value(1.5)),
        )
    )
    points = (
        alt.Chart(alt.Data(values=points_of), width=230, height=150)
        .mark_point(filled=True, opacity=0.7)
        .encode(
            x=alt.X("ms:Q", scale=alt.Scale(type="log"), title="Cortex-M7, ms (estimated)"),
            y=alt.Y("error %:Q", scale=alt.Scale(type="symlog", constant=1), title="error on test, %"),
            color=coloured(points_of),
            size=alt.condition("datum.tool == 'edgeml'", alt.value(45), alt.value(25)),
        )
    )
    written = []
    for name, chart in (("time", lines), ("fronts", points)):
        path = folder / f"showdown_{name}.png"
        faceted = chart.facet(facet=alt.Facet("task:N", title=None), columns=3)
        faceted.resolve_scale(x="independent", y="independent" if name == "fronts" else "shared").save(
            path, scale_factor=1.5
        )
        written.append(path)
    return written


if __name__ == "__main__":
    for made in draw(Path(sys.argv[1]) if sys.argv[1:] else BENCH.parent / "docs" / "images"):
        print(made)
