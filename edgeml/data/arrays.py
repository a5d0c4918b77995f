"""Array files -> Source: scikit-learn's digits and .npz archives."""

from __future__ import annotations

import importlib.util
import math
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data import matrices, scratch
from edgeml.data.labels import to_labels
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, Split, readable, shown, some
from edgeml.data.values import Named, to_pixels
from edgeml.errors import DataError

Arrays = dict[str, NDArray[Any]]


def read_digits(path: Path, options: ReadOptions) -> Source:
    """scikit-learn's 1,797 hand-written digits, 8 x 8 x 1; the arguments are not needed.

    Their 0..16 become 0..255: to_pixels would keep the small whole numbers as they are. The file that
    scikit-learn ships is read as its load_digits does, whose import takes 1.5 s of the processor.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("digits come with scikit-learn, which is not installed; pip install scikit-learn.")
    rows = np.loadtxt(Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    images = np.rint(rows[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    split = Split(images, rows[:, -1].astype(np.int64))
    warned: tuple[str, ...] = ()
    if Path("digits").exists():
        warned = ("'digits' names scikit-learn's data set; write './digits' for the file or folder here.",)
    return Source(
        "digits",
        "digits",
        "scikit-learn digits",
        tuple("0123456789"),
        {"train": split},
        value_scale=16 / 255,
        warnings=warned,
    )


def read_npz(path: Path, options: ReadOptions) -> Source:
    """A .npz archive -> Source: images, sensor windows or a table (matrices.py says which are which).

    Raises:
        DataError: not an archive, damaged, keys missing, or arrays that are no images and labels.
    """
    pairs, arrays = _read_archive(path)
    names = arrays.get("class_names")
    if names is not None and (names.ndim != 1 or names.dtype.kind not in "USbiu"):
        raise DataError(
            f"{shown(path)}: class_names holds {names.dtype} of shape {names.shape}, "
            "expected a list of texts."
        )
    if names is not None and names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "backslashreplace")
    try:
        class_names = None if names is None else tuple(str(name) for name in names)
    except (SystemError, ValueError) as error:  # code points that Unicode does not have
        raise DataError(f"{shown(path)}: class_names holds bytes that are no text ({error}).") from error
    images = {part: (x, arrays[x]) for part, (x, _) in pairs.items()}
    labels = {part: (y, arrays[y]) for part, (_, y) in pairs.items()}
    extras = {name: arrays[name] for name in matrices.EXTRAS if name in arrays}
    check_lengths(shown(path), images, labels)
    if matrices.holds_windows(images, options.task):
        return matrices.from_windows(path, images, labels, class_names, extras, options)
    if matrices.holds_features(images, options.task):
        return matrices.from_features(path, images, labels, class_names, extras, options)
    return assemble(path, "npz", images, labels, class_names)


def assemble(
    path: Path, kind: str, images: Named, labels: Named, class_names: tuple[str, ...] | None
) -> Source:
    """Named raw arrays -> Source, checked against each other.

    Raises:
        DataError: lengths differ, or values or labels cannot be used.
    """
    where = shown(path)
    check_lengths(where, images, labels)
    pixels = to_pixels(where, images)
    numbers, classes, warned = to_labels(where, labels, class_names)
    parts = {part: Split(pixels.images[part], numbers[part]) for part in images}
    stem = readable(path.resolve().name if path.is_dir() else path.stem)
    return Source(
        stem,
        kind,
        where,
        classes,
        parts,
        value_scale=pixels.scale,
        value_offset=pixels.offset,
        warnings=(*pixels.warnings, *warned),
    )


def check_lengths(where: str, images: Named, labels: Named) -> None:
    """As many labels as images in every part.

    Raises:
        DataError: they differ.
    """
    for part, (name, array) in images.items():
        other, found = labels[part]
        if array.ndim == 0 or found.ndim == 0 or len(array) != len(found):
            raise DataError(
                f"{where}: {name} has shape {array.shape} and {other} {found.shape}, "
                "expected as many labels as images; save them from the same samples."
            )


def _read_archive(path: Path) -> tuple[dict[str, tuple[str, str]], Arrays]:
    """(keys of images and labels of each part, those arrays and class_names); others stay unread."""
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns about headers that Python 2 wrote; they read fine
            infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            pairs = _find_pairs(infos, shown(path))
            wanted = {key for pair in pairs.values() for key in pair} | (
                {"class_names", *matrices.EXTRAS} & set(infos)
            )
            return pairs, {key: _read_member(archive, infos[key], path) for key in sorted(wanted)}
    except (MemoryError, PermissionError, DataError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds on damaged bytes
        raise DataError(
            f"{shown(path)}: not a readable .npz archive ({type(error).__name__}), expected one written by "
            "numpy.savez; it may be truncated, save or download it again."
        ) from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    key = shown(info.filename.removesuffix(".npy"))
    with archive.open(info) as file:
        dtype, size = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"{shown(path)}: {key} holds Python objects, which are never unpickled, expected plain "
                "numbers; save it with a numeric or text dtype."
            )
        if size > info.file_size:  # before NumPy allocates what a damaged header asks for
            raise DataError(
                f"{shown(path)}: {key} is truncated, {info.file_size} bytes of {size}; "
                "save or download it again."
            )
        scratch.check_fits(shown(path), key, size)
    with archive.open(info) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # reaching the end makes zipfile check the CRC
    return array


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], int]:
    """(dtype, bytes of data) that the .npy header announces."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return dtype, math.prod(shape) * dtype.itemsize


def _find_pairs(keys: Iterable[str], where: str) -> dict[str, tuple[str, str]]:
    """For each part, the keys of its images and labels, found without regard to case."""
    actual = {key.lower(): key for key in keys}
    found: dict[str, tuple[str, str]] = {}
    for part, candidates in {**PAIRS, "whole": WHOLE}.items():
        for x, y in candidates:
            if x in actual and y in actual:
                found.setdefault(part, (actual[x], actual[y]))
        lonely = [key for pair in candidates for key in pair if key in actual]
        if part not in found and lonely and part != "whole":
            raise DataError(
                f"{where}: found {some(lonely)} without its partner among the keys "
                f"{some(actual.values(), 12)}, expected {' and '.join(candidates[0])}; save both."
            )
    if "train" not in found and "whole" in found:
        found["train"] = found["whole"]
    if "train" not in found:
        raise DataError(
            f"{where}: found the keys {some(actual.values(), 12) or 'none'}, expected x_train and y_train or "
            "x and y; save the images and labels under those names."
        )
    return {part: pair for part, pair in found.items() if part in PAIRS}


# Ours first, then what Keras, MedMNIST and scikit-learn exports call them.
PAIRS: Mapping[str, tuple[tuple[str, str], ...]] = {
    part: ((f"x_{part}", f"y_{part}"), (f"{part}_images", f"{part}_labels"), (f"{part}_x", f"{part}_y"))
    for part in ("train", "val", "test")
}
WHOLE = (("x", "y"), ("images", "labels"), ("data", "target"), ("data", "labels"), ("images", "target"))
