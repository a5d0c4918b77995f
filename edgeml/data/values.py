"""Arrays of any number type -> uint8 images, with the affine map that leads back to the raw values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.errors import DataError

Named = Mapping[str, tuple[str, NDArray[Any]]]  # part -> (name of the array in its file, array)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images by part, and raw value = uint8 * scale + offset."""

    images: dict[str, NDArray[np.uint8]]
    scale: float
    offset: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Range:
    low: float
    high: float
    integral: bool


def to_pixels(where: str, named: Named) -> Pixels:
    """Raw arrays -> (n, height, width, channels) uint8; the train part decides the map of values.

    Inside [0, 1] values are multiplied by 255; whole numbers inside [0, 255] are kept; anything else is
    stretched from the smallest to the largest training value. uint8 stays as it is. Other parts are clipped.

    Args:
        where: shown path, for messages.
        named: for each part the array's name and the array, (n, h, w), (n, h, w, c) or (n, c, h, w).

    Raises:
        DataError: wrong type, rank or channels, differing shapes, no samples, NaN or infinite values.
    """
    warnings: list[str] = []
    arranged = {part: (name, _arrange(where, name, array, warnings)) for part, (name, array) in named.items()}
    _check_alike(where, arranged)
    ranges = {part: _range(where, name, array) for part, (name, array) in arranged.items()}
    train = ranges["train"]
    first, array = arranged["train"]
    if train.low == train.high:
        warnings.append(f"every value of {first} is {train.low:g}; there is nothing to learn from.")
    low, high = (0.0, 255.0) if array.dtype == np.uint8 else _limits(train)
    for part, (name, _) in arranged.items():
        if ranges[part].low < low or ranges[part].high > high:
            warnings.append(
                f"{name} holds values from {ranges[part].low:g} to {ranges[part].high:g}, outside the "
                f"training range {low:g} to {high:g}; they were clipped."
            )
    images = {part: _mapped(array, low, high) for part, (_, array) in arranged.items()}
    return Pixels(images, (high - low) / 255, low, tuple(warnings))


def _limits(train: _Range) -> tuple[float, float]:
    """Raw values that become 0 and 255."""
    if train.low >= 0 and train.high <= 1:
        return 0.0, 1.0
    if train.low >= 0 and train.high <= 255 and train.integral:
        return 0.0, 255.0
    return train.low, (train.high if train.high > train.low else train.low + 255.0)


def _arrange(where: str, name: str, array: NDArray[Any], warnings: list[str]) -> NDArray[Any]:
    expected = "expected images as (n, height, width) or (n, height, width, 1 or 3)"
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: {name} holds {array.dtype}, expected numbers; save the pixel values.")
    if array.ndim == 3:
        array = array[..., None]
    elif array.ndim != 4:
        raise DataError(f"{where}: {name} has shape {array.shape}, {expected}; reshape it.")
    elif array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
        warnings.append(f"{name} was read as (n, channels, height, width) and transposed to channels last.")
    if array.shape[3] not in (1, 3):
        raise DataError(f"{where}: {name} has shape {array.shape}, {expected}; keep 1 or 3 channels.")
    if 0 in array.shape:
        raise DataError(f"{where}: {name} is empty with shape {array.shape}, {expected}; save some images.")
    return array


def _check_alike(where: str, arranged: Named) -> None:
    first, train = arranged["train"]
    for name, array in arranged.values():
        if array.shape[1:] != train.shape[1:]:
            raise DataError(
                f"{where}: {name} holds images of {array.shape[1:]} but {first} of {train.shape[1:]}, "
                "expected one shape; resize them alike."
            )
        if (array.dtype.kind == "f") != (train.dtype.kind == "f"):
            raise DataError(
                f"{where}: {name} is {array.dtype} but {first} is {train.dtype}, expected one number type "
                "so that the values mean the same; convert one of them."
            )


def _chunks(array: NDArray[Any]) -> Iterator[slice]:
    """Slices of some 4 million values: float64 copies of a whole data set would not fit."""
    step = max(1, 2**22 // max(1, array[0].size))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _range(where: str, name: str, array: NDArray[Any]) -> _Range:
    if array.dtype == np.uint8:
        return _Range(float(array.min()), float(array.max()), True)
    low, high, integral = np.inf, -np.inf, True
    for rows in _chunks(array):
        chunk = array[rows].astype(np.float64)
        if not np.isfinite(chunk).all():
            raise not_finite(where, name, array)
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        integral = integral and bool((chunk == np.rint(chunk)).all())
    if high - low > 1e300:
        raise DataError(f"{where}: {name} runs from {low:g} to {high:g}, expected a finite span; rescale it.")
    return _Range(low, high, integral)


def not_finite(where: str, name: str, array: NDArray[Any]) -> DataError:
    """The error for an array that holds NaN or infinite values: how many, and where the first is."""
    bad = ~np.isfinite(array)
    first = tuple(int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
    return DataError(
        f"{where}: {name} holds {int(bad.sum())} NaN or infinite values, the first at index {first}, "
        "expected finite numbers; remove or replace them."
    )


def _mapped(array: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    if array.dtype == np.uint8 and (low, high) == (0.0, 255.0):
        return np.ascontiguousarray(array)
    out = np.empty(array.shape, np.uint8)
    gain = 255.0 / (high - low)
    for rows in _chunks(array):
        out[rows] = np.clip(np.rint((array[rows].astype(np.float64) - low) * gain), 0, 255)
    return out
