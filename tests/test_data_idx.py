"""IDX files, right and wrong."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeml.data.dataset import load
from edgeml.errors import DataError
from tests.data_samples import damaged, idx_bytes, idx_folder, images, labels, npz, refused

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4)
CUT = st.one_of(st.just(0), st.integers(0, 5000))


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_equals_the_npz_of_the_same_arrays(tmp_path, gz, dot):
    data = load(str(idx_folder(tmp_path, gz, dot)))
    path = npz(tmp_path, x_train=images(60), y_train=labels(60), x_test=images(12), y_test=labels(12))
    assert data.hash == load(str(path)).hash
    assert (data.name, data.provenance["kind"]) == (tmp_path.name, "idx")
    one = next(entry for entry in tmp_path.iterdir() if "labels" in entry.name)
    assert load(str(one)).hash == data.hash


def test_idx_without_a_test_part_is_split(tmp_path):
    data = load(str(idx_folder(tmp_path, test=False)))
    assert (len(data.train), len(data.val), len(data.test)) == (42, 9, 9)


def test_idx_of_wider_numbers(tmp_path):
    idx_folder(tmp_path, test=False)
    wide = images(60, high=30000, dtype=np.int16)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(wide.astype(">i2"), 11))
    path = npz(tmp_path, x=wide, y=labels(60))
    assert load(str(tmp_path)).hash == load(str(path)).hash


def test_idx_sets_of_one_folder_are_told_apart(tmp_path):
    for entry in list(idx_folder(tmp_path).iterdir()):
        (tmp_path / f"emnist-letters-{entry.name}").write_bytes(entry.read_bytes())
    refused(tmp_path, "2 data sets", "'emnist-letters-'")
    assert len(load(str(tmp_path / "emnist-letters-train-images-idx3-ubyte")).test) == 12


@pytest.mark.parametrize(
    "name", ["train-labels-idx1-ubyte", "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
)
def test_idx_with_a_missing_file_names_it(tmp_path, name):
    (idx_folder(tmp_path) / name).unlink()
    refused(tmp_path, name, "missing")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("magic number",)),
        (b"\0\0\x08", ("magic number",)),
        (b"GIF89a..........", ("magic number 0x47494638",)),
        (b"\0\0\x07\x03" + bytes(12), ("magic number",)),
        (b"\0\0\x08\x03" + bytes(7), ("bytes of data",)),
        (idx_bytes(images(60))[:-1], ("1799 bytes", "1800")),
        (idx_bytes(images(60)) + b"!", ("1801 bytes", "1800")),
        (b"\0\0\x08\x03" + b"\xff" * 12, ("bytes of data",)),
        (gzip.compress(idx_bytes(images(60)), mtime=0)[:-9], ("gzip",)),
        (b"\x1f\x8b" + bytes(40), ("gzip",)),
        (idx_bytes(labels(60).astype(np.uint8)), ("shape (60,)",)),
    ],
)
def test_bad_idx(tmp_path, content, words):
    (idx_folder(tmp_path) / "train-images-idx3-ubyte").write_bytes(content)
    refused(tmp_path, "train-images-idx3-ubyte", *words)


@FUZZ
@given(CUT, CHANGES, st.booleans())
def test_damaged_idx_is_a_data_error_or_a_data_set(tmp_path, cut, changes, packed):
    idx_folder(tmp_path, test=False)
    data = idx_bytes(images(60))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damaged(gzip.compress(data) if packed else data, cut, changes))
    try:
        load(str(tmp_path))
    except DataError as error:
        assert len(str(error).splitlines()) == 1
