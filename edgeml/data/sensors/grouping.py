"""Segments -> groups that stay in one split: people, else recordings, else stretches of recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeml.data.sensors.recordings import Recorded
from edgeml.data.sensors.windows import Segment, blocks
from edgeml.data.source import some

Key = Callable[[Segment], str]


def group(
    found: Recorded, window: int, asked: bool
) -> tuple[list[Segment], NDArray[np.int64], tuple[str, ...]]:
    """Segments long enough for a window -> (segments, group of each, warnings).

    Args:
        found: what the source holds.
        window: samples.
        asked: the user named the column of groups: it is kept whatever comes of it.
    """
    segments = [segment for segment in found.segments if len(segment.values) >= window]
    needed = 3 - len({segment.part for segment in segments} - {"train"})
    if needed < 2:
        return segments, by_name(segments, _recording), ()
    said: tuple[str, ...] = ()
    if found.persons:
        lacking = _lacking(segments, _person, needed)
        if asked or not lacking:
            return segments, by_name(segments, _person), ()
        people = len({_person(segment) for segment in segments})
        said = (
            f"class {some(lacking)} comes from fewer than {needed} of the {people} people; windows were "
            "split by recording, so scores hold for these people, not for new ones.",
        )
    lacking = _lacking(segments, _recording, needed)
    if not lacking:
        return segments, by_name(segments, _recording), said
    cut = blocks(segments, window, set(lacking))
    return (
        cut,
        by_name(cut, _recording),
        (
            f"class {some(lacking)} has fewer than {needed} recordings; train, validation and test are "
            "different stretches of the same ones, so scores are optimistic: record more.",
        ),
    )


def _person(segment: Segment) -> str:
    return segment.person


def _recording(segment: Segment) -> str:
    return f"{segment.person}\0{segment.recording}"


def _lacking(segments: Sequence[Segment], key: Key, needed: int) -> list[str]:
    """Classes that come from fewer than `needed` groups."""
    by: dict[str, set[str]] = {}
    for segment in segments:
        if segment.part == "train":
            by.setdefault(segment.label, set()).add(key(segment))
    return sorted(label for label, keys in by.items() if len(keys) < needed)


def by_name(segments: Sequence[Segment], key: Key) -> NDArray[np.int64]:
    """(n,) a number for each key."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(key(segment), len(known)) for segment in segments], np.int64)
