"""Labels as people store them -> int64 0..k-1 and class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import some
from edgeml.data.values import Named, not_finite
from edgeml.errors import DataError

Labels = dict[str, NDArray[np.int64]]


def to_labels(
    where: str, named: Named, class_names: Sequence[str] | None
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    """Raw label arrays -> (labels by part, class names, warnings).

    Args:
        where: shown path, for messages.
        named: for each part the array's name and the array: whole numbers, strings, or one-hot (n, k).
        class_names: names by label, where the source has them.

    Raises:
        DataError: not labels, out of range, or a label of another part that never occurs in training.
    """
    if class_names is not None and len(set(class_names)) < len(class_names):
        twice = sorted({name for name in class_names if list(class_names).count(name) > 1})
        raise DataError(
            f"{where}: class_names holds {some(twice)} twice, expected different names; rename one."
        )
    flat = {part: (name, _flat(where, name, array)) for part, (name, array) in named.items()}
    kinds = {array.dtype.kind for _, array in flat.values()}
    if len(kinds) > 1:
        raise DataError(
            f"{where}: labels are text in one part and numbers in another, expected one kind; "
            "save them alike."
        )
    if kinds == {"U"}:
        return _from_text(where, flat, class_names)
    if class_names is not None:
        return _from_range(where, flat, class_names)
    return _from_values(where, flat)


def _flat(where: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """(n,) of int64 or of str."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    if array.dtype.kind not in "Ubuif":
        raise DataError(
            f"{where}: {name} holds {array.dtype}, expected whole numbers or text; "
            "save the class of each image."
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind != "U":
        return _from_one_hot(where, name, array)
    if array.ndim != 1:
        raise DataError(
            f"{where}: {name} has shape {array.shape}, expected one label per image, "
            "(n,) or one-hot (n, classes); save the class of each image."
        )
    return array if array.dtype.kind == "U" else _whole(where, name, array)


def _from_one_hot(where: str, name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.shape[1] == 0 or not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
        raise DataError(
            f"{where}: {name} has shape {array.shape} but is not one-hot, expected exactly one 1 in each "
            "row; save the class number of each image."
        )
    positions: NDArray[np.int64] = np.argmax(array, axis=1).astype(np.int64)
    return positions


def _whole(where: str, name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise not_finite(where, name, array)
        if (array != np.rint(array)).any():
            first = float(array[array != np.rint(array)][0])
            raise DataError(
                f"{where}: {name} holds the fraction {first:g}, expected whole numbers as labels; "
                "only classification data can be used."
            )
    if array.size and (array.min() < 0 or array.max() >= 2**31):
        raise DataError(
            f"{where}: labels out of range in {name}, found {array.min()} to {array.max()}, "
            "expected 0 to the number of classes - 1; renumber them."
        )
    return array.astype(np.int64)


def _from_range(
    where: str, flat: Named, class_names: Sequence[str]
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    for name, array in flat.values():
        if array.size and array.max() >= len(class_names):
            raise DataError(
                f"{where}: labels out of range in {name}, found {array.min()} to {array.max()}, "
                f"expected 0 to {len(class_names) - 1} for the {len(class_names)} class_names; "
                "correct the labels or the names."
            )
    return {part: array for part, (_, array) in flat.items()}, tuple(class_names), ()


def _from_values(where: str, flat: Named) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    values = np.unique(flat["train"][1])
    labels = {part: _positions(where, name, array, values) for part, (name, array) in flat.items()}
    names = tuple(str(value) for value in values)
    if len(values) == 0 or values[-1] == len(values) - 1:
        return labels, names, ()
    sentence = (
        f"labels run from {values[0]} to {values[-1]} with gaps or not from 0; they were renumbered 0 to "
        f"{len(values) - 1} and the classes keep the old numbers as names."
    )
    return labels, names, (sentence,)


def _from_text(
    where: str, flat: Named, class_names: Sequence[str] | None
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    values = np.unique(flat["train"][1]) if class_names is None else np.array(sorted(class_names))
    labels = {part: _positions(where, name, array, values) for part, (name, array) in flat.items()}
    names = tuple(str(value) for value in values)
    if class_names is None:
        return labels, names, ()
    place = np.array([list(class_names).index(name) for name in names], np.int64)
    return {part: place[array] for part, array in labels.items()}, tuple(class_names), ()


def _positions(where: str, name: str, array: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Position of each label among the sorted known `values`."""
    unknown = np.setdiff1d(array, values)
    if unknown.size:
        raise DataError(
            f"{where}: {name} holds labels that training never sees "
            f"({some(str(value) for value in unknown)}), expected the classes of the training part; "
            "correct the labels."
        )
    return np.searchsorted(values, array).astype(np.int64)
