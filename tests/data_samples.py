"""Sources that the data tests load, and what it means that one is refused."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from edgeml.data.dataset import Split, load
from edgeml.data.options import ReadOptions
from edgeml.errors import DataError


def refused(source, *words, **options):
    """The one-line message of the DataError that loading `source` raises."""
    with pytest.raises(DataError) as caught:
        load(str(source), ReadOptions(**options))
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and message.endswith(".")
    for word in (*([str(source)] if str(source).strip() else []), *words):
        assert word in message, message
    return message


def images(n=30, shape=(6, 5), low=0, high=256, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(low, high, (n, *shape)).astype(dtype)


def labels(n=30, k=3):
    return np.arange(n) % k


def npz(folder, **arrays):
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return path


def idx_bytes(array, code=8):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def idx_folder(folder, gz=False, dot="-", test=True):
    for part, n in (("train", 60), ("t10k", 12)) if test else (("train", 60),):
        for what, rank, array in (("images", 3, images(n)), ("labels", 1, labels(n).astype(np.uint8))):
            data, name = idx_bytes(array), f"{part}-{what}{dot}idx{rank}-ubyte"
            (folder / (name + ".gz" if gz else name)).write_bytes(gzip.compress(data) if gz else data)
    return folder


def picture(seed=0, size=(12, 10), mode="RGB"):
    """A random image of (width, height) px."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def image_folder(root, classes=("cat", "dog"), count=4, size=(12, 10), mode="RGB", suffix="png"):
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(count):
            picture(number * 100 + index, size, mode).save(root / name / f"{index}.{suffix}")
    return root


def every_image(data):
    return np.concatenate([split.inputs for split in (data.train, data.val, data.test)])


def said(data, *words):
    assert any(all(word in sentence for word in words) for sentence in data.warnings), data.warnings


def damaged(data, cut, changes):
    out = bytearray(data)
    for place, value in changes:
        out[place % len(out)] = value
    return bytes(out[: len(out) - cut % len(out)])


def split_of(labels):
    labels = np.asarray(labels, np.int64)
    return Split(np.zeros((len(labels), 2, 2, 1), np.uint8), labels)


def sorted_npz(folder, n=60, k=3, name="set"):
    images = np.random.default_rng(n).integers(0, 256, (n, 6, 5, 3)).astype(np.uint8)
    path = folder / f"{name}.npz"
    np.savez(path, x=images, y=np.sort(np.arange(n) % k))
    return path
