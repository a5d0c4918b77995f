"""Labels and groups -> which sample goes to train, val and test, no group in two of them.

As stratified as the groups allow: the shares of every class in every split are brought as close to what was
asked for as a greedy assignment and a local search over moves and exchanges get (the idea of scikit-learn's
StratifiedGroupKFold, for splits of unequal size).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import some
from edgeml.errors import DataError

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

STARTS = 8
"""Greedy assignments tried, each with groups of equal size in another order; the best is kept."""

EXCHANGED = 40
"""Up to so many groups moves and exchanges are tried; with more, single groups hardly matter."""

_LACKING = 100.0
"""What a class that a split lacks adds to the cost; ten times that in train, and for an empty split."""


@dataclass(frozen=True)
class _Problem:
    """Samples of each class in each group, and how many each split should get (splits, classes)."""

    counts: Floats
    wanted: Floats
    classes: bool

    def lacking(self, given: Floats) -> NDArray[np.bool_]:
        """(splits, classes): whether a split that should have some of a class has none."""
        return np.asarray((given == 0) & (self.wanted > 0), np.bool_)

    def cost(self, given: Floats) -> float:
        """Of splits that hold `given` (splits, classes)."""
        share = np.maximum(self.counts.sum(axis=0), 1)
        found = float((((given - self.wanted) / share) ** 2).sum())
        lacking = self.lacking(given)
        if self.classes:
            found += _LACKING * float(lacking.sum() + 9 * lacking[0].sum())
        return found + 1000 * _LACKING * int((given.sum(axis=1) == 0).sum())


def assign_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    fractions: Mapping[str, float],
    rng: np.random.Generator,
    task: str,
) -> dict[str, Indices]:
    """Positions of the samples of "train" and of each split in `fractions`, groups kept whole.

    Args:
        labels: (n,) stratum of each sample.
        groups: (n,) group of each sample.
        fractions: share of each class to take for each split besides train.
        rng: only `random` is drawn from it.
        task: one of source.TASKS; of "anomaly" the anomalous samples (1) of groups in train are left out.
    """
    _, member = np.unique(groups, return_inverse=True)
    counts = np.zeros((int(member.max()) + 1, int(labels.max()) + 1))
    np.add.at(counts, (member, labels), 1)
    shares = np.array([1 - sum(fractions.values()), *fractions.values()])
    wanted = shares[:, None] * counts.sum(axis=0)
    if task == "anomaly" and wanted.shape[1] > 1 and len(fractions):
        wanted[0, 1], wanted[1:, 1] = 0, counts[:, 1].sum() / len(fractions)
    problem = _Problem(counts, wanted, task != "regression")
    starts = STARTS if len(counts) <= EXCHANGED else 2
    found = [_improved(problem, _greedy(problem, rng.random(len(counts)))) for _ in range(starts)]
    best = min(found, key=lambda place: problem.cost(_given(problem, place)))
    split = best[member]
    result = {name: np.flatnonzero(split == index) for index, name in enumerate(("train", *fractions))}
    if task == "anomaly":
        result["train"] = result["train"][labels[result["train"]] == 0]
    return result


def _given(problem: _Problem, place: Indices) -> Floats:
    held = np.zeros_like(problem.wanted)
    np.add.at(held, place, problem.counts)
    return held


def _greedy(problem: _Problem, jitter: Floats) -> Indices:
    """Large groups first, each to the split that lacks its samples most."""
    sizes = problem.counts.sum(axis=1)
    share = np.maximum(problem.counts.sum(axis=0), 1)
    held = np.zeros_like(problem.wanted)
    place = np.zeros(len(sizes), np.int64)
    for group in np.lexsort((jitter, -sizes)):
        row = problem.counts[group]
        # the change of the squared distance, of the whole and by class
        gain = ((row / share) * (2 * (held - problem.wanted) + row) / share).sum(axis=1)
        empty = (held.sum(axis=1) == 0) & (gain > 0)
        chosen = int(np.argmin(np.where(empty, gain * 0.5, gain)))
        place[group] = chosen
        held[chosen] += row
    return place


def _improved(problem: _Problem, place: Indices) -> Indices:
    """Moves of one group and exchanges of two, as long as one helps; of many, those of rare classes."""
    held = _given(problem, place)
    best, movable = problem.cost(held), np.arange(len(place))
    if len(place) > EXCHANGED:
        lacking = problem.lacking(held).any(axis=0) if problem.classes else np.zeros(0, np.int64)
        movable = np.flatnonzero(problem.counts[:, np.flatnonzero(lacking)].any(axis=1))
        if len(movable) > EXCHANGED:
            return place
    for _ in range(4 * len(movable)):
        step = _better(problem, place, held, best, movable.tolist())
        if step is None:
            break
        place, held, best = step
    return place


def _better(
    problem: _Problem, place: Indices, held: Floats, best: float, movable: Sequence[int]
) -> tuple[Indices, Floats, float] | None:
    """The first move or exchange of movable groups that lowers the cost: (place, held, cost)."""
    rows = problem.counts
    splits = range(len(problem.wanted))
    moves = [((group, to),) for group in movable for to in splits if to != place[group]]
    exchanges = [
        ((a, int(place[b])), (b, int(place[a])))
        for index, a in enumerate(movable)
        for b in movable[index + 1 :]
        if place[a] != place[b]
    ]
    for step in (*moves, *exchanges):
        changed = held.copy()
        for group, to in step:
            changed[place[group]] -= rows[group]
            changed[to] += rows[group]
        cost = problem.cost(changed)
        if cost < best - 1e-12:
            moved = place.copy()
            for group, to in step:
                moved[group] = to
            return moved, changed, cost
    return None


def check_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    classes: Sequence[str],
    splits: Sequence[str],
    where: str,
) -> None:
    """Refuse groups that cannot be divided.

    Args:
        labels: (n,) class of each sample of the train part.
        groups: (n,) its group.
        classes: names; none for regression.
        splits: those that are made of the train part, "train" first.
        where: shown path, for messages.

    Raises:
        DataError: fewer groups than splits, or a class in a single group only.
    """
    count = len(np.unique(groups))
    if count < len(splits):
        raise DataError(
            f"{where}: found {count} group{'s' * (count != 1)} (people or recordings), expected at least "
            f"{len(splits)}, one of its own for each of {', '.join(splits)}; add some, or name another "
            "column with --group."
        )
    if len(splits) < 2 or not classes:
        return
    lonely = [name for index, name in enumerate(classes) if len(np.unique(groups[labels == index])) < 2]
    if lonely:
        raise DataError(
            f"{where}: class {some(lonely)} comes from one group (person or recording) only, expected at "
            f"least 2, better {len(splits)}, since no group is in two of {', '.join(splits)}; add some, or "
            "name another column with --group."
        )
