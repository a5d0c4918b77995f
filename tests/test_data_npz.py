"""What is wrong with a .npz, in one line."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeml.data.dataset import load
from edgeml.errors import DataError
from tests.data_samples import damaged, images, labels, npz, refused

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4)
CUT = st.one_of(st.just(0), st.integers(0, 5000))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": images(), "b": labels()}, ("'a', 'b'", "x_train and y_train")),
        ({}, ("keys none",)),
        ({"x": images()}, ("'x'", "x_train and y_train")),
        ({"x_train": images()}, ("'x_train'", "y_train")),
        ({"x_train": images(), "y_train": labels(), "x_test": images()}, ("'x_test'", "y_test")),
        ({"x": images(shape=(30,)), "y": labels()}, ("(30, 30)", "reshape")),
        ({"x": images(shape=(4, 4, 2)), "y": labels()}, ("(30, 4, 4, 2)", "1 or 3")),
        ({"x": images(shape=(4, 4, 3, 3)), "y": labels()}, ("reshape",)),
        ({"x": images(shape=(0, 4)), "y": labels()}, ("empty",)),
        ({"x": images(0), "y": labels(0)}, ("empty",)),
        ({"x": images().astype(str), "y": labels()}, ("expected numbers",)),
        ({"x": images().astype(complex), "y": labels()}, ("complex",)),
        ({"x": images().astype(object), "y": labels()}, ("x holds Python objects",)),
        ({"x": images(), "y": labels().astype(object)}, ("y holds Python objects",)),
        (
            {"x_train": images(), "y_train": labels(), "x_test": images(shape=(5, 5)), "y_test": labels()},
            ("x_test", "(5, 5, 1)", "(6, 5, 1)"),
        ),
        (
            {"x_train": images(), "y_train": labels(), "x_test": images() / 255, "y_test": labels()},
            ("x_test is float64", "uint8"),
        ),
        (
            {"x_train": images(), "y_train": labels(), "x_test": images(0), "y_test": labels(0)},
            ("x_test is empty",),
        ),
    ],
)
def test_bad_npz(tmp_path, arrays, words):
    refused(npz(tmp_path, **arrays), *words)


def test_not_an_archive(tmp_path):
    path = tmp_path / "set.npz"
    for content in (b"", b"hello", b"PK\x03\x04", b"\x93NUMPY" * 9):
        path.write_bytes(content)
        refused(path, "not a readable .npz")


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "hello")
        archive.writestr("y.txt", "hello")
    refused(path, "found the keys 'x.txt', 'y.txt'")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "hello")
        archive.writestr("y", "hello")
    refused(path, "not a readable .npz")


def test_other_members_stay_unread(tmp_path):
    path = npz(tmp_path, x=images(), y=labels(), meta=np.array({"a": 1}, dtype=object))
    assert len(load(str(path)).train) > 0


def test_header_that_asks_for_too_much_is_refused_before_it_is_allocated(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 1000, 1000), }\n"
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y.npy", b"")
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"1234")
    refused(path, "x is truncated")


def test_npz_written_by_python_2_reads_without_a_warning(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, images())
    new = stream.getvalue()
    old = new.replace(b"(30, 6, 5), }   ", b"(30L, 6L, 5L), }")
    assert old != new
    path = npz(tmp_path, y=labels())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", old)
    assert len(load(str(path)).train) > 0


@FUZZ
@given(CUT, CHANGES, st.booleans())
def test_damaged_npz_is_a_data_error_or_a_data_set(tmp_path, cut, changes, packed):
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, x=images(), y=labels())
    path = tmp_path / "set.npz"
    path.write_bytes(damaged(stream.getvalue(), cut, changes))
    try:
        load(str(path))
    except DataError as error:
        assert len(str(error).splitlines()) == 1
