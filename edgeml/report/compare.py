"""Runs -> how they compare: fronts over every common cost, hypervolumes, best scores under given costs.

Costs that depend on the device (latency, RAM) are compared only between runs of the same target; file size
and MACs between all. Scores of all are on the first run's scale. A hypervolume is the share of a box that a
front dominates: from the score of a constant guess to a perfect one, and from nothing to 1.1 times the
highest cost of any run's front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeml.errors import ConfigError, RunError
from edgeml.report.compare_fronts import Point, chance_error, costs, figures_of, front, points
from edgeml.report.compare_notes import cautions, unlike
from edgeml.report.run_files import RunFiles, open_run
from edgeml.search.archive.pareto import hypervolume

QUANTILES = (0.25, 0.5, 0.75, 1.0)
"""Of the costs of all fronts: where best scores are compared unless costs are given."""


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
        force: compare runs of other data or another split all the same, with a note.
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
    notes = unlike(runs, names, force)
    for run, name in zip(runs, names, strict=True):
        if not points(run):
            raise RunError(f"{name} has no fully trained candidate yet; go on with `edgeml search --resume`.")
    by_run = [costs(run) for run in runs]
    common = tuple(cost for cost in by_run[0] if all(cost in found for found in by_run))
    if not common:
        raise ConfigError(
            f"compare: {' and '.join(names)} have no cost in common; compare runs of one target."
        )
    fronts = {cost: tuple(front(run, cost, runs[0]) for run in runs) for cost in common}
    tops = {cost: 1.1 * max(v for one in fronts[cost] for _, v, _ in one) for cost in common}
    notes += cautions(runs, names, common)
    references = {cost: top or 1.0 for cost, top in tops.items()}
    return Compared(runs, names, common, fronts, references, tuple(notes), _under(fronts, under))


def _names(runs: Sequence[RunFiles]) -> tuple[str, ...]:
    names = [run.name for run in runs]
    return tuple(
        name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)
    )


def kinds(found: Compared, cost: str) -> list[str]:
    """How the figures of a cost were found out: measured, compiled, estimated, counted."""
    return sorted({figure.kind for figure in figures_of(found.runs, cost)})


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
