"""Recordings -> clips of one length: which stretches of each are taken, decided before samples are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST_S = 2.0
"""Longest clip by default: a word, a bark, a turn of a machine; devices hold little more."""

RECORDING_CLIP_S = 1.0
"""Clip that longer recordings are cut into by default."""

CLIPS_A_RECORDING = 60
"""Most clips of one recording, evenly spread: a 10-minute recording is not worth 600 others."""

CROPPED_UP_TO = 4
"""Clip lengths up to which a recording of one event is cropped to its loudest stretch, not cut into clips."""


@dataclass(frozen=True)
class Recording:
    """Duration, part and class of a file."""

    seconds: float
    part: str
    label: str


@dataclass(frozen=True)
class Taken:
    """One clip.

    Attributes:
        recording: its number.
        start_s: where it begins; None is wherever the recording is loudest.
        group: clips of one group stay in one split.
    """

    recording: int
    start_s: float | None
    group: int


def clip_seconds(recordings: Sequence[Recording]) -> float:
    """Durations -> length of a clip: the 95th percentile of short recordings, 1 s of long ones.

    Recordings beyond four times the median do not count: one long one among words is no word.
    """
    seconds = np.array([one.seconds for one in recordings if one.part == "train"])
    middle = float(np.median(seconds))
    if middle > LONGEST_S:
        return RECORDING_CLIP_S
    usual = seconds[seconds <= CROPPED_UP_TO * middle]
    return float(min(LONGEST_S, max(0.1, np.ceil(np.percentile(usual, 95) * 100) / 100)))


def crop_limit(clip_s: float, cut_all: bool) -> float:
    """Seconds below which a recording is one clip, its loudest stretch, and from which it is cut into clips.

    Args:
        clip_s: length of a clip.
        cut_all: whatever is two clips long is cut; else only what is far longer than a clip.
    """
    return 2 * clip_s if cut_all else max(CROPPED_UP_TO * clip_s, LONGEST_S)


def crop_below(clip_s: float, cut_all: bool, rate_hz: int) -> int:
    """The same limit in samples: a recording of fewer is one clip."""
    return math.ceil(round(crop_limit(clip_s, cut_all) * rate_hz, 6))


def take(
    recordings: Sequence[Recording], clip_s: float, stride_s: float, cut_all: bool, needed: int
) -> list[Taken]:
    """Recordings -> clips, in their order.

    Args:
        recordings: what there is.
        clip_s: length of a clip.
        stride_s: from one clip of a recording to the next.
        cut_all: as `crop_limit` has it.
        needed: splits that are made of the train part: a class of fewer recordings is divided in time.
    """
    limit = crop_limit(clip_s, cut_all)
    by_class = Counter(one.label for one in recordings if one.part == "train")
    found: list[Taken] = []
    group = 0
    for number, one in enumerate(recordings):
        if one.seconds < limit:
            found.append(Taken(number, None, group))
            group += 1
            continue
        count = int((one.seconds - clip_s) / stride_s + 1e-9) + 1
        kept = np.unique(np.linspace(0, count - 1, min(count, CLIPS_A_RECORDING)).astype(int))
        starts = kept * stride_s
        blocks = needed if one.part == "train" and by_class[one.label] < needed else 1
        for block in np.array_split(starts, blocks):
            found += [Taken(number, float(start), group) for start in block]
            group += 1
    return _without_overlap(found, clip_s)


def _without_overlap(taken: list[Taken], clip_s: float) -> list[Taken]:
    """Clips of one recording in different groups share no sample."""
    found: list[Taken] = []
    for clip in taken:
        last = found[-1] if found else None
        if last and last.recording == clip.recording and last.group != clip.group:
            assert last.start_s is not None and clip.start_s is not None
            if clip.start_s < last.start_s + clip_s - 1e-9:
                continue
        found.append(clip)
    return found
