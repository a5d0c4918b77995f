"""Lists of image files: columns, splits, groups, and what is refused."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from edgeml.data.dataset import load
from edgeml.data.inspection import inspect
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.errors import DataError
from tests.data_samples import refused, said


def pictures(folder, count=24):
    """count files a0.png ... of random pixels -> their names."""
    rng = np.random.default_rng(1)
    (folder / "img").mkdir(parents=True)
    names = [f"img/a{index}.png" for index in range(count)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (9, 8, 3)).astype(np.uint8)).save(folder / name)
    return names


def csv_list(tmp_path, header="path,label", row=None, count=24, name="list.csv"):
    names = pictures(tmp_path, count)
    row = row or (lambda index, name: f"{name},{'cat' if index % 2 else 'dog'}")
    lines = [header, *(row(index, name) for index, name in enumerate(names))]
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_csv_and_json_lines_give_the_same(tmp_path):
    path = csv_list(tmp_path)
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    other = tmp_path / "list.jsonl"
    other.write_text("".join(json.dumps({"path": a, "label": b}) + "\n" for a, b in rows))
    one, two = load(str(path)), load(str(other))
    assert one.classes == ("cat", "dog") and one.input_shape == (9, 8, 3) and one.hash == two.hash
    first = np.asarray(Image.open(tmp_path / "img/a0.png"))
    found = read_source(str(path), ReadOptions())
    assert (found.parts["train"].inputs[0] == first).all() and found.names["train"][0] == "img/a0.png"
    assert found.kind == "manifest" and not found.findings


def test_splits_in_any_order_and_groups_that_stay_together(tmp_path):
    parts = ["test", "train", "train", "validation"]
    path = csv_list(tmp_path, "file,label,split", lambda i, name: f"{name},{'ab'[i // 4 % 2]},{parts[i % 4]}")
    data = load(str(path))
    assert (len(data.train), len(data.val), len(data.test)) == (12, 6, 6)
    grouped = tmp_path / "grouped.csv"
    names = [f"img/a{i}.png" for i in range(24)]
    grouped.write_text(
        "path,label,subject\n" + "".join(f"{n},{'ab'[i % 2]},p{i // 4}\n" for i, n in enumerate(names))
    )
    data = load(str(grouped))
    of = {np.asarray(Image.open(tmp_path / name)).tobytes(): index // 4 for index, name in enumerate(names)}
    held = [{of[image.tobytes()] for image in split.inputs} for split in (data.train, data.val, data.test)]
    assert sum(len(groups) for groups in held) == 6 and set.union(*held) == set(range(6))
    said(data, "'subject'", "one split")


def test_lines_without_a_label_are_left_out_and_missing_files_too(tmp_path):
    path = csv_list(tmp_path, row=lambda i, n: f"{n},{'' if i == 3 else 'ab'[i % 2]}")
    (tmp_path / "img/a5.png").unlink()
    found = inspect(str(path))
    assert found.counts == {"train": 22}
    codes = {finding.code: finding for finding in found.findings}
    assert codes["missing-values"].examples == ("line 5",)
    assert codes["corrupt-files"].count == 1 and "a5.png" in codes["corrupt-files"].examples[0]
    with pytest.raises(DataError, match=r"a5\.png: cannot be read as an image \(No such file"):
        load(str(path), ReadOptions(strict=True))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (lambda i, n: f"../{n},ab", "line 2 leads out"),
        (lambda i, n: f"img/../../x/{n},ab", "line 2 leads out"),
        (lambda i, n: f"/etc/{n},ab", "line 2 leads out"),
        (lambda i, n: f"no/{n},{'ab'[i % 2]}", "none of its 24 files exists"),
    ],
)
def test_paths_stay_inside_and_exist(tmp_path, row, word):
    message = refused(csv_list(tmp_path / "inner", row=row), word)
    assert "move the list" in message


def test_an_absolute_path_inside_is_fine(tmp_path):
    path = csv_list(tmp_path, row=lambda i, n: f"{tmp_path / n},{'ab'[i % 2]}")
    assert read_source(str(path), ReadOptions()).names["train"][0] == "img/a0.png"


def test_a_symlink_does_not_lead_out(tmp_path):
    path = csv_list(tmp_path / "inner")
    (tmp_path / "inner" / "img").rename(tmp_path / "img")
    (tmp_path / "inner" / "img").symlink_to(tmp_path / "img")
    assert "move the list" in refused(path, "line 2 leads out of the list's folder by a symlink")
    (tmp_path / "inner" / "img").unlink()
    (tmp_path / "inner" / "real").symlink_to(tmp_path / "inner" / "kept")
    (tmp_path / "img").rename(tmp_path / "inner" / "kept")
    (tmp_path / "inner" / "img").symlink_to("real")
    assert len(read_source(str(path), ReadOptions()).names["train"]) == 24  # links inside are fine


def test_a_link_to_the_whole_folder_is_fine(tmp_path):
    csv_list(tmp_path / "inner")
    (tmp_path / "link").symlink_to(tmp_path / "inner")
    assert len(read_source(str(tmp_path / "link" / "list.csv"), ReadOptions()).names["train"]) == 24


def test_what_is_no_list_is_refused(tmp_path):
    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    refused(csv_list(tmp_path / "a", "path,kind"), "'path', 'kind'", "called label")
    refused(csv_list(tmp_path / "e", "path,label,split", lambda i, n: f"{n},a,trial"), "line 2", "'trial'")
    refused(csv_list(tmp_path / "f", "path,label", lambda i, n: f"{n},one"), "one class only")
    refused(csv_list(tmp_path / "g", "path,label", lambda i, n: f"{n},c{i}"), "too few samples")
    refused(written("broken.jsonl", b'{"path": "a.png", "label": "x"}\n{"path": \n'), "line 2 is no JSON")
    refused(written("list.jsonl", b'["a.png", "x"]\n'), "line 1 holds list")
    refused(written("none.jsonl", b"\n \n"), "list is empty")
    refused(written("cols.jsonl", b'{"a": 1, "label": 2}\n'), "called path")
    refused(written("latin.csv", b"path,label\na.png,caf\xe9\n"), "line 2 is not UTF-8")
    refused(written("zip.jsonl", b"PK\x03\x04\xff\xfe"), "not UTF-8")


def test_copies_that_bind_all_groups_are_seen_before_a_search(tmp_path):
    """A picture that is in every group makes them one, which no split can divide."""
    path = csv_list(tmp_path, "path,label,group", lambda i, name: f"{name},{'ab'[i % 2]},g{i // 8}")
    assert inspect(str(path)).ok
    for index in (8, 16):
        shutil.copy(tmp_path / "img/a0.png", tmp_path / f"img/a{index}.png")
    refused(path, "found 1 group")
    found = inspect(str(path))
    assert not found.ok and found.findings[0].code == "cannot-be-split"


def test_a_class_of_copies_is_missing_from_what_is_scored(tmp_path):
    path = csv_list(tmp_path)
    for index in range(3, 24, 2):
        shutil.copy(tmp_path / "img/a1.png", tmp_path / f"img/a{index}.png")
    said(load(str(path)), "the val part has no sample of 'cat'")


def test_a_quote_that_is_never_closed_in_the_first_line(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text('"path,label\n' + "a.png,cat\n" * 120_000)
    refused(path, "is no CSV", "correct it")


def test_a_list_with_a_byte_order_mark_semicolons_and_odd_names(tmp_path):
    names = pictures(tmp_path)
    odd = b"img/\xff\xfe\xe9.png"
    (tmp_path / names[0]).rename(tmp_path / os.fsdecode(odd))
    lines = [f"{name};{'ab'[i % 2]}" for i, name in enumerate(names)][1:]
    path = tmp_path / "liste.csv"
    path.write_bytes(b"\xef\xbb\xbfpath;label\n" + "\n".join(lines).encode())
    assert read_source(str(path), ReadOptions()).classes == ("a", "b")
    path.write_bytes(b"path,label\n" + odd + b",a\n")
    refused(path, "line 2 is not UTF-8")
