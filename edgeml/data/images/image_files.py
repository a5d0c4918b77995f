"""Image files -> decoded images of one size, in memory or in the cache of `image_cache`."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeml.data.class_folders import Filed
from edgeml.data.images import image_cache
from edgeml.data.images.pixels import Header, disguised, read_header, read_pixels
from edgeml.data.options import ReadOptions
from edgeml.data.reading import tell
from edgeml.data.source import shown, some
from edgeml.errors import DataError

LARGEST_KEPT = 96  # px; larger images are beyond what the search spaces' devices hold
_THREADS = 2  # Pillow decodes without the GIL
_AHEAD = 64
"""Images that threads decode before they are asked for."""
_R = TypeVar("_R")


@dataclass(frozen=True, eq=False)
class Decoded:
    """Samples that could be decoded and their images.

    Attributes:
        samples: in the order of `images`.
        images: (n, height, width, 1 or 3) uint8; mapped read-only where there is much.
        bad: names and reasons of those that could not be read.
        sizes: of the files, (height, width) in px -> how many.
        modes: Pillow's name of a colour mode -> how many.
        alpha: how many are transparent.
        disguised: names of files that hold another format than they are called.
    """

    samples: tuple[Filed, ...]
    images: NDArray[np.uint8]
    bad: tuple[str, ...]
    sizes: Counter[tuple[int, int]]
    modes: Counter[str]
    alpha: int
    disguised: tuple[str, ...]


def decode(samples: Sequence[Filed], options: ReadOptions, where: str) -> Decoded:
    """All files -> Decoded; read from the cache where they have been decoded before.

    Raises:
        DataError: none can be read; or `strict` and one cannot.
        StorageError: the cache cannot be written.
    """
    key = image_cache.key_of([sample.path for sample in samples], [options.image_size, LARGEST_KEPT])
    found = image_cache.find(key)
    if found is None:
        found = _decode(samples, options, where, key)
    images, about = found
    if about["bad"] and options.strict:
        raise _unreadable(str(about["bad"][0]))
    lost = set(about["lost"])
    return Decoded(
        tuple(sample for index, sample in enumerate(samples) if index not in lost),
        images,
        tuple(about["bad"]),
        Counter({(height, width): count for height, width, count in about["sizes"]}),
        Counter(about["modes"]),
        about["alpha"],
        tuple(about["disguised"]),
    )


def _decode(samples: Sequence[Filed], options: ReadOptions, where: str, key: str) -> image_cache.Cached:
    about: dict[str, Any] = {"lost": [], "bad": []}

    def read(index: int) -> Header | None:
        return _attempt(lambda: read_header(samples[index].path), index, samples, about, options.strict)

    with _pillow_warnings():
        headers = list(_each(read, range(len(samples)), "looking at images"))
        found = [header for header in headers if header is not None]
        if not found:
            raise _nothing(where, samples, about)
        about |= _described(headers, samples)
        shape = (*size_of(found, options.image_size), 1 if all(header.grey for header in found) else 3)
        good = [index for index, header in enumerate(headers) if header is not None]
        blocks = _blocks(samples, good, shape, about, options.strict, where)
        size = len(good) * prod(shape)
        if size < image_cache.SMALLEST:
            images = np.concatenate(list(blocks))
            if shape[2] == 3 and all((image == image[..., :1]).all() for image in images):
                images = np.ascontiguousarray(images[..., :1])
            return images, about
        with image_cache.entry(key, size) as folder:
            made = image_cache.find(key)  # by a run that held the lock until now
            return made or image_cache.write(folder, shape, len(good), blocks, about)


def _described(headers: Sequence[Header | None], samples: Sequence[Filed]) -> dict[str, Any]:
    found = [(header, sample.path) for header, sample in zip(headers, samples, strict=True) if header]
    sizes = Counter((header.height, header.width) for header, _ in found)
    return {
        "sizes": [[*size, count] for size, count in sizes.items()],
        "modes": dict(Counter(header.mode for header, _ in found)),
        "alpha": sum(header.alpha for header, _ in found),
        "disguised": [
            f"{shown(path)} ({header.format})" for header, path in found if disguised(path, header.format)
        ],
    }


def _blocks(
    samples: Sequence[Filed],
    good: Sequence[int],
    shape: tuple[int, int, int],
    about: dict[str, Any],
    strict: bool,
    where: str,
) -> Iterator[NDArray[np.uint8]]:
    """Images in their order, some at a time; those that cannot be decoded are left out."""
    height, width, channels = shape

    def read(index: int) -> NDArray[np.uint8] | None:
        path = samples[index].path
        return _attempt(
            lambda: read_pixels(path, height, width, channels == 1), index, samples, about, strict
        )

    block: list[NDArray[np.uint8]] = []
    any_yet = False
    for image in _each(read, good, "decoding images"):
        if image is not None:
            block.append(image)
        if len(block) == _AHEAD:
            yield np.stack(block)
            block, any_yet = [], True
    if block:
        yield np.stack(block)
    elif not any_yet:
        raise _nothing(where, samples, about)


def _nothing(where: str, samples: Sequence[Filed], about: dict[str, Any]) -> DataError:
    return DataError(
        f"{where}: none of its {len(samples)} image files can be read ({some(about['bad'])}); save them "
        "again."
    )


def _each(read: Callable[[int], _R], indices: Sequence[int], what: str) -> Iterator[_R]:
    """`read` of every index, in order, by threads that are never far ahead."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for start in range(0, len(indices), _AHEAD):
            yield from pool.map(read, indices[start : start + _AHEAD])
            tell(what, min(start + _AHEAD, len(indices)), len(indices))
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(
    read: Callable[[], _R], index: int, samples: Sequence[Filed], about: dict[str, Any], strict: bool
) -> _R | None:
    """What `read` gives; None, written down, for a file that Pillow cannot read."""
    try:
        return read()
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged bytes, MemoryError too
        named = f"{shown(samples[index].path)} ({_reason(error)})"
        if strict:
            raise _unreadable(named) from error
        about["lost"].append(index)
        about["bad"].append(named)
        return None


def _unreadable(named: str) -> DataError:
    path, _, reason = named.rpartition(" (")
    return DataError(
        f"{path}: cannot be read as an image ({reason[:-1]}), expected a whole JPEG, PNG or BMP file; "
        "replace it, or leave out the strict option to skip such files."
    )


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"  # Pillow's text repeats the path
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(shown(text).replace(" (", ", ").replace(")", "").split()) or type(error).__name__


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Decompression bombs are errors, remarks on odd metadata are silent; it is set for all threads."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def size_of(headers: Sequence[Header], image_size: int | None) -> tuple[int, int]:
    """(height, width) in px that all images get."""
    if image_size is not None:
        return image_size, image_size
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_KEPT:
        return next(iter(sizes))
    middle = median(side for header in headers for side in (header.height, header.width))
    side = min(LARGEST_KEPT, max(16, round(middle / 8) * 8))
    return side, side
