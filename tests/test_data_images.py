"""Image folders: layout, names, links."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edgeml.data.dataset import load
from edgeml.errors import DataError
from tests.data_samples import every_image, image_folder, picture, refused, said
from tests.speed import SOON_S


def test_pixels_and_classes_are_those_of_the_files(tmp_path):
    data = load(str(image_folder(tmp_path)))
    assert (data.classes, data.input_shape, data.name) == (("cat", "dog"), (10, 12, 3), tmp_path.name)
    expected = {
        (np.asarray(picture(number * 100 + index)).tobytes(), number)
        for number in range(2)
        for index in range(4)
    }
    splits = (data.train, data.val, data.test)
    found = {
        (image.tobytes(), label)
        for split in splits
        for image, label in zip(split.inputs, split.labels, strict=True)
    }
    assert found == expected
    assert [len(split) for split in splits] == [4, 2, 2]
    assert data.warnings == ()


def test_given_parts_are_used_as_they_are(tmp_path):
    image_folder(tmp_path / "train", count=6)
    image_folder(tmp_path / "test", count=2)
    image_folder(tmp_path / "valid", count=1)
    data = load(str(tmp_path))
    assert (len(data.train), len(data.val), len(data.test)) == (12, 2, 4)
    assert data.classes == ("cat", "dog")


def test_train_and_test_without_val(tmp_path):
    image_folder(tmp_path / "train", count=10)
    image_folder(tmp_path / "test", count=2)
    (tmp_path / "docs").mkdir()
    data = load(str(tmp_path))
    assert (len(data.train), len(data.val), len(data.test)) == (16, 4, 4)
    said(data, "'docs'", "ignored")


def test_part_names_in_capitals_and_two_for_one_part(tmp_path):
    for name in ("Train", "TEST", "val", "valid"):
        image_folder(tmp_path / name)
    data = load(str(tmp_path))
    assert [len(split) for split in (data.train, data.val, data.test)] == [8, 8, 8]
    said(data, "'valid'", "ignored")


def test_a_train_part_that_cannot_be_read_is_refused(tmp_path):
    image_folder(tmp_path / "test", count=2)
    for bad in image_folder(tmp_path / "train", count=2).rglob("*.*"):
        bad.write_bytes(b"no picture")
    refused(tmp_path, "no image of the train part can be read", "not an image")


def test_a_lone_train_folder_is_split(tmp_path):
    assert load(str(image_folder(tmp_path / "train").parent)).classes == ("cat", "dog")


def test_classes_may_be_called_train_and_test(tmp_path):
    assert load(str(image_folder(tmp_path, ("test", "train")))).classes == ("test", "train")


def test_given_part_lacks_a_class(tmp_path):
    image_folder(tmp_path / "train")
    image_folder(tmp_path / "test", ("cat",))
    said(load(str(tmp_path)), "test part", "'dog'")


def test_given_part_brings_a_new_class(tmp_path):
    image_folder(tmp_path / "train")
    image_folder(tmp_path / "test", ("cat", "cow"))
    refused(tmp_path, "test part", "'cow'")


def test_unlabelled_test_folder(tmp_path):
    image_folder(tmp_path / "train")
    (tmp_path / "test").mkdir()
    picture().save(tmp_path / "test" / "1.png")
    with pytest.raises(DataError, match="test: found 1 images outside of class folders"):
        load(str(tmp_path))


def test_images_below_the_class_folder_count(tmp_path):
    image_folder(tmp_path)
    (tmp_path / "cat" / "2020" / "may").mkdir(parents=True)
    picture(7).save(tmp_path / "cat" / "2020" / "may" / "a.PNG")
    assert len(every_image(load(str(tmp_path)))) == 9


def test_what_is_no_image_is_ignored_and_counted(tmp_path):
    image_folder(tmp_path)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "notes").mkdir()
    for name in (".DS_Store", "cat/.x.png", "cat/labels.txt", "notes/a.txt", "README"):
        (tmp_path / name).write_text("x")
    picture().save(tmp_path / "loose.png")
    data = load(str(tmp_path))
    assert data.classes == ("cat", "dog")
    assert data.provenance["ignored_files"] == 3
    said(data, "'notes'")
    said(data, "1 images directly in")


def test_no_class_folders(tmp_path):
    picture().save(tmp_path / "a.png")
    refused(tmp_path, "1 images outside of class folders", "FOLDER/CLASS/IMAGE.png")


def test_empty_folder_and_empty_class_folders(tmp_path):
    refused(tmp_path, "no images", "FOLDER/CLASS/IMAGE.png")
    (tmp_path / "cat").mkdir()
    refused(tmp_path, "no images", "FOLDER/CLASS/IMAGE.png")


def test_one_class_and_small_class(tmp_path):
    image_folder(tmp_path, ("cat",))
    refused(tmp_path, "one class only", "'cat'")
    image_folder(tmp_path, ("owl",), count=2)
    refused(tmp_path, "2 of class 'owl'", "at least 3")


def test_odd_class_names_are_kept(tmp_path):
    names = ['a "b"', "c\nd", "e'f", "🐱"]
    assert list(load(str(image_folder(tmp_path, names))).classes) == sorted(names)


def test_odd_names_fit_on_one_line(tmp_path):
    root = image_folder(tmp_path / "a\nb", ("c\nd",), count=2)
    with pytest.raises(DataError) as caught:
        load(str(root))
    assert len(str(caught.value).splitlines()) == 1
    assert "a\\nb" in str(caught.value)


def test_names_that_are_not_utf8(tmp_path):
    names = [os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8")]
    image_folder(tmp_path, names)
    bad = tmp_path / names[0] / os.fsdecode(b"\xff.png")
    bad.write_bytes(b"no image")
    data = load(str(tmp_path))
    assert data.classes == ("caf\\xe8", "caf\\xe9")
    said(data, "\\xff.png")
    "".join((*data.warnings, *data.classes, str(data.provenance))).encode("utf-8")
    data.save(tmp_path / "saved")


def test_symlink_loops_end_and_linked_classes_count(tmp_path):
    root = image_folder(tmp_path / "set")
    (root / "cat" / "loop").symlink_to(root / "cat")
    (root / "dog" / "up").symlink_to(root / "dog" / "up")
    image_folder(tmp_path / "elsewhere", ("owl",))
    (root / "owl").symlink_to(tmp_path / "elsewhere" / "owl")
    (root / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    started = time.monotonic()
    data = load(str(root))
    assert time.monotonic() - started < SOON_S
    assert data.classes == ("cat", "dog", "owl")
    assert data.provenance["skipped"]["count"] == 1
    assert len(every_image(data)) == 12


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(image_folder(tmp_path) / "cat" / "pipe.png")
    said(load(str(tmp_path)), "pipe.png", "not a regular file")


def test_path_spelled_as_a_dot(tmp_path, monkeypatch):
    monkeypatch.chdir(image_folder(tmp_path))
    assert load(".").name == Path.cwd().name
