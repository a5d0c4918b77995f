"""A run -> its part of a comparison: scores, costs and fronts in units that all compared runs share."""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.report.run_files import CandidateFile, Figure, RunFiles

FREE_OF_TARGET = ("size_bytes", "size_zip_bytes", "macs", "params")
"""Costs that no device has a say in."""
Point = tuple[CandidateFile, float, float]
"""A candidate, its cost, its score on the first run's scale."""


def chance_error(run: RunFiles) -> float:
    """1 - the score of a constant guess."""
    classes = len((run.run.get("dataset") or {}).get("classes") or ())
    if run.goal.task == "classification" and run.goal.metric != "auc" and classes > 1:
        return 1 - 1 / classes
    return 1.0 if run.goal.task == "regression" else 0.5


def rescored(run: RunFiles, score: float, first: RunFiles) -> float:
    """A run's score -> the score that its value has in the first run.

    Errors are scored against the best constant of the run's own training part (`Goal.baseline`), so equal
    scores of runs on other samples are not equal errors. Shares are the same in every run.
    """
    return first.goal.score_of(run.goal.value_of(score)) if run is not first else score


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


def front(run: RunFiles, cost: str, first: RunFiles) -> tuple[Point, ...]:
    """The points of one run in one cost that no cheaper one equals in score, cheapest first."""
    found: list[Point] = []
    priced = [(c, _cost(run, c, cost), rescored(run, c.accuracy or 0.0, first)) for c in points(run)]
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


def best(run: RunFiles) -> CandidateFile:
    """The most accurate of the front, which has a test score; without a front, the candidate that is."""
    return (
        run.front_candidates[0] if run.front_candidates else max(points(run), key=lambda c: c.accuracy or 0.0)
    )


def figures_of(runs: Sequence[RunFiles], cost: str) -> list[Figure]:
    """Every figure that candidates of all runs have of a cost, given by its full name."""
    every = [(run, pair) for run in runs for c in points(run) for pair in c.figures.items()]
    return [figure for run, (metric, figure) in every if full_name(run, metric) == cost]
