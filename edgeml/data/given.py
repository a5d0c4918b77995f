"""Arrays and tf.data.Datasets of a Python program -> a .npz file in the cache, so that a run can be resumed.

The file's name is a hash of its content: the same data are written once.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.scratch import cache_folder, no_space
from edgeml.data.source import fingerprint
from edgeml.data.split import PARTS
from edgeml.durable import whole
from edgeml.errors import DataError

LARGEST = 8 << 30
"""Bytes of a tf.data.Dataset that are read; one without an end would fill the memory."""

SAYS = (
    "expected a name or path, a pair of arrays (x, y), {'train': (x, y), 'test': ...} or a finite "
    "tf.data.Dataset of (image, label)"
)
Pair = tuple[NDArray[Any], NDArray[Any]]


def as_path(data: Any) -> str:
    """What `edgeml.search` is given as data -> a name or path that `load` reads.

    Args:
        data: a str or Path, as it is; (x, y); ((x, y), (x_test, y_test)) as Keras's data sets; a mapping of
            train, val and test to pairs or data sets; a tf.data.Dataset, batched or not.

    Raises:
        DataError: something else, or a data set that is empty, endless or of images of several sizes.
        StorageError: the cache cannot be written.
    """
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    arrays = {}
    for part, found in _parts(data).items():
        x, y = _stream(found) if _is_stream(found) else _pair(found)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    return str(_written(arrays))


def _parts(data: Any) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        if "train" in data and set(data) <= set(PARTS):
            return data
        raise DataError(f"data: found the keys {sorted(map(str, data))}, {SAYS}; name the parts so.")
    if isinstance(data, (tuple, list)) and len(data) in (2, 3) and all(_is_pair(one) for one in data):
        return dict(zip(("train", "test") if len(data) == 2 else PARTS, data, strict=True))
    return {"train": data}


def _is_pair(found: Any) -> bool:
    return _is_stream(found) or (
        isinstance(found, (tuple, list)) and len(found) == 2 and np.ndim(found[0]) > 1
    )


def _is_stream(found: Any) -> bool:
    return hasattr(found, "element_spec") and hasattr(found, "as_numpy_iterator")


def _pair(found: Any) -> Pair:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise DataError(f"data: found {type(found).__name__}, {SAYS}.")
    x, y = np.asarray(found[0]), np.asarray(found[1])
    if x.dtype.hasobject or (y.dtype.hasobject and not all(isinstance(one, (str, bytes)) for one in y.flat)):
        raise DataError(f"data: found arrays of Python objects, {SAYS}; give them a numeric dtype.")
    return x, _texts(y)


def _texts(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels that are bytes, as TensorFlow gives texts, as texts."""
    if labels.dtype.kind in "OS":
        return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in labels.flat])
    return labels


def _stream(found: Any) -> Pair:
    """A tf.data.Dataset -> all its images and labels."""
    spec = found.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2 or not all(hasattr(one, "shape") for one in spec):
        raise DataError(f"data: found a tf.data.Dataset of {spec}, {SAYS}; map it to (image, label).")
    if int(found.cardinality()) == -1:
        raise DataError("data: found an endless tf.data.Dataset, expected a finite one; leave out repeat().")
    batched = _is_batched(*(one.shape for one in spec))
    xs, ys, size = [], [], 0
    for image, label in found.as_numpy_iterator():
        xs.append(np.asarray(image))
        ys.append(np.asarray(label))
        size += xs[-1].nbytes
        if size > LARGEST:
            raise DataError(
                f"data: the tf.data.Dataset has more than {LARGEST >> 30} GiB of images or no end, expected "
                "less; write the images into class folders, which need not fit into memory."
            )
    if not xs:
        raise DataError("data: the tf.data.Dataset is empty, expected (image, label) elements; check it.")
    sizes = {image.shape[1:] if batched else image.shape for image in xs}
    if len(sizes) > 1:
        raise DataError(
            f"data: the tf.data.Dataset has images of {len(sizes)} shapes, such as {sorted(sizes)[:2]}, "
            "expected one; map it with tf.image.resize."
        )
    join = np.concatenate if batched else np.stack
    return join(xs), _texts(join(ys))


def _is_batched(image: Any, label: Any) -> bool:
    """Shapes of an element -> whether it is a batch: a label a row, as many rows as images."""
    if image.rank is None or label.rank is None:
        raise DataError(
            "data: the tf.data.Dataset has elements of unknown rank, expected known; set its shapes."
        )
    if label.rank == 0:
        return False
    return bool(image.rank == 4 or (image.rank == 3 and image[0] == label[0]))


def _written(arrays: dict[str, NDArray[Any]]) -> Path:
    folder = cache_folder("arrays")
    name = f"arrays-{fingerprint(sorted(arrays), [arrays[key] for key in sorted(arrays)])[:16]}.npz"
    size = math.fsum(array.nbytes for array in arrays.values())
    if (folder / name).exists():
        return folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / name) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise no_space(folder, int(size), error) from error
    return folder / name
