"""A folder of class folders of image files -> Source."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeml.data.options import ReadOptions
from edgeml.data.pixels import SUFFIXES, Header, read_header, read_pixels
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.data.split import PARTS
from edgeml.errors import DataError

LAYOUT = "expected one sub-folder per class, FOLDER/CLASS/IMAGE.png"
LARGEST_KEPT = 96  # px; larger images are beyond what the search spaces' devices hold
_THREADS = 2  # Pillow decodes without the GIL
_R = TypeVar("_R")


@dataclass(frozen=True)
class _Sample:
    path: Path
    part: str
    label: str


@dataclass
class _Listing:
    """Files found so far."""

    samples: list[_Sample] = field(default_factory=list)
    ignored: int = 0
    loose: int = 0
    warnings: list[str] = field(default_factory=list)


def read_folder(path: Path, options: ReadOptions) -> Source:
    """Image folder -> Source; train/, test/ and val/ sub-folders, where there, are its parts.

    All images become one size: `image_size` squared, else their own where all agree and are at most 96 px,
    else the median side squared. All become RGB, or 1 channel where every image is grey.

    Args:
        path: the folder.
        options: image_size and strict count.

    Raises:
        DataError: no class folders, no images, an unknown class in a given part, or `strict` and unreadable.
    """
    listing = _list_parts(path)
    classes = _classes(listing, path)
    with _pillow_warnings():
        headers, bad = _each(listing.samples, lambda _, sample: read_header(sample.path), options.strict)
        if not headers:
            raise DataError(
                f"{shown(path)}: none of its {len(bad)} image files can be read ({some(bad)}); "
                "save them again."
            )
        found = [header for _, header in headers]
        shape = (*_size(found, options.image_size), 1 if all(header.grey for header in found) else 3)
        samples, images, damaged = _decode([sample for sample, _ in headers], shape, options.strict)
    bad += damaged
    return Source(
        name=readable(path.resolve().name),
        kind="folder",
        path=shown(path),
        classes=tuple(readable(name) for name in classes),
        parts=_parts(samples, images, classes, listing),
        skipped=tuple(bad),
        ignored=listing.ignored,
        warnings=(*listing.warnings, *_warnings(found, shape[:2], bad)),
    )


def _list_parts(root: Path) -> _Listing:
    listing = _Listing()
    folders = {entry.name: entry for entry in _visible(root) if entry.is_dir()}
    by_name = {name.lower(): folder for name, folder in folders.items()}
    given = {part: by_name[name] for name, part in reversed(PART_NAMES.items()) if name in by_name}
    given = {part: given[part] for part in PARTS if part in given}
    nested = "train" in given and any(entry.is_dir() for entry in _visible(given["train"]))
    if not nested or len(given) == 1 < len(folders):
        _list_classes(root, "train", listing)
        return listing
    others = sorted(set(folders) - {folder.name for folder in given.values()})
    if others:
        listing.warnings.append(f"sub-folders besides train, val and test were ignored: {some(others)}.")
    for part, folder in given.items():
        _list_classes(folder, part, listing)
    return listing


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))


def _list_classes(folder: Path, part: str, listing: _Listing) -> None:
    before, loose, empty = len(listing.samples), 0, []
    for entry in _visible(folder):
        if entry.is_dir():
            files = list(_walk(entry, set()))
            images = [file for file in files if file.suffix.lower() in SUFFIXES]
            listing.ignored += len(files) - len(images)
            listing.samples += [_Sample(file, part, entry.name) for file in images]
            if not images:
                empty.append(entry.name)
        elif entry.suffix.lower() in SUFFIXES:
            loose += 1
        else:
            listing.ignored += 1
    if len(listing.samples) == before:
        held = f"{loose} images directly inside and no class folder with images" if loose else "no images"
        raise DataError(f"{shown(folder)}: found {held}, {LAYOUT}; sort the images into class folders.")
    if empty:
        listing.warnings.append(f"sub-folders without images were ignored: {some(empty)}.")
    if loose:
        listing.warnings.append(f"{loose} images directly in {shown(folder)} have no class and were ignored.")


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Files below a folder, sorted; a folder that symlinks lead to again is entered once."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in _visible(folder):
        if entry.is_dir():
            yield from _walk(entry, seen)
        else:
            yield entry


def _classes(listing: _Listing, root: Path) -> list[str]:
    """Folder names of the classes, sorted; given parts may not bring new ones."""
    known = {sample.label for sample in listing.samples if sample.part == "train"}
    for part in ("val", "test"):
        alien = sorted({sample.label for sample in listing.samples if sample.part == part} - known)
        if alien:
            raise DataError(
                f"{shown(root)}: the {part} part has classes that the train part lacks ({some(alien)}), "
                "expected the same class folders; add them to train or remove them."
            )
    return sorted(known)


def _each(
    samples: Sequence[_Sample], read: Callable[[int, _Sample], _R], strict: bool
) -> tuple[list[tuple[_Sample, _R]], list[str]]:
    """Read every sample, in order -> (those that could be read, names and reasons of those not)."""

    def attempt(index: int, sample: _Sample) -> _R | Exception:
        try:
            return read(index, sample)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged bytes
            return error

    good: list[tuple[_Sample, _R]] = []
    bad: list[str] = []
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for sample, result in zip(samples, pool.map(attempt, range(len(samples)), samples), strict=True):
            if not isinstance(result, Exception):
                good.append((sample, result))
            elif strict:
                raise DataError(
                    f"{shown(sample.path)}: cannot be read as an image ({_reason(result)}), expected a whole "
                    "JPEG, PNG or BMP file; replace it, or leave out the strict option to skip such files."
                ) from result
            else:
                bad.append(f"{shown(sample.path)} ({_reason(result)})")
    finally:
        pool.shutdown(cancel_futures=True)
    return good, bad


def _decode(
    samples: Sequence[_Sample], shape: tuple[int, int, int], strict: bool
) -> tuple[list[_Sample], NDArray[np.uint8], list[str]]:
    """(samples that could be decoded, their images (n, *shape), names and reasons of the others)."""
    height, width, channels = shape
    images = np.empty((len(samples), *shape), np.uint8)

    def fill(index: int, sample: _Sample) -> int:
        images[index] = read_pixels(sample.path, height, width, channels == 1)
        return index

    filled, bad = _each(samples, fill, strict)
    if bad:
        images = images[[index for _, index in filled]]
    if channels == 3 and all((image == image[..., :1]).all() for image in images):
        images = np.ascontiguousarray(images[..., :1])
    return [sample for sample, _ in filled], images, bad


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"  # Pillow's text repeats the path
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(shown(text).split()) or type(error).__name__


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Decompression bombs are errors, remarks on odd metadata are silent; it is set for all threads."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _size(headers: Sequence[Header], image_size: int | None) -> tuple[int, int]:
    """(height, width) in px that all images get."""
    if image_size is not None:
        return image_size, image_size
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_KEPT:
        return next(iter(sizes))
    middle = median(side for header in headers for side in (header.height, header.width))
    side = min(LARGEST_KEPT, max(16, round(middle / 8) * 8))
    return side, side


def _warnings(headers: Sequence[Header], size: tuple[int, int], bad: Sequence[str]) -> Iterator[str]:
    sizes = Counter((header.height, header.width) for header in headers)
    height, width = size
    if len(sizes) > 1:
        yield f"the images come in {len(sizes)} sizes; all were resized to {height} x {width} px."
    elif size not in sizes:
        was = next(iter(sizes))
        yield f"all images were resized from {was[0]} x {was[1]} to {height} x {width} px."
    modes = Counter(header.mode for header in headers)
    if len(modes) > 1:
        listed = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()))
        yield f"the images come in {len(modes)} colour modes ({listed}); all were converted to one."
    alpha = sum(header.alpha for header in headers)
    if alpha:
        yield f"{alpha} images are transparent; they were laid on black."
    if bad:
        yield f"{len(bad)} images could not be read and were skipped: {some(bad)}."


def _parts(
    samples: Sequence[_Sample], images: NDArray[np.uint8], classes: Sequence[str], listing: _Listing
) -> dict[str, Split]:
    """Samples are listed part after part, so each part is a slice."""
    numbers = {name: index for index, name in enumerate(classes)}
    labels = np.array([numbers[sample.label] for sample in samples], np.int64)
    counts = Counter(sample.part for sample in samples)
    parts, start = {}, 0
    for part in dict.fromkeys(sample.part for sample in listing.samples):
        stop = start + counts[part]
        parts[part] = Split(images[start:stop], labels[start:stop])
        start = stop
    return parts


# Sub-folder name -> the part it is; the first name that is there wins.
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "validation": "val",
    "valid": "val",
    "test": "test",
    "testing": "test",
}
