"""Which source is which, and the options of load."""

import errno

import pytest

from edgeml.data.dataset import KINDS, load
from edgeml.data.options import ReadOptions
from edgeml.errors import ConfigError, DataError, EdgemlError
from tests import audio_samples
from tests.data_samples import image_folder, sorted_npz


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


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("pictures", {"label": "cat"}, "has no columns; leave --label out"),
        ("pictures", {"group": "person"}, "has no columns; leave --group out"),
        ("pictures", {"window": 50}, "not cut into windows; leave --window out"),
        ("digits", {"label": "y"}, "has no columns"),
        ("npz", {"stride": 2}, "not cut into windows"),
        ("sound", {"label": "word"}, "has no columns"),
    ],
)
def test_an_option_that_a_kind_cannot_heed_is_refused(tmp_path, kind, options, words):
    make = {
        "pictures": lambda: image_folder(tmp_path / "photos"),
        "digits": lambda: "digits",
        "npz": lambda: sorted_npz(tmp_path),
        "sound": lambda: audio_samples.folder(tmp_path / "words", each=1),
    }
    path = make[kind]()
    with pytest.raises(ConfigError, match=words) as caught:
        load(str(path), ReadOptions(**options))
    ((name, value),) = options.items()
    assert str(path or tmp_path) in str(caught.value)
    assert f"--{name} {value}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_command_line_refuses_it(cli, tmp_path):
    image_folder(tmp_path / "photos")
    code, out, err = cli("search", "--data", tmp_path / "photos", "--target", "null", "--label", "kind")
    assert (code, out) == (2, "")
    assert "--label kind" in err
    assert not [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
