"""Recordings -> windows: which samples, of which recording, in which group.

A window never reaches across a gap, a change of label, a recording or a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import some
from edgeml.errors import DataError

SECONDS = 2.56
"""Default window of long recordings whose rate is known: that of UCI HAR (Anguita et al. 2013)."""

SAMPLES = 128
"""Default window where the rate is not known: UCI HAR's 2.56 s at 50 Hz."""

SHORTEST, LEAST, MOST = 4, 8, 512
WHOLE = 256
"""Recordings that are all of one length, up to this, are windows themselves: gestures, not activities."""

BLOCKS = 10
"""Stretches that a recording is cut into where a class has too few recordings for three splits."""


@dataclass(frozen=True, eq=False)
class Segment:
    """An unbroken stretch of one label.

    Attributes:
        values: (n, channels) float32.
        label: text.
        recording: name of the recording it is part of.
        person: name; "" where unknown.
        part: "train", "val" or "test".
    """

    values: NDArray[np.float32]
    label: str
    recording: str
    person: str = ""
    part: str = "train"


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one part.

    Attributes:
        segment: (n,) position of the segment.
        start: (n,) first sample in it.
    """

    segment: NDArray[np.int64]
    start: NDArray[np.int64]


def default_window(where: str, segments: Sequence[Segment], rate_hz: float | None) -> int:
    """Samples of a window, from the lengths of the recordings and their rate.

    Raises:
        DataError: the label or something else breaks them every few samples.
    """
    lengths = sorted(len(segment.values) for segment in segments)
    usual = int(median(lengths))
    if usual < SHORTEST:
        raise DataError(
            f"{where}: half of all unbroken stretches of one label have {usual} samples or fewer, expected "
            "recordings; check the label and time columns, or --task tabular-classification."
        )
    if lengths[0] >= 0.95 * lengths[-1] and lengths[-1] <= WHOLE:
        return lengths[0]
    wanted = min(MOST, max(LEAST, round(SECONDS * rate_hz))) if rate_hz else SAMPLES
    tenth = lengths[len(lengths) // 10]
    return max(min(LEAST, usual), min(wanted, tenth if tenth >= usual // 2 else usual // 2))


def cut(segments: Sequence[Segment], window: int, stride: int, part: str) -> Windows:
    """Every window of the segments of a part, by segment and start."""
    chosen, starts = [], []
    for index, segment in enumerate(segments):
        if segment.part == part:
            first = np.arange(0, len(segment.values) - window + 1, stride)
            chosen.append(np.full(len(first), index))
            starts.append(first)
    if not chosen:
        return Windows(np.empty(0, np.int64), np.empty(0, np.int64))
    return Windows(np.concatenate(chosen).astype(np.int64), np.concatenate(starts).astype(np.int64))


def gather(arrays: Sequence[NDArray[np.uint8]], windows: Windows, window: int) -> NDArray[np.uint8]:
    """Segments as uint8 and windows -> (n, window, 1, channels)."""
    channels = arrays[0].shape[1]
    found = np.empty((len(windows.start), window, channels), np.uint8)
    for row, (index, start) in enumerate(zip(windows.segment, windows.start, strict=True)):
        found[row] = arrays[index][start : start + window]
    return found[:, :, None, :]


def check_lengths(where: str, segments: Sequence[Segment], window: int) -> tuple[str, ...]:
    """Warnings for recordings shorter than the window.

    Raises:
        DataError: all of the train part are, or all of a class in it.
    """
    short = [segment for segment in segments if len(segment.values) < window]
    if not short:
        return ()
    train = [segment for segment in segments if segment.part == "train"]
    longest = max(len(segment.values) for segment in train)
    labels = sorted({segment.label for segment in train})
    left = {segment.label for segment in train if len(segment.values) >= window}
    gone = [label for label in labels if label not in left]
    if gone:
        what = "no unbroken recording is" if len(gone) == len(labels) else f"none of class {some(gone)} is"
        raise DataError(
            f"{where}: {what} as long as the window of {window} samples (the longest of all to "
            f"learn from has {longest}), expected one window at least of each class; choose a shorter "
            "--window."
        )
    return (
        f"{len(short)} of {len(segments)} unbroken stretches are shorter than the window of {window} samples "
        f"and were left out (--window), the first of recording {some([short[0].recording])}.",
    )


def blocks(segments: Sequence[Segment], window: int, classes: set[str]) -> list[Segment]:
    """Segments of `classes` cut into BLOCKS stretches (fewer where no window would fit), each a recording."""
    found: list[Segment] = []
    for number, segment in enumerate(segments):
        count = min(BLOCKS, len(segment.values) // window)
        if segment.part != "train" or segment.label not in classes or count < 2:
            found.append(segment)
            continue
        edges = np.linspace(0, len(segment.values), count + 1).astype(int)
        found += [
            replace(
                segment,
                values=segment.values[a:b],
                recording=f"{segment.recording} #{number}.{block}",
                person="",
            )
            for block, (a, b) in enumerate(pairwise(edges))
        ]
    return found
