"""Digits and .npz that are right, and how values become uint8."""

import numpy as np
import pytest

from edgeml.data.dataset import load
from edgeml.data.options import ReadOptions
from tests.data_samples import images, labels, npz, refused


def rows(split):
    """Images of a split as a sorted list, to compare sets of samples."""
    return sorted(
        image.tobytes() + bytes([label]) for image, label in zip(split.inputs, split.labels, strict=True)
    )


def test_digits_use_the_whole_range():
    from sklearn.datasets import load_digits

    data = load("digits")
    assert data.input_shape == (8, 8, 1)
    assert data.classes == tuple("0123456789")
    assert len(data.train) + len(data.val) + len(data.test) == 1797
    raw = load_digits()
    pixels = np.rint(raw.images * 255 / 16).astype(np.uint8)
    expected = sorted((image.tobytes(), label) for image, label in zip(pixels, raw.target, strict=True))
    found = [
        one
        for part in (data.train, data.val, data.test)
        for one in zip(part.inputs, part.labels, strict=True)
    ]
    assert sorted((image.tobytes(), label) for image, label in found) == expected
    assert data.provenance["value_scale"] * 255 == pytest.approx(16)


def test_digits_beside_a_folder_of_that_name_says_so(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    data = load("digits")
    assert data.provenance["kind"] == "digits"
    assert "./digits" in data.warnings[0]


def test_given_test_part_is_kept(tmp_path):
    x, y, x_test, y_test = images(60), labels(60), images(9, seed=1), labels(9)
    data = load(str(npz(tmp_path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)))
    assert rows(data.test) == sorted(a.tobytes() + bytes([b]) for a, b in zip(x_test, y_test, strict=True))
    assert len(data.train) + len(data.val) == 60
    assert len(data.val) == 9
    assert data.provenance["split_from"] == {"train": "train", "val": "train", "test": "test"}


def test_given_val_part_is_kept_and_test_is_taken(tmp_path):
    data = load(
        str(npz(tmp_path, x_train=images(40), y_train=labels(40), x_val=images(6, seed=1), y_val=labels(6)))
    )
    assert (len(data.val), len(data.train) + len(data.test)) == (6, 40)


@pytest.mark.parametrize(
    "keys",
    [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target"), ("train_images", "train_labels")],
)
def test_keys_that_people_use(tmp_path, keys):
    data = load(str(npz(tmp_path, **dict(zip(keys, (images(), labels()), strict=True)))))
    assert len(data.train) + len(data.val) + len(data.test) == 30
    assert data.input_shape == (6, 5, 1)
    assert data.name == "set"


def test_class_names_are_kept_as_they_are(tmp_path):
    names = ['a "quote"', "emoji 🐱", "new\nline"]
    assert load(str(npz(tmp_path, x=images(), y=labels(), class_names=np.array(names)))).classes == tuple(
        names
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first_is_transposed_and_said(tmp_path, channels):
    x = images(shape=(channels, 6, 5))
    data = load(str(npz(tmp_path, x=x, y=labels())))
    assert data.input_shape == (6, 5, channels)
    assert any("transposed" in sentence for sentence in data.warnings)
    last = load(str(npz(tmp_path, x=np.moveaxis(x, 1, 3), y=labels())))
    assert last.hash == data.hash
    assert last.warnings == ()


def test_image_size_applies_to_arrays(tmp_path):
    data = load(str(npz(tmp_path, x=images(), y=labels())), ReadOptions(image_size=12))
    assert data.input_shape == (12, 12, 1)
    assert data.provenance["resized_from"] == [6, 5]


def one_image_each(data):
    return np.concatenate([split.inputs for split in (data.train, data.val, data.test)])


@pytest.mark.parametrize(
    ("raw", "scale", "offset"),
    [
        (images(dtype=np.uint8), 1, 0),
        (images(high=2, dtype=np.uint8), 1, 0),
        (images(dtype=np.float32), 1, 0),
        (images(dtype=np.int64), 1, 0),
        (images(dtype=np.float64) / 255, 1 / 255, 0),
        (images(dtype=np.float64) / 255 * 2 - 1, 2 / 255, -1),
        (images(low=-128, high=128, dtype=np.int8), 1, -128),
        (images(high=65536, dtype=np.uint16), None, None),
        (images(low=-3000, high=3000, dtype=np.int16), None, None),
        (images(high=256, dtype=np.float16) / 2, None, None),
        (images(high=2, dtype=bool), 1 / 255, 0),
    ],
)
def test_values_become_uint8_and_the_map_leads_back(tmp_path, raw, scale, offset):
    raw[0, 0, :2] = raw.min(), raw.max()
    data = load(str(npz(tmp_path, x=raw, y=labels())))
    found_scale, found_offset = data.provenance["value_scale"], data.provenance["value_offset"]
    if scale is not None:
        assert (found_scale, found_offset) == (pytest.approx(scale), pytest.approx(offset))
    stored = one_image_each(data)[..., 0]
    back = np.sort((stored * found_scale + found_offset).ravel())
    assert np.abs(back - np.sort(raw.astype(np.float64).ravel())).max() <= found_scale / 2 * (1 + 1e-6)


def test_train_decides_the_map_and_others_are_clipped(tmp_path):
    x_test = images(9).astype(np.float32)
    path = npz(
        tmp_path, x_train=images(dtype=np.float32) / 255, y_train=labels(), x_test=x_test, y_test=labels(9)
    )
    data = load(str(path))
    assert data.provenance["value_scale"] == pytest.approx(1 / 255)
    assert any("x_test" in sentence and "clipped" in sentence for sentence in data.warnings)


def test_constant_images_are_said(tmp_path):
    data = load(str(npz(tmp_path, x=np.full((30, 4, 4), -7.5), y=labels())))
    assert any("nothing to learn" in sentence for sentence in data.warnings)
    assert data.provenance["value_offset"] == -7.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_names_array_count_and_place(tmp_path, bad):
    x = images(dtype=np.float32)
    x[7, 2, 3] = x[9, 0, 0] = bad
    refused(npz(tmp_path, x=x, y=labels()), "x holds 2 NaN or infinite", "(7, 2, 3")


def test_span_beyond_float_is_refused(tmp_path):
    x = images().astype(np.float64)
    x[0, 0, :2] = -1.7e308, 1.7e308
    refused(npz(tmp_path, x=x, y=labels()), "finite span")


def test_fashion_mnist(shared_data):
    data = load(str(shared_data("fashion_mnist") / "fashion_mnist.npz"))
    assert (len(data.train), len(data.val), len(data.test)) == (51000, 9000, 10000)
    assert data.input_shape == (28, 28, 1)
    assert data.classes[0] == "T-shirt/top"
    assert set(np.bincount(data.val.labels)) == {900}
    assert data.warnings == ()
