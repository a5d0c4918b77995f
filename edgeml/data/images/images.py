"""A folder of class folders of image files -> Source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.data.class_folders import Filed, class_names, list_classes
from edgeml.data.guardrails.files import file_findings
from edgeml.data.guardrails.finding import Finding
from edgeml.data.images.image_files import Decoded, decode
from edgeml.data.images.pixels import SUFFIXES
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.errors import DataError


@dataclass
class Listing:
    """Files found so far, part after part."""

    samples: list[Filed] = field(default_factory=list)
    ignored: int = 0
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_folder(path: Path, options: ReadOptions) -> Source:
    """Image folder -> Source; train/, test/ and val/ sub-folders, where there, are its parts.

    All images become one size: `image_size` squared, else their own where all agree and are at most 96 px,
    else the median side squared. All become RGB, or 1 channel where every image is grey.

    Args:
        path: the folder.
        options: image_size, strict and task count.

    Raises:
        DataError: no class folders, no images, an unknown class in a given part, or `strict` and unreadable.
        StorageError: there are many images and the cache for them cannot be written.
    """
    found = list_classes(path, SUFFIXES, "images", "IMAGE.png")
    listing = Listing(list(found.files), len(found.others), list(found.warnings))
    return from_listing(path, "folder", readable(path.resolve().name), listing, path, options)


def from_listing(
    path: Path, kind: str, name: str, listing: Listing, root: Path, options: ReadOptions
) -> Source:
    """Listed image files -> Source; names of samples are relative to `root`.

    Raises:
        DataError, StorageError: as `read_folder`.
    """
    pairs = ((sample.part, sample.label) for sample in listing.samples)
    classes = class_names(shown(path), pairs, options.task)
    found = decode(listing.samples, options, shown(path))
    if not any(sample.part == "train" for sample in found.samples):
        raise DataError(
            f"{shown(path)}: no image of the train part can be read ({some(found.bad, 2)}), expected some to "
            "learn from; save them again."
        )
    size = (found.images.shape[1], found.images.shape[2])
    return Source(
        name=name,
        kind=kind,
        path=shown(path),
        classes=tuple(readable(name) for name in classes),
        parts=_parts(found, classes),
        groups=_groups(found.samples),
        skipped=found.bad,
        ignored=listing.ignored,
        warnings=(*listing.warnings, *_warnings(found, size)),
        names=_names(found.samples, root),
        findings=file_findings(found, size),
    )


def _warnings(found: Decoded, size: tuple[int, int]) -> Iterator[str]:
    height, width = size
    if len(found.sizes) > 1:
        yield f"the images come in {len(found.sizes)} sizes; all were resized to {height} x {width} px."
    elif size not in found.sizes:
        was = next(iter(found.sizes))
        yield f"all images were resized from {was[0]} x {was[1]} to {height} x {width} px."
    if len(found.modes) > 1:
        listed = ", ".join(f"{count} {mode}" for mode, count in sorted(found.modes.items()))
        yield f"the images come in {len(found.modes)} colour modes ({listed}); all were converted to one."
    if found.alpha:
        yield f"{found.alpha} images are transparent; they were laid on black."
    if found.bad:
        yield f"{len(found.bad)} images could not be read and were skipped: {some(found.bad)}."


def _parts(found: Decoded, classes: Sequence[str]) -> dict[str, Split]:
    """Samples are listed part after part, so each part is a slice."""
    numbers = {name: index for index, name in enumerate(classes)}
    labels = np.array([numbers[sample.label] for sample in found.samples], np.int64)
    counts = Counter(sample.part for sample in found.samples)
    parts, start = {}, 0
    for part in counts:
        stop = start + counts[part]
        parts[part] = Split(found.images[start:stop], labels[start:stop])
        start = stop
    return parts


def _groups(samples: Sequence[Filed]) -> dict[str, NDArray[np.int64]]:
    """By part, the number of each sample's group; one without is a group of its own."""
    if not any(sample.group for sample in samples):
        return {}
    found: dict[str, list[int]] = {}
    numbers: dict[str, int] = {}
    for index, sample in enumerate(samples):
        number = numbers.setdefault(sample.group, index) if sample.group else index
        found.setdefault(sample.part, []).append(number)
    return {part: np.array(listed, np.int64) for part, listed in found.items()}


def _names(samples: Sequence[Filed], root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sample in samples:
        inside = sample.path.is_relative_to(root)
        name = readable(sample.path.relative_to(root) if inside else sample.path)
        found.setdefault(sample.part, []).append(name)
    return found
