"""KINDS: every kind of source, how it is recognised and which reader reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeml.data import arrays, idx, images
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source


@dataclass(frozen=True)
class Kind:
    """A kind of source: when it is one, how it is read, and how it is described."""

    says: str
    matches: Callable[[str, Path], bool]
    read: Callable[[Path, ReadOptions], Source]


ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"))

# The first that matches reads the source.
KINDS = {
    "digits": Kind(
        "scikit-learn's digits, 8 x 8 x 1", lambda name, path: name == "digits", arrays.read_digits
    ),
    "idx": Kind(
        "a folder of IDX files (train-images-idx3-ubyte[.gz], ...), or one of them",
        lambda name, path: (
            bool(name)
            and (idx.holds_idx(path) if path.is_dir() else path.is_file() and idx.is_idx_name(path.name))
        ),
        idx.read_idx,
    ),
    "npz": Kind(
        "a .npz file with x_train, y_train and optionally x_test, y_test, x_val, y_val, class_names; or x, y",
        lambda name, path: path.suffix.lower() == ".npz" and path.is_file(),
        arrays.read_npz,
    ),
    "folder": Kind(
        "a folder with one sub-folder of images per class, or with such folders in train, val and test",
        lambda name, path: bool(name.strip()) and path.is_dir(),
        images.read_folder,
    ),
}
