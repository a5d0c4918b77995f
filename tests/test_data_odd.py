"""What users' files hold besides what one expects: nothing of it is lost or misread in silence."""

import numpy as np
import pytest
from audio_samples import wav
from PIL import Image
from sensor_samples import gesture_folder, write_csv

from edgeml.data.group_split import assign_groups
from edgeml.data.inspection import inspect
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.sensors.recordings import Place, record
from edgeml.data.tables.table import read_table
from tests.data_samples import npz, refused

PLAIN = ReadOptions()


def readings(count, seed=0, every=20):
    rng = np.random.default_rng(seed)
    return [[every * i, *rng.normal(size=3).round(3).tolist()] for i in range(count)]


# -- sensors ----------------------------------------------------------------------------------------------


def test_the_y_axis_of_a_sensor_is_a_reading(tmp_path):
    for name in ("circle", "wave"):
        for index in range(6):
            rows = readings(120, index)
            write_csv(tmp_path / "folder" / name / f"{index}.csv", ["time_ms", "x", "y", "z"], rows)
            write_csv(tmp_path / "two" / name / f"{index}.csv", ["time_ms", "x", "y"], [r[:3] for r in rows])
    assert read_source(str(tmp_path / "folder"), PLAIN).preprocessing["channels"] == ["x", "y", "z"]
    assert read_source(str(tmp_path / "two"), PLAIN).preprocessing["channels"] == ["x", "y"]
    rows = [
        [*row, name, f"{name}{k}"] for name in ("sit", "walk") for k in range(6) for row in readings(120, k)
    ]
    header = ["time_ms", "x", "y", "z", "activity", "recording"]
    found = read_source(str(write_csv(tmp_path / "table.csv", header, rows)), PLAIN)
    assert found.classes == ("sit", "walk") and found.preprocessing["channels"] == ["x", "y", "z"]


def test_y_alone_is_the_label_of_a_table(tmp_path):
    rows = [[i % 7, i % 5 / 4, "pq"[i % 2]] for i in range(60)]
    found = read_source(str(write_csv(tmp_path / "t.csv", ["x", "w", "y"], rows)), PLAIN)
    assert found.classes == ("p", "q")


def test_files_whose_session_column_says_the_same_are_recordings_of_their_own(tmp_path):
    for name in ("circle", "wave"):
        for index in range(8):
            rows = [[t, 1, x, y] for t, x, y, _ in readings(300, index)]
            write_csv(tmp_path / name / f"{index}.csv", ["time_ms", "session", "ax", "ay"], rows)
    assert len(set(read_source(str(tmp_path), PLAIN).groups["train"])) == 16


def test_a_coarse_clock_that_runs_backwards_begins_a_recording(tmp_path):
    rows = [[i // 50, i % 7, "a" if k < 4 else "b"] for k in range(8) for i in range(330)]
    table = read_table(write_csv(tmp_path / "t.csv", ["time_s", "ax", "label"], rows))
    segments = record(table, PLAIN, Place()).segments
    assert [len(one.values) for one in segments] == 8 * [330]


def test_uptime_in_milliseconds_is_no_date(tmp_path):
    rows = [[3e8 + t, x, y] for t, x, y, _ in readings(300)]
    table = read_table(write_csv(tmp_path / "t.csv", ["timestamp", "ax", "ay"], rows))
    assert record(table, PLAIN, Place("wave", "r")).rate_hz == 50


# -- folders ----------------------------------------------------------------------------------------------


def test_class_folders_of_another_format_are_named(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for index in range(6):
            path = tmp_path / "au" / name / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wav(rng.normal(0, 0.1, 8000), 8000))
    (tmp_path / "au" / "owl").mkdir()
    for name in ("owl/1.mp3", "owl/2.mp3", "dog/9.flac"):
        (tmp_path / "au" / name).write_bytes(b"ID3")
    found = inspect(str(tmp_path / "au"), PLAIN)
    assert any("without WAV files" in said and "owl" in said for said in found.remarks)
    finding = next(one for one in found.findings if one.code == "unread-formats")
    assert finding.count == 3 and set(finding.examples) == {"owl/1.mp3", "owl/2.mp3", "dog/9.flac"}
    folder = gesture_folder(tmp_path / "zig")
    (folder / "clap").mkdir()
    (folder / "clap" / "a.xlsx").write_bytes(b"PK")
    found = inspect(str(folder), PLAIN)
    assert any("without recordings" in said and "clap" in said for said in found.remarks)


def test_notes_and_boxes_beside_pictures_leave_them_pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "a_boxes.csv", ["x", "w"], [[1, 2]])
        for index in range(12):
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"img{index}.png")
            (tmp_path / name / f"img{index}.txt").write_text("0 0.5 0.5 1 1\n")
    (tmp_path / "cat" / "README.txt").write_text("pictures of cats\n")
    assert inspect(str(tmp_path), PLAIN).kind == "image"


def test_a_picture_of_each_recording_leaves_it_a_recording(tmp_path):
    folder = gesture_folder(tmp_path / "g")
    for file in list(folder.rglob("*.csv")):
        file.with_suffix(".png").write_bytes(b"\x89PNG")
        (file.parent / "about.json").write_text("{}")
    assert inspect(str(folder), PLAIN).kind == "sensor"


# -- tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_column_with_texts_in_few_rows_is_left_out_where_training_has_none(tmp_path, seed):
    rows = [[i % 7 + 0.5, i % 11 + 0.25, "x" if i == 1 else "", "pq"[i % 2]] for i in range(100)]
    path = write_csv(tmp_path / "t.csv", ["a", "b", "note", "label"], rows)
    found = read_source(str(path), ReadOptions(seed=seed))
    said = [one for one in found.warnings if "'note'" in one and "left out" in one]
    assert len(said) == (found.parts["train"].inputs.shape[-1] == 2)


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    rows = [f"{i},{i * i % 17},{'pq'[i % 2]},ok" for i in range(60)]
    path = tmp_path / "t.csv"
    for last in ("", "\n", "\n\n"):
        path.write_text("\n".join(["a,b,label,note", *rows[:39], '39,1,p,"5 inch', *rows[40:]]) + last)
        refused(path, "expected every quote to be closed")


@pytest.mark.parametrize("last", ['"two\nlines"', '"two\nlines"\n\n', '"two\r\nlines"\r\n', '5" pipe\n'])
def test_a_last_cell_of_two_lines_is_read(tmp_path, last):
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b,note\n1,2,"and\none"\n3,4,' + last.encode())
    table = read_table(path)
    assert table.rows == 2 and table.columns["a"].numbers.tolist() == [1, 3]


def test_a_text_after_many_numbers_leaves_them_as_they_stand(tmp_path):
    rows = [[f"00{i % 6}", i % 2] for i in range(20_500)] + [["S07", 0]]
    column = read_table(write_csv(tmp_path / "t.csv", ["subject", "label"], rows)).columns["subject"]
    assert set(column.as_texts()) == {"000", "001", "002", "003", "004", "005", "S07"}


def test_class_names_and_groups_of_an_archive_of_features(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    given = {"x": rng.normal(size=(80, 5)), "y": y, "class_names": np.array(["faulty", "normal"])}
    path = npz(tmp_path, **given, groups=np.arange(80) // 8)
    assert read_source(str(path), ReadOptions(task="anomaly")).classes == ("normal", "faulty")
    found = read_source(str(path), PLAIN)
    assert found.classes == ("faulty", "normal") and found.parts["train"].inputs.shape[-1] == 5
    assert len(set(found.groups["train"])) == 10
    refused(npz(tmp_path, **{**given, "y": y + 1}), "class_names")


# -- groups -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rare", [3, 4, 6])
def test_a_rare_class_of_many_groups_is_in_every_split(rare):
    labels = np.r_[np.repeat([0, 1], 300), np.repeat(2, 10 * rare)]
    groups = np.arange(600 + 10 * rare) // 10
    fractions = {"val": 0.15, "test": 0.15}
    for seed in range(3):
        found = assign_groups(labels, groups, fractions, np.random.default_rng(seed), "classification")
        assert all((labels[found[part]] == 2).any() for part in ("train", "val", "test"))
