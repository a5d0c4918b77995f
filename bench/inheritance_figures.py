"""Rows of bench/inheritance.py -> figures: hypervolume against CPU seconds, children, rank correlation."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from edgeml.search.archive import pareto

CHANCE = 0.1
ENOUGH = 0.95
"""Share of the from-scratch accuracy gain that a child has to reach."""

Rows = list[dict[str, Any]]


def summary(rows: Rows) -> list[dict[str, Any]]:
    """One line for every space, arm and seed that has a from-scratch search beside it."""
    groups: dict[tuple[str, int], dict[str, Rows]] = {}
    for row in rows:
        groups.setdefault((row["space"], row["seed"]), {}).setdefault(row["arm"], []).append(row)
    found = []
    for (space, seed), arms in sorted(groups.items()):
        if "scratch" not in arms:
            continue
        for arm, mine in arms.items():
            found.append({"space": space, "seed": seed, "arm": arm, **compare(mine, arms["scratch"])})
    return found


def compare(mine: Rows, scratch: Rows) -> dict[str, Any]:
    """Figures of one search against the from-scratch search of the same architectures."""
    count = min(1 + max(row["number"] for row in rows) for rows in (mine, scratch))
    mine, scratch = ([row for row in rows if row["number"] < count] for rows in (mine, scratch))
    points = [_point(row) for row in (*mine, *scratch) if row["number"] >= 0]
    reference = pareto.reference_point(points, 1 - CHANCE)
    curve, theirs = hypervolumes(mine, reference), hypervolumes(scratch, reference)
    seconds, goal = theirs[-1]
    reached = next((s for s, volume in curve if volume >= goal), None)
    nearly = next((s for s, volume in curve if volume >= 0.99 * goal), None)
    third = [volume for s, volume in curve if s <= seconds / 3]
    full = {row["number"]: row["accuracy"] for row in scratch if row["number"] >= 0}
    first = [row for row in mine if row["number"] in full and "polish" not in row]
    pairs = [(row["accuracy"], full[row["number"]]) for row in first]
    gains = [(a - CHANCE) / (b - CHANCE) for a, b in pairs]
    return {
        "candidates": count,
        "scratch_cpu_s": round(seconds, 1),
        "cpu_s": round(curve[-1][0], 1),
        "source_cpu_s": round(sum(row["cpu_s"] for row in mine if row["number"] < 0), 1),
        "cpu_share": round(curve[-1][0] / seconds, 4),
        "hypervolume_of_scratch": round(curve[-1][1] / goal, 4),
        "hypervolume_of_scratch_at_third": round(third[-1] / goal, 4) if third else 0.0,
        "reached_at_cpu_share": None if reached is None else round(reached / seconds, 4),
        "reached_99_percent_at_cpu_share": None if nearly is None else round(nearly / seconds, 4),
        "epochs_share": round(statistics.median(row["share"] for row in first), 4),
        "gain_median": round(statistics.median(gains), 4),
        "gain_enough": round(sum(gain >= ENOUGH for gain in gains) / len(gains), 4),
        "accuracy_difference": round(statistics.mean(a - b for a, b in pairs), 4),
        "spearman": spearman(*zip(*pairs, strict=True)),
        "best_accuracy": max(a for a, _ in pairs),
        "scratch_best_accuracy": max(b for _, b in pairs),
    }


def hypervolumes(rows: Rows, reference: Sequence[float]) -> list[tuple[float, float]]:
    """(CPU seconds so far, hypervolume of (error, MACs)) after every row; sources cost and add nothing."""
    points: list[tuple[float, float]] = []
    found = []
    for row, seconds in zip(rows, itertools.accumulate(row["cpu_s"] for row in rows), strict=True):
        if row["number"] >= 0:
            points.append(_point(row))
        found.append((seconds, pareto.hypervolume(points, reference)))
    return found


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Rank correlation; None where one side is constant."""
    from scipy.stats import spearmanr

    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return round(float(spearmanr(one, other).statistic), 4)


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The summary as a Markdown table."""
    names = {
        "space": "space",
        "arm": "arm",
        "seed": "seed",
        "candidates": "candidates",
        "cpu_share": "CPU s / scratch",
        "hypervolume_of_scratch": "hypervolume / scratch",
        "reached_at_cpu_share": "scratch's reached at",
        "reached_99_percent_at_cpu_share": "99 % of it at",
        "epochs_share": "epochs / full",
        "gain_median": "gain / scratch, median",
        "spearman": "Spearman",
        "accuracy_difference": "accuracy - scratch, mean",
    }
    rows = [list(names.values()), ["---"] * len(names)]
    rows += [["-" if line[name] is None else str(line[name]) for name in names] for line in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _point(row: dict[str, Any]) -> tuple[float, float]:
    return 1 - row["accuracy"], float(row["macs"])
