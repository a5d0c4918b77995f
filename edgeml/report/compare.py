"""Runs -> how they compare: fronts over every common cost, hypervolumes, best scores under given costs.

Costs that depend on the device (latency, RAM) are compared only between runs of the same target; file size
and MACs between all. A hypervolume is the share of a box that a front dominates: from the score of a constant
guess to a perfect one, and from nothing to 1.1 times the highest cost of any run's front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeml.errors import ConfigError, RunError
from edgeml.report.plain_settings import differing
from edgeml.report.run_files import CandidateFile, Figure, RunFiles, open_run
from edgeml.search.archive.pareto import hypervolume

FREE_OF_TARGET = ("size_bytes", "size_zip_bytes", "macs", "params")
"""Costs that no device has a say in."""
QUANTILES = (0.25, 0.5, 0.75, 1.0)
"""Of the costs of all fronts: where best scores are compared unless costs are given."""
Point = tuple[CandidateFile, float, float]
"""A candidate, its cost, its score."""


@dataclass(frozen=True)
class Compared:
    """Runs side by side.

    Attributes:
        names: short and distinct, in the order given.
        costs: that all runs have, by full name ("latency_ms@mcu-m4").
        fronts: by cost, one a run: points that no cheaper one equals in score, cheapest first.
        references: by cost, the box's highest cost.
        notes: what is not alike in the runs, sentences.
        under: (cost, highest value) at which best scores are told.
    """

    runs: tuple[RunFiles, ...]
    names: tuple[str, ...]
    costs: tuple[str, ...]
    fronts: Mapping[str, tuple[tuple[Point, ...], ...]]
    references: Mapping[str, float]
    notes: tuple[str, ...]
    under: tuple[tuple[str, float], ...]

    def hypervolume(self, cost: str, index: int) -> float:
        """Share of the box that a run's front dominates."""
        error, top = chance_error(self.runs[0]), self.references[cost]
        points = [(1 - score, value) for _, value, score in self.fronts[cost][index]]
        return hypervolume(points, (error, top)) / (error * top) if points else 0.0

    def best_under(self, cost: str, highest: float, index: int) -> Point | None:
        """A run's best score at a cost of at most `highest`; None where nothing is that cheap."""
        fit = [point for point in self.fronts[cost][index] if point[1] <= highest * (1 + 1e-9)]
        return fit[-1] if fit else None


def compare(paths: Sequence[Path], force: bool = False, under: Mapping[str, float] | None = None) -> Compared:
    """Run directories -> Compared.

    Args:
        paths: two or more.
        force: compare runs of other data or another test split all the same, with a note.
        under: highest values by cost at which best scores are told; quartiles of the fronts' costs when None.

    Raises:
        RunError: a run cannot be read.
        ConfigError: fewer than two runs, other data, other metrics, nothing in common, or no such cost.
    """
    if len(paths) < 2:
        raise ConfigError(f"compare: found {len(paths)} run, expected two or more; name another run.")
    runs = tuple(open_run(path) for path in paths)
    if len({run.path for run in runs}) < len(runs):
        raise ConfigError("compare: one run is named twice; name each run once.")
    names = _names(runs)
    notes = _unlike(runs, names, force)
    for run, name in zip(runs, names, strict=True):
        if not points(run):
            raise RunError(f"{name} has no fully trained candidate yet; go on with `edgeml search --resume`.")
    by_run = [costs(run) for run in runs]
    common = tuple(cost for cost in by_run[0] if all(cost in found for found in by_run))
    if not common:
        raise ConfigError(
            f"compare: {' and '.join(names)} have no cost in common; compare runs of one target."
        )
    fronts = {cost: tuple(front(run, cost) for run in runs) for cost in common}
    tops = {cost: 1.1 * max(v for one in fronts[cost] for _, v, _ in one) for cost in common}
    notes += [*_other_tools(runs, common), *_device_costs(runs, names), *_ties(runs)]
    references = {cost: top or 1.0 for cost, top in tops.items()}
    return Compared(runs, names, common, fronts, references, tuple(notes), _under(fronts, under))


def chance_error(run: RunFiles) -> float:
    """1 - the score of a constant guess."""
    classes = len((run.run.get("dataset") or {}).get("classes") or ())
    if run.goal.task == "classification" and run.goal.metric != "auc" and classes > 1:
        return 1 - 1 / classes
    return 1.0 if run.goal.task == "regression" else 0.5


def full_name(run: RunFiles, metric: str) -> str:
    """`latency_ms` of a run for one target -> `latency_ms@TARGET`; target-free names stay."""
    if metric in FREE_OF_TARGET or "@" in metric:
        return metric
    targets = list(run.run.get("targets") or ())
    return f"{metric}@{targets[0].get('name')}" if len(targets) == 1 else metric


def points(run: RunFiles) -> list[CandidateFile]:
    """Fully trained candidates that keep the limits, variants among them."""
    return [c for c in run.scored if c.status == "complete"]


def costs(run: RunFiles) -> list[str]:
    """Full names of the objectives, then of the target-free costs, that a complete candidate has."""
    known = {metric for c in points(run) for metric in c.figures}
    wanted = dict.fromkeys([*run.costs, "size_bytes", "macs"])
    return [full_name(run, metric) for metric in wanted if metric in known]


def front(run: RunFiles, cost: str) -> tuple[Point, ...]:
    """The points of one run in one cost that no cheaper one equals in score, cheapest first."""
    found: list[Point] = []
    priced = [(c, _cost(run, c, cost), c.accuracy or 0.0) for c in points(run)]
    known = [(c, value, score) for c, value, score in priced if value is not None]
    for point in sorted(known, key=lambda p: (p[1], -p[2])):
        if not found or point[2] > found[-1][2]:
            found.append(point)
    return tuple(found)


def _cost(run: RunFiles, candidate: CandidateFile, cost: str) -> float | None:
    for metric, figure in candidate.figures.items():
        if full_name(run, metric) == cost:
            return figure.value
    return None


def _names(runs: Sequence[RunFiles]) -> tuple[str, ...]:
    names = [run.name for run in runs]
    return tuple(
        name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)
    )


def _unlike(runs: Sequence[RunFiles], names: Sequence[str], force: bool) -> list[str]:
    """Notes on data that are not the same.

    Raises:
        ConfigError: they are not, and nobody forces it; or scores are of different kinds.
    """
    first = runs[0]
    notes: list[str] = []
    for run, name in zip(runs[1:], names[1:], strict=True):
        if (run.goal.task, run.goal.metric) != (first.goal.task, first.goal.metric):
            raise ConfigError(
                f"compare: {names[0]} is scored by {first.goal.title}, {name} by {run.goal.title}; compare "
                "runs of one metric."
            )
        for key, what in (("hash", "other data"), ("split_hash", "another test split")):
            values = [(one.run.get("dataset") or {}).get(key) for one in (first, run)]
            if values[0] == values[1]:
                continue
            told = [str(value)[:12] for value in values]
            if not force:
                raise ConfigError(
                    f"compare: {name} has {what} than {names[0]} (hash {told[1]}, not {told[0]}), so their "
                    "scores are not of the same samples; compare runs of the same data and seed, or "
                    "add --force."
                )
            notes.append(f"{name} has {what} than {names[0]}: differences of scores may be of the samples.")
            break
    return notes


def _device_costs(runs: Sequence[RunFiles], names: Sequence[str]) -> list[str]:
    targets = [", ".join(str(t.get("name")) for t in run.run.get("targets") or ()) for run in runs]
    if len(set(targets)) == 1:
        return []
    told = "; ".join(f"{name}: {target}" for name, target in zip(names, targets, strict=True))
    return [f"The targets differ ({told}): what depends on the device is compared only where it is the same."]


def best(run: RunFiles) -> CandidateFile:
    """The most accurate of the front, which has a test score; without a front, the candidate that is."""
    return (
        run.front_candidates[0] if run.front_candidates else max(points(run), key=lambda c: c.accuracy or 0.0)
    )


def _ties(runs: Sequence[RunFiles]) -> list[str]:
    """A sentence where the test split does not tell the best of the runs apart."""
    tests = [best(run).test_accuracy or {} for run in runs]
    ends = [(test.get("low"), test.get("high")) for test in tests]
    known = [(float(low), float(high)) for low, high in ends if low is not None and high is not None]
    if len(known) < len(ends) or max(low for low, _ in known) > min(high for _, high in known):
        return []
    return ["The best of the runs are a tie on the test split: their 95 % intervals overlap."]


def _other_tools(runs: Sequence[RunFiles], common: Sequence[str]) -> list[str]:
    """Where the same cost was found out in different ways."""
    tools = {cost: sorted({f"{f.kind} by {f.tool}" for f in _figures(runs, cost)}) for cost in common}
    return [f"{cost} is not of one kind: {', '.join(own)}." for cost, own in tools.items() if len(own) > 1]


def kinds(found: Compared, cost: str) -> list[str]:
    """How the figures of a cost were found out: measured, compiled, estimated, counted."""
    return sorted({figure.kind for figure in _figures(found.runs, cost)})


def _figures(runs: Sequence[RunFiles], cost: str) -> list[Figure]:
    every = [(run, pair) for run in runs for c in points(run) for pair in c.figures.items()]
    return [figure for run, (metric, figure) in every if full_name(run, metric) == cost]


def _under(
    fronts: Mapping[str, tuple[tuple[Point, ...], ...]], given: Mapping[str, float] | None
) -> tuple[tuple[str, float], ...]:
    if given is None:
        return tuple(
            (cost, value)
            for cost, own in fronts.items()
            for value in _quantiles([value for one in own for _, value, _ in one])
        )
    found = []
    for name, value in given.items():
        costs = [cost for cost in fronts if name in (cost, cost.partition("@")[0])]
        if not costs:
            raise ConfigError(f"--under {name}: expected a cost that all runs have: {', '.join(fronts)}.")
        found += [(cost, value) for cost in costs]
    return tuple(found)


def _quantiles(values: list[float]) -> list[float]:
    """Quartiles, each a cost that occurs."""
    ordered = sorted(set(values))
    return list(dict.fromkeys(ordered[math.ceil(q * (len(ordered) - 1))] for q in QUANTILES))


def cpu_seconds(run: RunFiles) -> float | None:
    """CPU seconds of all trainings; None where none was counted."""
    own = [row.get("cpu_s") for c in run.trials for row in (*c.rungs, *c.further)]
    known = [float(value) for value in own if value is not None]
    return sum(known) if known else None


def to_json(found: Compared) -> dict[str, Any]:
    """Compared -> plain values: runs, notes, hypervolume, under, settings."""
    runs = []
    for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True)):
        first = best(run)
        runs.append(
            {
                "name": name,
                "path": str(run.path),
                "targets": [t.get("name") for t in run.run.get("targets") or ()],
                "trials": len(run.trials),
                "trained_fully": sum(c.status == "complete" for c in run.trials),
                "front": len(run.front),
                "elapsed_s": run.state.get("elapsed_s"),
                "cpu_s": cpu_seconds(run),
                "best": {"key": first.key, "score": first.accuracy, "test": first.test_accuracy},
                "hypervolume": {cost: found.hypervolume(cost, index) for cost in found.costs},
            }
        )
    under = [
        {
            "cost": cost,
            "highest": highest,
            "best": [
                None
                if (p := found.best_under(cost, highest, i)) is None
                else {"key": p[0].key, "score": p[2]}
                for i in range(len(runs))
            ],
        }
        for cost, highest in found.under
    ]
    references = {cost: [chance_error(found.runs[0]), top] for cost, top in found.references.items()}
    settings = differing(found.runs)
    return {
        "metric": dict(found.runs[0].metric),
        "runs": runs,
        "references": references,
        "kinds": {cost: kinds(found, cost) for cost in found.costs},
        "under": under,
        "settings": settings,
        "notes": list(found.notes),
    }
