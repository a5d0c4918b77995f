"""Dataset: the split, the hashes, calibration, resizing."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.data.dataset import Dataset, Split, load
from edgeml.data.options import ReadOptions
from edgeml.data.split import divide, stratified_order
from tests.data_samples import sorted_npz, split_of


@pytest.fixture
def small(tmp_path):
    return load(str(sorted_npz(tmp_path)))


def splits(data):
    return (data.train, data.val, data.test)


COUNTS = st.lists(st.integers(3, 40), min_size=2, max_size=6)


@given(COUNTS, st.integers(0, 2**32), st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_every_sample_is_in_one_split_and_every_class_in_all(counts, seed, val, test):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [str(number) for number in range(len(counts))]
    found = divide({"train": split_of(labels)}, names, {"val": val, "test": test}, seed, "here")
    indices = {name: chosen for name, (_, chosen) in found.items()}
    assert sorted(np.concatenate(list(indices.values()))) == list(range(len(labels)))
    for name, fraction in (("val", val), ("test", test)):
        held = np.bincount(labels[indices[name]], minlength=len(counts))
        assert held.min() >= 1
        assert all(
            abs(size - count * fraction) <= 1 for size, count in zip(held, counts, strict=True) if count > 9
        )
    assert np.bincount(labels[indices["train"]], minlength=len(counts)).min() >= 1


@given(COUNTS, st.integers(0, 2**32))
def test_every_prefix_is_stratified(counts, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    order = stratified_order(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    for size in range(len(counts), len(labels) + 1):
        held = np.bincount(labels[order[:size]], minlength=len(counts))
        assert held.min() >= 1
        assert (np.abs(held - size * np.array(counts) / len(labels)) <= len(counts)).all()


def test_the_same_seed_gives_the_same_and_another_another(tmp_path):
    path = str(sorted_npz(tmp_path))
    first, again, other = (
        load(path, ReadOptions(seed=3)),
        load(path, ReadOptions(seed=3)),
        load(path, ReadOptions(seed=4)),
    )
    assert first.hash == again.hash
    assert first.provenance == again.provenance
    assert all((a.inputs == b.inputs).all() for a, b in zip(splits(first), splits(again), strict=True))
    assert first.hash != other.hash
    assert first.provenance["split_hash"] != other.provenance["split_hash"]
    assert first.provenance["content_hash"] == other.provenance["content_hash"]


def test_sorted_sources_are_shuffled(small):
    assert (np.diff(small.train.labels) < 0).any()


def test_fractions(tmp_path):
    data = load(str(sorted_npz(tmp_path)), val_fraction=0.1, test_fraction=0.3)
    assert [len(split) for split in splits(data)] == [36, 6, 18]
    assert data.provenance["counts"] == {"train": 36, "val": 6, "test": 18}


def test_hash_is_of_the_content_and_not_of_the_place(tmp_path):
    (tmp_path / "other").mkdir()
    first, second = load(str(sorted_npz(tmp_path))), load(str(sorted_npz(tmp_path / "other", name="copy")))
    assert first.hash == second.hash
    assert first.name != second.name


def test_hash_of_digits_is_that_of_every_machine():
    # Read once from NumPy 2.4.6 and scikit-learn 1.9.1; a change of it makes every cached result a miss.
    data = load("digits")
    assert data.provenance["content_hash"][:16] == "4058655c04bbd1a6"
    assert data.hash[:16] == "a48ae61febd897da"


def test_hash_sees_one_pixel_one_label_and_one_name(small):
    images, labels = small.val.inputs.copy(), small.val.labels.copy()
    images[0, 0, 0, 0] ^= 1
    labels[0] = (labels[0] + 1) % 3
    made = [
        small,
        Dataset(
            "d", small.classes, small.train, Split(images, small.val.labels), small.test, small.provenance
        ),
        Dataset(
            "d", small.classes, small.train, Split(small.val.inputs, labels), small.test, small.provenance
        ),
        Dataset("d", ("0", "1", "x"), small.train, small.val, small.test, small.provenance),
        Dataset("d", small.classes, small.val, small.train, small.test, small.provenance),
        Dataset("d", small.classes, *splits(small), {**small.provenance, "value_scale": 2.0}),
    ]
    assert len({data.hash for data in made}) == len(made)


def test_provenance_is_json(small):
    assert json.loads(json.dumps(small.provenance)) == small.provenance
    assert small.provenance["source"].endswith("set.npz")
    assert small.provenance["seed"] == 0


def test_splits_are_read_only_and_checked(small):
    with pytest.raises(ValueError, match="read-only"):
        small.train.inputs[0] = 0
    with pytest.raises(ValueError, match="split of"):
        Split(np.zeros((2, 2, 2, 1), np.float32), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="1 samples and 2 labels"):
        Split(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(2, np.int64))


def test_calibration_is_stratified_training_images(small):
    chosen = small.calibration(12, seed=1)
    label_of = {
        image.tobytes(): label for image, label in zip(small.train.inputs, small.train.labels, strict=True)
    }
    assert sorted(label_of[image.tobytes()] for image in chosen) == [0] * 4 + [1] * 4 + [2] * 4
    assert (chosen == small.calibration(12, seed=1)).all()
    assert (chosen != small.calibration(12, seed=2)).any()
    assert chosen.dtype == np.uint8 and chosen.shape == (12, 6, 5, 3)
    assert len({image.tobytes() for image in chosen}) == 12


def test_calibration_bounds(small):
    assert len(small.calibration(10**6)) == len(small.train)
    assert len(small.calibration(1)) == 1
    with pytest.raises(ValueError, match="at least one"):
        small.calibration(0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(3, 4), (9, 20)])
def test_resized(small, channels, size):
    if channels == 1:
        grey = [Split(split.inputs[..., :1], split.labels) for split in splits(small)]
        small = Dataset("g", small.classes, *grey, small.provenance)
    other = small.resized(*size)
    assert other.input_shape == (*size, channels)
    assert (other.test.labels == small.test.labels).all()
    assert abs(other.train.inputs.mean() - small.train.inputs.mean()) < 4
    assert other.hash != small.hash
    assert small.resized(6, 5) is small
