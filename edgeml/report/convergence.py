"""RunFiles -> how the size of a network changes how fast it learns: epochs to 90 % of its final value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeml.report import climb, figures, trends
from edgeml.report.plots import continued
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.report.size_effect import size_of
from edgeml.report.trends import Trend

SHARE = 0.9
LAST = 3
"""Epochs whose mean is the final value: single ones jump."""
BEGINNINGS = ("began afresh", "began with inherited weights")


@dataclass(frozen=True)
class Speed:
    """How fast a candidate learnt.

    Attributes:
        epochs: until 90 % of the final training accuracy, or of the fall of the loss where there are no
            classes; between epochs on a straight line. At most the first epoch where it was there by then.
        beginning: one of BEGINNINGS.
    """

    candidate: CandidateFile
    params: float
    epochs: float
    beginning: str


def speeds(run: RunFiles) -> list[Speed]:
    """Of every fully trained candidate, not cut short, whose history and parameters are known."""
    found = []
    for candidate in run.trials:
        params = size_of(candidate, "params")
        if params is None or not climb.comparable(run, candidate):
            continue
        epochs = epochs_to_share(candidate, measure(run))
        if epochs is not None:
            found.append(Speed(candidate, params, epochs, BEGINNINGS[candidate.parent is not None]))
    return found


def measure(run: RunFiles) -> str:
    """What a history says of learning: the training accuracy of classes, else the loss."""
    return "accuracy" if run.goal.task == "classification" else "loss"


def epochs_to_share(candidate: CandidateFile, name: str) -> float | None:
    """Epochs until SHARE of the final training accuracy, or of the loss's fall; None where not known."""
    rows = list(continued(candidate))
    curve = [(epoch, float(row[name])) for epoch, row in rows if row.get(name) is not None]
    if len(curve) <= LAST:
        return None
    final = sum(value for _, value in curve[-LAST:]) / LAST
    first = 0.0 if name == "accuracy" else curve[0][1]
    if name == "loss" and final >= first:
        return None
    return _crossing(curve, first + SHARE * (final - first), rising=name == "accuracy")


def _crossing(curve: list[tuple[float, float]], goal: float, *, rising: bool) -> float:
    """Where a curve first reaches a value."""
    before = curve[0]
    for epoch, value in curve:
        if (value >= goal) if rising else (value <= goal):
            part = 1.0 if value == before[1] else (goal - before[1]) / (value - before[1])
            return before[0] + (epoch - before[0]) * min(1.0, max(0.0, part))
        before = epoch, value
    return curve[-1][0]


def compared(run: RunFiles) -> list[Speed]:
    """Those of the larger group: inherited weights shorten the way, so the two are not mixed."""
    found = speeds(run)
    groups = [[one for one in found if one.beginning == how] for how in BEGINNINGS]
    return max(groups, key=len)


def trend(run: RunFiles) -> Trend | None:
    """log2(epochs) over parameters of the larger group; None where there are too few."""
    group = compared(run)
    return trends.fit([s.params for s in group], [math.log2(s.epochs) for s in group], bends=False)


def sentence(run: RunFiles) -> str | None:
    """What doubling the parameters did to the epochs, or that nothing can be said; None without histories."""
    group = compared(run)
    if not group:
        return None
    many = f"{len(group)} fully trained candidates that {group[0].beginning}"
    found = trend(run)
    ends, group_sizes = sorted(s.epochs for s in group), sorted(s.params for s in group)
    reach = f"{figures.count(group_sizes[0])} and {figures.count(group_sizes[-1])} parameters"
    span = " to ".join(dict.fromkeys(figures.number(end) for end in (ends[0], ends[-1]))) + " epochs"
    if found is None:
        return (
            f"{figures.many(len(group), 'fully trained candidate')} that {group[0].beginning}: {span} to "
            f"90 % of {final_words(run)}; "
            f"too few, or too much of one size, to say how size changes that ({trends.LEAST} are needed)."
        )
    if not found.clear:
        return (
            f"Size made no clear difference to how fast networks learnt: {span} to 90 % of "
            f"{final_words(run)} between {reach} ({many})."
        )
    change, low, high = (100 * (2**slope - 1) for slope in (found.slope, found.low, found.high))
    word = "fewer" if change < 0 else "more"
    ends_said = [
        f"{figures.number(2 ** found.at(size))} epochs at {figures.count(size)} parameters"
        for size in (found.smallest, found.largest)
    ]
    return (
        f"Doubling the parameters took {abs(change):.0f} % {word} epochs to 90 % of "
        f"{final_words(run)} ({low:+.0f} % to {high:+.0f} % with 95 % confidence): about "
        f"{' and '.join(ends_said)} ({many})."
    )


def final_words(run: RunFiles) -> str:
    """What 90 % are of."""
    return "the final training accuracy" if measure(run) == "accuracy" else "the fall of the training loss"
