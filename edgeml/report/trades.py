"""RunFiles -> what is traded for what along the front: each member against its cheaper neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edgeml.report import figures
from edgeml.report.run_files import CandidateFile, RunFiles


@dataclass(frozen=True)
class Trade:
    """One step along the front as seen by one cost.

    Attributes:
        cheap, better: neighbours; `better` has the higher score and costs more.
        gain: of int8 score on the validation split.
        ratio: cost of `better` over that of `cheap`; None where that is 0.
        told_apart: whether the 95 % intervals of their test scores do not overlap; None where not known.
    """

    cost: str
    cheap: CandidateFile
    better: CandidateFile
    gain: float
    ratio: float | None
    told_apart: bool | None


def steps(run: RunFiles, cost: str) -> list[CandidateFile]:
    """Members of the front that no other one equals in score at a cost as low, cheapest first."""
    known = [c for c in run.front_candidates if cost in c.figures]
    found: list[CandidateFile] = []
    for one in sorted(known, key=lambda c: (c.figures[cost].value, -(c.accuracy or 0.0))):
        if not found or (one.accuracy or 0.0) > (found[-1].accuracy or 0.0):
            found.append(one)
    return found


def trades(run: RunFiles, cost: str) -> list[Trade]:
    """Trades between neighbours along one cost, from the cheapest on."""
    members = steps(run, cost)
    return [_trade(cost, cheap, better) for cheap, better in pairwise(members)]


def _trade(cost: str, cheap: CandidateFile, better: CandidateFile) -> Trade:
    low, high = cheap.figures[cost].value, better.figures[cost].value
    gain = (better.accuracy or 0.0) - (cheap.accuracy or 0.0)
    return Trade(cost, cheap, better, gain, high / low if low > 0 else None, _apart(cheap, better))


def _apart(cheap: CandidateFile, better: CandidateFile) -> bool | None:
    one, other = cheap.test_accuracy, better.test_accuracy
    if not one or not other:
        return None
    return bool(other["low"] > one["high"] or other["high"] < one["low"])


def costs(run: RunFiles) -> list[str]:
    """The objectives, and size where it is none."""
    return list(dict.fromkeys([*run.costs, "size_bytes"]))


def sentence(run: RunFiles, trade: Trade) -> str:
    """One step: "+0.8 points cost 1.9x latency: KEY at 0.5 ms to KEY at 0.95 ms"."""
    name = figures.title(trade.cost)
    ends = [figures.told(c.figures[trade.cost]) for c in (trade.cheap, trade.better)]
    times = f"{trade.ratio:.3g}x {name}" if trade.ratio is not None else name
    tie = "" if trade.told_apart is not False else "; a tie on the test split, whose intervals overlap"
    return (
        f"{run.goal.gap(trade.gain, sign=True)} cost {times}: {trade.cheap.key} at {ends[0]} to "
        f"{trade.better.key} at {ends[1]}{tie}"
    )


TIE = "A tie: the 95 % intervals of both test scores overlap."
MOST = 6
"""Steps of one cost that are told; a chart has them all."""


def sentences(run: RunFiles) -> list[str]:
    """One sentence a cost, or one that says that there is nothing to trade; then what a tie is."""
    found = {cost: trades(run, cost) for cost in costs(run)}
    said = [_told(run, cost, steps_) for cost, steps_ in found.items() if steps_]
    if said:
        ties = any(one.told_apart is False for steps_ in found.values() for one in steps_)
        return [*said, TIE] if ties else said
    if not run.front_candidates:
        return []
    if len(run.front_candidates) == 1:
        only = run.front_candidates[0].key
        return [f"Nothing is traded: {only} alone is on the front, best in every objective."]
    return ["Nothing is traded between these members of the front."]


def _told(run: RunFiles, cost: str, found: list[Trade]) -> str:
    """All steps of a cost: "Latency, from KEY at 0.5 ms on: +0.8 points cost 1.9x (KEY, 0.95 ms)."."""
    name = figures.capital(figures.title(cost))
    first = found[0].cheap
    parts = [_step(run, one) for one in found[:MOST]]
    rest = len(found) - MOST
    more = f", and {rest} more step{'' if rest == 1 else 's'}" if rest > 0 else ""
    start = f"{name}, from {first.key} at {figures.told(first.figures[cost])} on"
    return f"{start}: {', then '.join(parts)}{more}."


def _step(run: RunFiles, one: Trade) -> str:
    times = "more" if one.ratio is None else f"{one.ratio:.3g}x" if one.ratio >= 1.005 else "no more"
    tie = "; a tie" if one.told_apart is False else ""
    there = figures.told(one.better.figures[one.cost])
    return f"{run.goal.gap(one.gain, sign=True)} cost {times} ({one.better.key}, {there}{tie})"
