"""Which source is which, and the options of load."""

import errno

import pytest
from test_data_samples import sorted_npz

from edgeml.data.dataset import KINDS, load
from edgeml.data.options import ReadOptions
from edgeml.errors import ConfigError, DataError, EdgemlError


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("set.zip", b"PK", "unpack it first"),
        ("set.tar.gz", b"", "unpack it first"),
        ("set.TGZ", b"", "unpack it first"),
        ("set.dat", b"", "unsupported"),
        ("set.npy", b"", "unsupported"),
        ("cat.png", b"", "unsupported"),
        ("README", b"", "unsupported"),
    ],
)
def test_files_of_other_kinds(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load(str(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert "digits" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    ["nowhere", "digit", "/no/such/folder", "no\nwhere", "no\0where", "x" * 5000, "nowhere.npz", "a/b.zip"],
)
def test_what_does_not_exist(source):
    with pytest.raises(DataError, match="digits") as caught:
        load(source)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("source", ["", " "])
def test_the_empty_name(source):
    with pytest.raises(DataError, match="does not exist"):
        load(source)


def test_no_permission(tmp_path, monkeypatch):
    path = sorted_npz(tmp_path)

    def deny(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("zipfile.ZipFile", deny)
    with pytest.raises(DataError, match=r"set\.npz: cannot be read \(Permission denied\)"):
        load(str(path))


@pytest.mark.parametrize(
    "options",
    [
        {"val_fraction": 0},
        {"test_fraction": 1},
        {"val_fraction": 0.5, "test_fraction": 0.5},
        {"val_fraction": float("nan")},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(ConfigError) as caught:
        load("digits", **options)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": 0},
        {"image_size": 5000},
        {"seed": -1},
        {"window": 0},
        {"stride": -3},
        {"task": "guessing"},
    ],
)
def test_reading_options_out_of_range(options):
    with pytest.raises(EdgemlError) as caught:
        ReadOptions(**options)
    assert len(str(caught.value).splitlines()) == 1


def test_every_kind_is_described():
    assert {"digits", "idx", "npz", "folder"} <= set(KINDS)
    assert all(kind.says for kind in KINDS.values())
