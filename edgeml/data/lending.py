"""Anomalous samples for the split that would have none to be scored with, of a given part that has some.

In the folders of MVTec AD train holds what is good only, and test both kinds: every second anomalous sample
of test is counted with train, from which val is taken; the autoencoder is trained on normal ones either way.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeml.data import scratch
from edgeml.data.source import Source, Split

_Group = TypeVar("_Group", bound=Hashable)


def lender(anomalous: Mapping[str, bool]) -> str | None:
    """By part, whether it has anomalous samples -> the given part that lends some of them.

    None where train has some, where no part is missing, or where no given part has any.
    """
    others = [part for part, some in anomalous.items() if part != "train" and some]
    return others[0] if len(anomalous) == 2 and not anomalous["train"] and others else None


def lent(labels: Iterable[Hashable], groups: Iterable[_Group]) -> set[_Group]:
    """Class and group of each anomalous sample -> the groups that are lent, every second one of a class."""
    first: dict[_Group, Hashable] = {}
    for label, group in zip(labels, groups, strict=True):
        first.setdefault(group, label)
    places = {label: place for place, label in enumerate(dict.fromkeys(first.values()))}
    return set(sorted(first, key=lambda group: places[first[group]])[1::2])


def lending_said(count: int, what: str, part: str) -> str:
    """A warning sentence that so many anomalous samples (`what`) of a given part are lent."""
    other = "val" if part == "test" else "test"
    return (
        f"train has nothing anomalous: {count} anomalous {what} of {part} went to {other}, every second one."
    )


def with_lent(found: Source, anomalous: NDArray[np.bool_]) -> Source:
    """A source of classes, which of them are anomalous -> the same, lent samples moved to train."""
    part = lender({part: bool(anomalous[split.labels].any()) for part, split in found.parts.items()})
    if part is None:
        return found
    source = found.parts[part]
    groups = found.groups.get(part, np.arange(len(source)))
    odd = anomalous[source.labels]
    moved = odd & np.isin(groups, list(lent(source.labels[odd].tolist(), groups[odd].tolist())))
    if not moved.any():
        return found
    gone, kept = np.flatnonzero(moved), np.flatnonzero(~moved)
    known = {one: numbers.tolist() for one, numbers in found.groups.items()}
    parts = {"train": _joined(found.parts["train"], source.take(gone)), part: source.take(kept)}
    return replace(
        found,
        parts={**found.parts, **parts},
        groups={one: np.array(listed, np.int64) for one, listed in _moved(known, part, moved).items()},
        names=_moved(found.names, part, moved),
        warnings=(*found.warnings, lending_said(len(gone), "samples", part)),
    )


def _moved(
    known: Mapping[str, Sequence[Any]], part: str, moved: NDArray[np.bool_]
) -> dict[str, Sequence[Any]]:
    """What is known of each sample, by part, after the move."""
    if part not in known:
        return dict(known)
    gone = [value for value, so in zip(known[part], moved, strict=True) if so]
    kept = [value for value, so in zip(known[part], moved, strict=True) if not so]
    return {**known, "train": [*known["train"], *gone], part: kept}


def _joined(one: Split, other: Split) -> Split:
    """One after the other; large ones are in a file."""
    count = len(one)
    inputs = scratch.empty((count + len(other), *one.inputs.shape[1:]), one.inputs.dtype)
    inputs[:count], inputs[count:] = one.inputs, other.inputs
    return Split(inputs, np.r_[one.labels, other.labels], one.goal)
