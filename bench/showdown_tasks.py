"""The tasks of the showdown: the same three splits for every tool, in the form each of them reads.

A task's folder holds `data.npz` or `data/` (WAV files) for edgeml, `peers.npz` (float32 in 0..1; no test
split in it) and `scoring.npz` (uint8, what `peers.npz` is made of, all three splits).
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARED = Path(os.environ.get("EDGEML_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FRONT_END = "logmel-30-20-32"
"""What the peers hear; edgeml chooses a front end by itself."""
VALIDATION = 0.15

Arrays = dict[str, Any]


class AbsentError(Exception):
    """A data set of ../shared/data is not there."""


def prepare(name: str, folder: Path) -> Path:
    """Task name -> its folder, made once.

    Raises:
        AbsentError: its data are not on this machine.
    """
    place = folder / name
    if (place / "scoring.npz").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    source = TASKS[name](place)
    from edgeml.data.dataset import load

    dataset = load(str(source))
    if name == "fsdd":
        dataset = dataset.fronted(FRONT_END)
    splits = {"train": dataset.train, "validation": dataset.val, "test": dataset.test}
    scoring: Arrays = {"classes": np.array(list(map(str, dataset.classes)))}
    peers: Arrays = {"name": np.array(name), "classes": np.array(len(dataset.classes))}
    for part, split in splits.items():
        inputs = np.asarray(split.inputs)
        scoring |= {f"x_{part}": inputs, f"y_{part}": np.asarray(split.labels)}
        if part != "test":
            x = inputs.astype(np.float32) / 255
            peers[f"x_{part}"] = x[:, :, 0] if dataset.task == "sensor-classification" else x
            peers[f"y_{part}"] = np.asarray(split.labels).astype(np.int64)
    np.savez(place / "peers.npz", **peers)
    np.savez(place / "scoring.new.npz", **scoring)
    (place / "scoring.new.npz").rename(place / "scoring.npz")
    return place


def source_of(place: Path) -> Path:
    """A task's folder -> what `edgeml search --data` is given."""
    return place / "data" if (place / "data").is_dir() else place / "data.npz"


def _digits(place: Path) -> Path:
    """scikit-learn's digits, 8 x 8."""
    from edgeml.data.dataset import load

    found = load("digits")
    arrays = {"train": found.train, "val": found.val, "test": found.test}
    return _write(place, {part: (split.inputs[..., 0], split.labels) for part, split in arrays.items()})


def _fashion_mnist(place: Path) -> Path:
    read = _read("fashion_mnist/fashion_mnist.npz")
    return _write(place, _divided(read["x_train"], read["y_train"], read["x_test"], read["y_test"]))


def _cifar10(place: Path) -> Path:
    """The JPEG copy."""
    import io

    from PIL import Image

    read = _read("cifar10/cifar10_jpeg.npz")
    parts = []
    for part in ("train", "test"):
        blob, offsets = read[f"{part}_jpeg"].tobytes(), read[f"{part}_offsets"]
        spans = itertools.pairwise(offsets)
        images = [np.asarray(Image.open(io.BytesIO(blob[a:b])).convert("RGB")) for a, b in spans]
        parts += [np.stack(images), read[f"{part}_y"]]
    return _write(place, _divided(*parts))


def _magic_wand(place: Path) -> Path:
    """Six axes, 119 samples, the source's own test windows."""
    read = _read("magic_wand_imu/magic_wand_imu.npz")
    return _write(place, _divided(read["x_train"], read["y_train"], read["x_test"], read["y_test"]))


def _fsdd(place: Path) -> Path:
    """WAV files; the official test recordings (index 0 to 4), of the others index 5 to 11 for validation."""
    from bench import fsdd_folder

    path = SHARED / "data" / "fsdd" / "fsdd_8k.npz"
    if not path.exists():
        raise AbsentError(f"{path} is not there")
    fsdd_folder.write(path, place / "data")
    fsdd_folder.move(place / "data" / "train", place / "data", {"val": range(5, 12)})
    return place / "data"


def _read(name: str) -> Arrays:
    path = SHARED / "data" / name
    if not path.exists():
        raise AbsentError(f"{path} is not there")
    with np.load(path) as read:
        return {key: read[key] for key in read.files}


def _divided(
    x: NDArray[Any], y: NDArray[Any], x_test: NDArray[Any], y_test: NDArray[Any]
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Train and test -> train, val (15 % of each class, drawn with seed 0) and test."""
    rng = np.random.default_rng(0)
    val = np.zeros(len(y), bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        val[members[: round(VALIDATION * len(members))]] = True
    order = rng.permutation(len(y))
    train, held = order[~val[order]], order[val[order]]
    return {"train": (x[train], y[train]), "val": (x[held], y[held]), "test": (x_test, y_test)}


def _write(place: Path, parts: dict[str, tuple[Any, Any]]) -> Path:
    arrays = {f"x_{part}": np.asarray(x) for part, (x, _) in parts.items()}
    arrays |= {f"y_{part}": np.asarray(y) for part, (_, y) in parts.items()}
    np.savez(place / "data.npz", **dict[str, Any](arrays))
    return place / "data.npz"


TASKS: dict[str, Callable[[Path], Path]] = {
    "digits": _digits,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "fsdd": _fsdd,
    "magic-wand": _magic_wand,
}

if __name__ == "__main__":
    for task in sys.argv[2:] or TASKS:
        print(prepare(task, Path(sys.argv[1])))
