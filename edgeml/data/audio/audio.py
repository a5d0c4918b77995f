"""A folder of class folders of WAV files -> Source of waveforms of one length and rate, int16."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.data.audio.clips import CLIPS_A_RECORDING, Recording, Taken, clip_seconds, crop_below, take
from edgeml.data.audio.wav import read_header, read_samples
from edgeml.data.audio.wave_steps import Wav, fitted, resampled, to_int16
from edgeml.data.class_folders import ENDINGS, Filed, Listing, class_names, endings, list_classes
from edgeml.data.guardrails.finding import Finding
from edgeml.data.options import ReadOptions
from edgeml.data.scratch import available_bytes
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.data.split import PARTS
from edgeml.errors import DataError

WAV = frozenset((".wav", ".wave"))
OTHERS = frozenset((".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma"))
HIGHEST_HZ = 16_000
"""Recordings of a higher rate are resampled: sounds say little above 8 kHz, and devices pay for it."""

MARGIN_S = 0.02
"""Read on both sides of a stretch that is resampled, so that the filter starts outside of it."""


def holds_audio(folder: Path) -> bool:
    """Whether a folder has class folders with recordings in them, or nothing but recordings."""
    found = set(endings(folder))
    if not found:
        with os.scandir(folder) as entries:
            found = {Path(entry.name).suffix.lower() for entry in islice(entries, ENDINGS)}
    return not found.isdisjoint(WAV | OTHERS)


@dataclass(frozen=True)
class _Read:
    """The recordings that can be used, and why others cannot."""

    files: list[Filed]
    headers: list[Wav]
    bad: list[str]


def read_audio(path: Path, options: ReadOptions) -> Source:
    """Folder of WAV files -> Source; train/, val/ and test/ sub-folders, where there, are its parts.

    All become mono at one rate, the lowest there is and 16 kHz at most, and clips of one length: `window`
    samples at that rate, else the 95th percentile of the durations where recordings are short, else 1 s.
    Shorter recordings are centred in silence, longer ones cropped to their loudest stretch; what is far
    longer is cut into clips (one every `stride` samples, else end to end) that stay in one split.

    Raises:
        DataError: no recordings, none that can be read, an unknown class in a part, too much for the memory,
            or `strict` and one is unreadable.
    """
    listing = _listed(path)
    classes = class_names(shown(path), ((file.part, file.label) for file in listing.files), options.task)
    read = _headers(listing.files, options.strict)
    _check_train(path, read.files, read.bad)
    rate = min(HIGHEST_HZ, *(header.rate_hz for header in read.headers))
    recordings = [
        Recording(header.seconds, file.part, file.label)
        for file, header in zip(read.files, read.headers, strict=True)
    ]
    clip_s = options.window / rate if options.window else clip_seconds(recordings)
    samples = round(clip_s * rate)
    stride_s = (options.stride or samples) / rate
    long = bool(options.window) or float(np.median([one.seconds for one in recordings])) > clip_s * 2
    needed = 3 - len({file.part for file in read.files} - {"train"})
    taken = take(recordings, clip_s, stride_s, long, needed)
    _check_memory(path, len(taken), samples)
    waveforms, taken, bad = _waveforms(read.headers, taken, samples, rate, options.strict)
    files = [read.files[one.recording] for one in taken]
    _check_train(path, files, [*read.bad, *bad])
    split = _Parts(files, taken, classes)
    cut = Counter(one.recording for one in taken if one.start_s is not None)
    return Source(
        name=readable(path.resolve().name),
        kind="audio",
        path=shown(path),
        classes=tuple(readable(name) for name in classes),
        parts=split.parts(waveforms),
        groups=split.groups() if cut else {},
        preprocessing={
            "kind": "audio",
            "rate_hz": rate,
            "samples": samples,
            "crop_below": crop_below(clip_s, long, rate),
        },
        skipped=tuple(read.bad + bad),
        ignored=len(listing.others),
        warnings=(*listing.warnings, *_warnings(read, bad, cut, samples, rate, len(taken))),
        names=split.names(path),
        findings=tuple(_findings(path, read, listing, rate)),
    )


def _listed(path: Path) -> Listing:
    try:
        return list_classes(path, WAV, "WAV files", "RECORDING.wav")
    except DataError as error:
        kinds = OTHERS.intersection(endings(path))
        if not kinds:
            raise
        raise DataError(
            f"{shown(path)}: found recordings in {', '.join(sorted(kinds))} and no WAV files, expected "
            "FOLDER/CLASS/RECORDING.wav; convert them, for example with ffmpeg -i a.mp3 a.wav."
        ) from error


def _headers(files: Sequence[Filed], strict: bool) -> _Read:
    found = _Read([], [], [])
    for file in files:
        try:
            header = read_header(file.path)
        except (DataError, OSError) as error:
            if strict:
                raise
            found.bad.append(_reason(file.path, error))
            continue
        found.files.append(file)
        found.headers.append(header)
    return found


def _check_train(path: Path, files: Sequence[Filed], bad: Sequence[str]) -> None:
    if not any(file.part == "train" for file in files):
        raise DataError(f"{shown(path)}: no recording to learn from can be read; {bad[0]}")


def _reason(path: Path, error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else f"{shown(path)}: {error}"


def _check_memory(path: Path, clips: int, samples: int) -> None:
    size, free = 2 * clips * samples, available_bytes()
    if size > free / 2:
        raise DataError(
            f"{shown(path)}: its {clips} clips of {samples} samples need {size / 1e9:.1f} GB of memory, "
            f"expected at most {free / 2e9:.1f}; give a shorter --window, or fewer recordings."
        )


def _waveforms(
    headers: Sequence[Wav], taken: Sequence[Taken], samples: int, rate: int, strict: bool
) -> tuple[NDArray[np.int16], list[Taken], list[str]]:
    """Clips -> (waveforms (n, samples, 1, 1), the clips that could be read, why others could not)."""
    found = np.empty((len(taken), samples, 1, 1), np.int16)
    kept: list[Taken] = []
    bad: dict[int, str] = {}
    for clip in taken:
        header = headers[clip.recording]
        try:
            values = _clip(header, clip, samples, rate)
        except (DataError, OSError) as error:
            if strict:
                raise
            bad.setdefault(clip.recording, _reason(header.path, error))
            continue
        found[len(kept), :, 0, 0] = to_int16(values)
        kept.append(clip)
    return found[: len(kept)], kept, list(bad.values())


def _clip(header: Wav, clip: Taken, samples: int, rate: int) -> NDArray[np.float64]:
    if clip.start_s is None:
        return fitted(resampled(read_samples(header), header.rate_hz, rate), samples)
    before = min(clip.start_s, MARGIN_S)
    start = round((clip.start_s - before) * header.rate_hz)
    count = round((samples / rate + before + MARGIN_S) * header.rate_hz)
    values = resampled(read_samples(header, start, count), header.rate_hz, rate)
    skipped = round((clip.start_s - start / header.rate_hz) * rate)
    return fitted(values[skipped : skipped + samples], samples)


@dataclass(frozen=True)
class _Parts:
    """Clips, sorted part after part."""

    files: Sequence[Filed]
    taken: Sequence[Taken]
    classes: Sequence[str]

    def _of(self, part: str) -> slice:
        found = [index for index, file in enumerate(self.files) if file.part == part]
        return slice(found[0], found[-1] + 1)

    def _there(self) -> Iterator[str]:
        there = {file.part for file in self.files}
        yield from (part for part in PARTS if part in there)

    def parts(self, waveforms: NDArray[np.int16]) -> dict[str, Split]:
        numbers = {name: index for index, name in enumerate(self.classes)}
        labels = np.array([numbers[file.label] for file in self.files], np.int64)
        return {part: Split(waveforms[self._of(part)], labels[self._of(part)]) for part in self._there()}

    def groups(self) -> dict[str, NDArray[np.int64]]:
        found = np.array([one.group for one in self.taken], np.int64)
        return {part: found[self._of(part)] for part in self._there()}

    def names(self, root: Path) -> dict[str, list[str]]:
        every = [
            readable(str(file.path.relative_to(root)))
            + ("" if one.start_s is None else f" at {one.start_s:.3g} s")
            for file, one in zip(self.files, self.taken, strict=True)
        ]
        return {part: every[self._of(part)] for part in self._there()}


def _warnings(
    read: _Read, bad: Sequence[str], cut: Counter[int], samples: int, rate: int, clips: int
) -> Iterator[str]:
    yield f"read as audio: {clips} clips of {samples} samples ({samples / rate:.3g} s at {rate} Hz)."
    rates = Counter(header.rate_hz for header in read.headers)
    if len(rates) > 1:
        listed = ", ".join(f"{count} at {hz} Hz" for hz, count in sorted(rates.items()))
        yield f"the recordings have different rates ({listed}); all were resampled to {rate} Hz."
    elif rate not in rates:
        yield f"the recordings were resampled from {next(iter(rates))} to {rate} Hz."
    if cut:
        names = [shown(read.headers[number].path.name) for number in cut]
        least = f", at most {CLIPS_A_RECORDING} of each" if max(cut.values()) == CLIPS_A_RECORDING else ""
        yield (
            f"{_recordings(len(cut))} far longer than a clip, cut into {sum(cut.values())} "
            f"clips{least}; those of one recording stay in one split: {some(names, 3)}."
        )
    short = [shown(header.path.name) for header in read.headers if header.cut_off]
    if short:
        yield f"{_recordings(len(short))} cut off; what is there was read: {some(short, 3)}."
    unread = [*read.bad, *bad]
    if unread:
        yield f"{_recordings(len(unread))} unreadable and left out: {unread[0]}"


def _recordings(count: int) -> str:
    return "1 recording is" if count == 1 else f"{count} recordings are"


def _findings(path: Path, read: _Read, listing: Listing, rate: int) -> Iterator[Finding]:
    others = [file for file in listing.others if file.suffix.lower() in OTHERS]
    if others:
        yield Finding(
            "warning",
            "unread-formats",
            len(others),
            f"{_recordings(len(others))} in a format other than WAV.",
            "leaves them out; convert them, for example with ffmpeg -i a.mp3 a.wav.",
            tuple(shown(file.relative_to(path)) for file in others),
        )
    rates = Counter(header.rate_hz for header in read.headers)
    usual = rates.most_common(1)[0][0]
    other = [shown(header.path.name) for header in read.headers if header.rate_hz != usual]
    if other:
        yield Finding(
            "warning",
            "mixed-sample-rates",
            len(other),
            f"{_recordings(len(other))} of another rate than the {usual} Hz of most: what a rate cannot hold "
            "may tell classes apart.",
            f"all are resampled to {rate} Hz, the lowest.",
            tuple(other),
        )
    short = [shown(header.path.name) for header in read.headers if header.cut_off]
    if short:
        yield Finding(
            "warning",
            "truncated-recordings",
            len(short),
            f"{_recordings(len(short))} shorter than the header says.",
            "what is there is read.",
            tuple(short),
        )
