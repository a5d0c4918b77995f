"""Sensor recordings: folders, tables and arrays become windows that never cross what they must not."""

import os

import numpy as np
import pytest
from sensor_samples import ACTIVITY, activity_rows, gesture, gesture_folder, write_csv

from edgeml.data.dataset import load
from edgeml.data.kinds import KINDS, read_source
from edgeml.data.options import ReadOptions
from edgeml.errors import DataError
from tests.data_samples import npz, refused


def raw(data, split):
    """uint8 windows -> readings."""
    about = data.preprocessing
    return split.inputs[:, :, 0] * np.array(about["scale"]) + np.array(about["offset"])


def test_a_folder_of_gestures(tmp_path):
    data = load(str(gesture_folder(tmp_path / "gestures")))
    assert (data.name, data.classes, data.input_shape) == ("gestures", ("punch", "wave"), (60, 1, 2))
    assert (len(data.train), len(data.val), len(data.test)) == (8, 2, 2)
    about = data.preprocessing
    assert about["kind"] == "sensor" and about["channels"] == ["ax", "ay"]
    assert (about["window"], about["rate_hz"]) == (60, 50.0)
    truth = [gesture(k, seed=100 * k + i) for k in (0, 1) for i in range(6)]
    for window in raw(data, data.train):
        error = min(np.abs(window - one).max() for one in truth)
        assert error < 1.01 * max(about["scale"]) / 2  # training values are never clipped here


def test_parts_persons_and_windows(tmp_path):
    for part, count in (("train", 6), ("test", 2)):
        gesture_folder(tmp_path / "g", count=count, part=part, n=100)
    source = read_source(str(tmp_path / "g"), ReadOptions(window=40, stride=30))
    assert set(source.parts) == {"train", "test"}
    assert (len(source.parts["train"]), len(source.parts["test"])) == (2 * 6 * 3, 2 * 2 * 3)
    assert source.parts["train"].inputs.shape[1:] == (40, 1, 2)
    people = gesture_folder(tmp_path / "p", persons=("anna", "ben", "cleo"))
    found = read_source(str(people), ReadOptions())
    assert len(np.unique(found.groups["train"])) == 3
    splits = load(str(people))
    assert (len(splits.train), len(splits.val), len(splits.test)) == (4, 4, 4)


def test_parts_are_told_by_their_folders_as_for_images(tmp_path):
    """Buses and trains are classes; training and testing are parts."""
    moved = gesture_folder(tmp_path / "moved", classes=("bus", "train"))
    assert read_source(str(moved), ReadOptions()).classes == ("bus", "train")
    for part in ("training", "testing"):
        gesture_folder(tmp_path / "given", count=2, part=part)
    found = read_source(str(tmp_path / "given"), ReadOptions())
    assert list(found.parts) == ["train", "test"] and found.classes == ("punch", "wave")


def test_a_train_part_without_a_window_is_refused(tmp_path):
    gesture_folder(tmp_path, count=2, part="train", n=20)
    gesture_folder(tmp_path, count=2, part="test", n=60)
    refused(tmp_path, "window of 40 samples", "has 20", "--window", window=40)


def test_one_table_is_split_by_person(tmp_path):
    path = write_csv(tmp_path / "log.csv", ACTIVITY, activity_rows())
    source = read_source(str(path), ReadOptions(window=50))
    assert source.kind in KINDS and source.task == "classification" and source.classes == ("sit", "walk")
    assert len(source.parts["train"]) == 4 * 2 * 2 * 3 and len(np.unique(source.groups["train"])) == 4
    assert source.preprocessing["rate_hz"] == 50.0 and source.preprocessing["channels"] == ["ax", "ay"]
    by_recording = read_source(str(path), ReadOptions(group="recording"))
    assert len(np.unique(by_recording.groups["train"])) == 16


def test_no_window_crosses_a_gap_a_label_or_a_missing_value(tmp_path):
    """The first channel counts the unbroken stretches: it is constant inside every window."""
    rows, clock = [], 0.0
    for stretch in range(24):
        label = "ab"[stretch // 2 % 2]
        clock += 5.0 if stretch % 2 else 0.02
        for j in range(30):
            clock += 0.02
            rows.append([round(clock, 3), stretch, float(np.sin(j)), label])
    rows[100][2] = ""
    path = write_csv(tmp_path / "log.csv", ["time_s", "n", "ax", "label"], rows)
    data = load(str(path), ReadOptions(window=10, stride=1))
    assert len(data.train) + len(data.val) + len(data.test) == 23 * 21 + 1 + 10  # row 100 is in a stretch
    for split in (data.train, data.val, data.test):
        assert (np.ptp(split.inputs[:, :, 0, 0], axis=1) == 0).all()
    said = " ".join(data.warnings)
    assert "12 gaps" in said and "1 rows lack a value" in said


def test_recordings_interleaved_by_id(tmp_path):
    a, b = gesture(0, 80, 1), gesture(1, 80, 2)
    rows = [
        row
        for k in range(3)
        for j in range(80)
        for row in ([k, *map(float, a[j]), "x"], [k + 10, *map(float, b[j]), "y"])
    ]
    path = write_csv(tmp_path / "log.csv", ["recording", "ax", "ay", "label"], rows)
    data = load(str(path), ReadOptions(task="sensor-classification"))
    assert data.input_shape == (80, 1, 2) and (len(data.train), len(data.val)) == (2, 2)


def test_one_recording_a_class_is_cut_into_stretches(tmp_path):
    gesture_folder(tmp_path / "g", count=1, n=3000)
    data = load(str(tmp_path / "g"), ReadOptions(window=100))
    assert min(len(data.train), len(data.val), len(data.test)) >= 4
    assert "optimistic" in " ".join(data.warnings)
    assert all(len(np.unique(split.labels)) == 2 for split in (data.train, data.val, data.test))


def test_one_person_falls_back_to_recordings(tmp_path):
    rows = activity_rows(subjects=1, sessions=4)
    data = load(str(write_csv(tmp_path / "log.csv", ACTIVITY, rows)), ReadOptions(window=50))
    assert "not for new ones" in " ".join(data.warnings) and len(data.test) == 6
    refused(tmp_path / "log.csv", "found 1 group", group="subject")


def test_arrays_of_windows(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 32, 3)).astype(np.float32)
    arrays = {"x_train": x, "y_train": np.arange(60) % 3, "x_test": x[:9] + 0.5, "y_test": np.arange(9) % 3}
    path = npz(tmp_path, **arrays, channels=np.array(["a", "b", "c"]), rate_hz=25.0)
    data = load(str(path))
    assert data.input_shape == (32, 1, 3) and (len(data.train), len(data.val), len(data.test)) == (51, 9, 9)
    assert data.preprocessing["channels"] == ["a", "b", "c"] and data.preprocessing["rate_hz"] == 25.0
    assert load(str(path), ReadOptions(task="image-classification")).input_shape == (32, 3, 1)
    groups = npz(tmp_path, x=x, y=np.arange(60) % 3, groups=np.repeat(np.arange(6), 10))
    assert len(load(str(groups)).test) == 10
    images = np.random.default_rng(0).random((60, 28, 28))
    assert load(str(npz(tmp_path, x=images, y=np.arange(60) % 3))).input_shape == (28, 28, 1)


def test_the_map_is_fixed_by_training_windows(tmp_path):
    """A spike in a test recording must not stretch the map."""
    x = np.random.default_rng(0).normal(size=(60, 32, 3)).astype(np.float32)
    y = np.arange(60) % 3
    first = load(str(npz(tmp_path, x=x, y=y)))
    seen = [int(np.abs(x - window).mean((1, 2)).argmin()) for window in raw(first, first.test)]
    x[seen] *= 50
    second = load(str(npz(tmp_path, x=x, y=y)))
    assert len(set(seen)) == len(first.test) and second.preprocessing == first.preprocessing


def test_anomalies(tmp_path):
    gesture_folder(tmp_path / "g", classes=("normal", "worn", "broken"), count=12)
    data = load(str(tmp_path / "g"), ReadOptions(task="anomaly", window=30))
    assert data.task == "anomaly" and (data.train.labels == 0).all() and set(data.val.labels) == {0, 1}


def test_what_is_said_of_a_folder(tmp_path):
    root = gesture_folder(tmp_path / "g", classes=("Dog", "dog"))
    (root / "dog" / "bad.csv").write_text("time_ms,ax,ay\n0,1,2\n20,oops,2\n40,1,2\n")
    (root / "dog" / "short.csv").write_text(
        "time_ms,ax,ay\n" + "".join(f"{20 * j},1,{j}\n" for j in range(5))
    )
    data = load(str(root), ReadOptions(window=30))
    said = " ".join(data.warnings)
    for words in ("misspelling", "'oops' in row 2", "1 of 13 unbroken stretches are shorter"):
        assert words in said, said
    assert data.provenance["skipped"] == {"count": 1, "first": ["dog/bad.csv"]}
    assert "'oops'" in refused_any(root, ("bad.csv",), {"strict": True})


@pytest.mark.parametrize(
    ("change", "words", "options"),
    [
        ("rate", ("samples a second", "resample"), {}),
        ("columns", ("channels", "same columns"), {}),
        ("one class", ("one class only",), {}),
        ("short", ("window of 99 samples", "--window"), {"window": 99}),
        ("empty files", ("none of its 12 recordings can be read", "empty"), {}),
        ("no label", ("'nope'", "'ax'", "check the spelling"), {"label": "nope"}),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path, change, words, options):
    root = gesture_folder(tmp_path / "g", classes=("a",) if change == "one class" else ("a", "b"))
    file = root / "a" / "rec0.csv"
    if change == "rate":
        file.write_text("time_ms,ax,ay\n" + "".join(f"{5 * j},1,{j}\n" for j in range(90)))
    if change == "columns":
        file.write_text("time_ms,ax,az\n" + "".join(f"{20 * j},1,{j}\n" for j in range(90)))
    if change == "empty files":
        for one in root.glob("*/*.csv"):
            one.write_bytes(b"")
    assert "\n" not in refused_any(root, words, options)


def refused_any(root, words, options):
    with pytest.raises(DataError) as caught:
        load(str(root), ReadOptions(**options))
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return str(caught.value)


def test_names_that_are_not_utf8_and_loops(tmp_path):
    root = gesture_folder(tmp_path / "g")
    (root / "wave").rename(os.fsdecode(os.fsencode(root) + b"/w\xe4ve"))
    (root / "punch" / "loop").symlink_to(root)
    data = load(str(root))
    assert "w\\xe4ve" in data.classes


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[0.02 * j, 1.0, "a"] for j in range(90)], "one class only"),
        ([[0.02 * j, float("nan"), "ab"[j // 40 % 2]] for j in range(90)], "no sensor readings"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, rows, words):
    path = write_csv(tmp_path / "log.csv", ["time_s", "ax", "label"], rows)
    refused(path, words, task="sensor-classification")


def test_a_table_without_times_is_read_with_a_warning(tmp_path):
    rows = [["", 1.0 * j, "ab"[j // 40 % 2]] for j in range(90)]
    path = write_csv(tmp_path / "log.csv", ["time_s", "ax", "label"], rows)
    assert "no times" in " ".join(load(str(path), ReadOptions(window=8)).warnings)


def test_ids_and_mixed_rates_in_a_table(tmp_path):
    rows = activity_rows()
    rows[7][0] = ""
    refused(write_csv(tmp_path / "a.csv", ACTIVITY, rows), "'subject'", "lacks 1 values", "row 8")
    rows = activity_rows()
    for row in rows[:100]:
        row[2] *= 4
    refused(write_csv(tmp_path / "b.csv", ACTIVITY, rows), "12.5", "50", "one rate")


def test_what_the_user_says_must_be_there(tmp_path):
    root = gesture_folder(tmp_path / "g")
    refused(root, "found readings of a sensor, expected images", task="image-classification")
    path = write_csv(tmp_path / "log.csv", ["a", "label"], [[j * 0.7 % 3, "ab"[j % 2]] for j in range(90)])
    refused(path, "1 samples or fewer", task="sensor-classification")
    refused(path, "is the label and the group", group="label")
    write_csv(tmp_path / "loose" / "a.csv", ["a", "label"], [[1, 2]])
    refused(tmp_path / "loose", "FOLDER/CLASS/RECORDING.csv")


@pytest.mark.parametrize(
    ("name", "times", "rate"),
    [
        ("time", [f"2026-01-01T00:00:{j / 50:06.3f}+01:00" for j in range(90)], 50.0),
        ("timestamp", [f"2026/01/01 00:00:{j / 50:06.3f}Z" for j in range(90)], 50.0),
        ("time_us", [20_000 * j for j in range(90)], 50.0),
        ("t", [1_700_000_000_000 + 20 * j for j in range(90)], 50.0),
        ("t", [20 * j for j in range(90)], 50.0),
        ("t", [0.02 * j for j in range(90)], 50.0),
        ("time", [j // 50 for j in range(90)], 89.0),
        ("time", ["soon"] * 90, None),
    ],
)
def test_times_and_their_units(tmp_path, name, times, rate):
    rows = [[time, float(np.sin(j)), "ab"[j // 15 % 2]] for j, time in enumerate(times)]
    path = write_csv(tmp_path / "log.csv", [name, "ax", "label"], rows)
    assert load(str(path), ReadOptions(window=15)).preprocessing["rate_hz"] == rate


def test_magic_wand(shared_data):
    """The given test part stays, channels have their names, values come back within half a level."""
    path = shared_data("magic_wand_imu") / "magic_wand_imu.npz"
    data, given = load(str(path)), np.load(path)
    assert data.input_shape == (119, 1, 6) and (len(data.train), len(data.val), len(data.test)) == (
        85,
        15,
        25,
    )
    assert data.preprocessing["channels"] == given["channels"].tolist()
    truth = np.concatenate([given["x_test"][given["y_test"] == k] for k in range(5)])
    order = np.argsort(data.test.labels, kind="stable")
    scale = np.array(data.preprocessing["scale"])
    windows = raw(data, data.test)[order]
    near = [np.abs((truth - window) / scale).mean((1, 2)).min() for window in windows]
    assert max(near) < 1  # of a level; what training never reached is clipped
