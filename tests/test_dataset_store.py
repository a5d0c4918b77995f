"""Dataset.save and Dataset.open."""

import errno
import json
import multiprocessing
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from edgeml.data import store
from edgeml.data.dataset import Dataset, load
from edgeml.errors import DataError, StorageError
from tests.data_samples import sorted_npz, split_of


@pytest.fixture
def small(tmp_path):
    return load(str(sorted_npz(tmp_path)))


def splits(data):
    return (data.train, data.val, data.test)


def test_round_trip(small, tmp_path):
    small.save(tmp_path / "new" / "saved")
    found = Dataset.open(tmp_path / "new" / "saved")
    assert found.hash == small.hash
    assert (found.name, found.classes, found.warnings) == (small.name, small.classes, small.warnings)
    assert found.provenance == small.provenance
    assert isinstance(found.train.inputs, np.memmap)
    assert (found.train.inputs == small.train.inputs).all()
    assert (found.calibration(5) == small.calibration(5)).all()
    assert found.resized(3, 3).input_shape == (3, 3, 3)
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["saved"]


def test_saving_again_replaces(small, tmp_path):
    small.save(tmp_path / "saved")
    small.resized(3, 3).save(tmp_path / "saved")
    assert Dataset.open(tmp_path / "saved").input_shape == (3, 3, 3)
    Dataset.open(tmp_path / "saved").save(tmp_path / "saved")
    assert Dataset.open(tmp_path / "saved").input_shape == (3, 3, 3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["saved", "set.npz"]


def test_saved_folder_can_be_read_by_others(small, tmp_path):
    small.save(tmp_path / "saved")
    assert stat.S_IMODE((tmp_path / "saved").stat().st_mode) == 0o755


def _hash_of(folder):
    return Dataset.open(Path(folder)).hash


def test_another_process_opens_it(small, tmp_path):
    small.save(tmp_path / "saved")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_hash_of, (str(tmp_path / "saved"),)) == small.hash


def test_odd_names_survive(tmp_path):
    names = ('q"uote', "🐱", "new\nline", "\udcff")
    parts = [split_of([0, 1, 2, 3])] * 3
    Dataset("n\n", names, *parts, {"source": "x"}).save(tmp_path / "odd 🐱")
    assert Dataset.open(tmp_path / "odd 🐱").classes == names


def _edit(folder, **changes):
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "dataset.json").unlink(),
        lambda folder: (folder / "dataset.json").write_text("{"),
        lambda folder: (folder / "dataset.json").write_text("[1]"),
        lambda folder: (folder / "dataset.json").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "val_labels.npy").unlink(),
        lambda folder: (folder / "val_labels.npy").write_bytes(b""),
        lambda folder: _flip(folder / "train_inputs.npy"),
        lambda folder: _flip(folder / "test_labels.npy"),
        lambda folder: os.truncate(folder / "train_inputs.npy", 200),
        lambda folder: np.save(folder / "val_labels.npy", np.array([{}], object), allow_pickle=True),
        lambda folder: np.save(folder / "val_labels.npy", np.zeros(2)),
        lambda folder: _edit(folder, layout=99),
        lambda folder: _edit(folder, classes=["a", "b", "c"]),
        lambda folder: _edit(folder, classes=None),
        lambda folder: _edit(folder, provenance=3),
    ],
)
def test_damaged_saves_are_refused(small, tmp_path, damage):
    folder = tmp_path / "saved"
    small.save(folder)
    damage(folder)
    with pytest.raises(DataError) as caught:
        Dataset.open(folder)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_opening_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        Dataset.open(tmp_path / "nowhere")


def test_saving_does_not_touch_other_folders(small, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("x")
    with pytest.raises(StorageError, match="holds no data set"):
        small.save(tmp_path / "work")
    assert (tmp_path / "work" / "thesis.txt").exists()
    (tmp_path / "empty").mkdir()
    small.save(tmp_path / "empty")
    assert Dataset.open(tmp_path / "empty").hash == small.hash


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no disk space left at"),
        (errno.EROFS, "Read-only"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_a_failed_save_leaves_nothing_behind(small, tmp_path, monkeypatch, number, words):
    def fail(path, array):
        path.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(store, "_write_array", fail)
    with pytest.raises(StorageError, match=words) as caught:
        small.save(tmp_path / "out" / "saved")
    assert str(tmp_path / "out" / "saved") in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_saving_onto_a_file(small, tmp_path):
    with pytest.raises(StorageError, match="is a file"):
        small.save(tmp_path / "set.npz")


def test_saving_below_a_file(small, tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        small.save(tmp_path / "set.npz" / "saved")
