"""--task anomaly: classes to normal and anomalous, the split, a whole search."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import edgeml
from edgeml.cli import main
from edgeml.data.dataset import load
from edgeml.data.options import ReadOptions
from edgeml.data.split import PARTS
from edgeml.errors import ConfigError, DataError
from tests.audio_samples import tone, wav
from tests.data_samples import image_folder, npz, picture, refused, said
from tests.sensor_samples import gesture_folder

ANOMALY = ReadOptions(task="anomaly")


def samples(tmp_path, labels, side=6):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (len(labels), side, side)).astype(np.uint8)
    normal = np.array([label == "normal" for label in labels])
    slope = np.linspace(0, 1, side)[None, None] * rng.uniform(100, 250, (len(labels), 1, 1))
    x[normal] = slope.astype(np.uint8).repeat(side, 1)[normal]  # every row alike
    x[:, 0, 0] = np.arange(len(labels))  # no two are copies, which would stay in one split
    return str(npz(tmp_path, x=x, y=np.array(labels)))


def test_normal_ones_are_learnt_from_and_others_only_scored(tmp_path):
    data = load(samples(tmp_path, ["normal"] * 60 + ["odd"] * 12), ANOMALY)
    assert data.task == "anomaly" and data.classes == ("normal", "odd")
    assert (data.train.labels == 0).all()
    assert (data.val.labels == 1).sum() == (data.test.labels == 1).sum() == 6
    assert (data.val.labels == 0).sum() == (data.test.labels == 0).sum() == 9
    assert data.outputs == 36


def test_several_other_classes_are_one(tmp_path):
    data = load(samples(tmp_path, ["normal"] * 60 + ["odd"] * 6 + ["torn"] * 6), ANOMALY)
    assert data.classes == ("normal", "anomalous") and "2 classes were taken as anomalous" in data.warnings[0]


def test_large_pictures_are_made_smaller(tmp_path):
    data = load(samples(tmp_path, ["normal"] * 40 + ["odd"] * 4, side=80), ANOMALY)
    assert data.input_shape == (64, 64, 1) and "for an autoencoder" in data.warnings[-1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["normal"] * 40, "one class only"),
        (["left"] * 40 + ["right"] * 4, "which class is normal is not clear"),
        (["normal"] * 40 + ["ok"] * 4, "which class is normal is not clear"),
        (["normal"] * 8 + ["odd"] * 4, "found 8 normal and 4 anomalous"),
        (["normal"] * 40 + ["odd"], "found 40 normal and 1 anomalous"),
    ],
)
def test_what_cannot_be_used(tmp_path, labels, words):
    with pytest.raises(DataError, match=words) as caught:
        load(samples(tmp_path, labels), ANOMALY)
    assert len(str(caught.value).splitlines()) == 1


def of_mvtec(root, good=24, test=(("good", 6), ("crack", 5), ("cut", 4)), val=()):
    """train/good, test/{good,crack,...} and ground_truth/{crack,...} with masks."""
    image_folder(root / "train", ("good",), good)
    for part, classes in (("test", test), ("val", val)):
        for number, (name, count) in enumerate(classes):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                picture(1000 + 100 * number + index).save(folder / f"{index}.png")
    for name, _ in test[1:]:
        image_folder(root / "ground_truth", (name,), 3, mode="L")
    return root


def test_folders_of_mvtec_are_read_without_their_masks(tmp_path):
    data = load(str(of_mvtec(tmp_path / "bottle")), ANOMALY)
    assert data.classes == ("good", "anomalous") and data.input_shape == (10, 12, 3)
    kinds = {part: np.bincount(getattr(data, part).labels, minlength=2).tolist() for part in PARTS}
    assert kinds == {"train": [20, 0], "val": [4, 4], "test": [6, 5]}
    assert data.provenance["counts"] == {"train": 20, "val": 8, "test": 11}
    said(data, "4 anomalous samples of test went to val")
    said(data, "sub-folders besides", "ground_truth")
    assert edgeml.inspect(str(tmp_path / "bottle"), task="anomaly").ok
    given = load(str(of_mvtec(tmp_path / "full", val=(("good", 3), ("crack", 2)))), ANOMALY)
    assert [len(split) for split in (given.train, given.val, given.test)] == [24, 5, 15]


def test_folders_of_mvtec_that_cannot_be_used(tmp_path):
    refused(of_mvtec(tmp_path / "a"), "classes that train lacks ('crack', 'cut')", "--task anomaly")
    few = of_mvtec(tmp_path / "b", test=(("good", 6), ("crack", 1)))
    refused(few, "found 24 normal and 0 anomalous samples to learn from", task="anomaly")
    bare = of_mvtec(tmp_path / "c", test=(("crack", 4), ("cut", 4)))
    refused(bare, "the test part has one kind of sample only", task="anomaly")


def test_sound_and_readings_in_folders_of_mvtec(tmp_path):
    """Recordings that are lent go whole; a list of pictures does the same as folders."""
    for part, classes in (("train", {"normal": 24}), ("test", {"normal": 4, "faulty": 5})):
        for name, count in classes.items():
            for number in range(count):
                place = tmp_path / "sound" / part / name
                place.mkdir(parents=True, exist_ok=True)
                pitch = 300 + 100 * (name == "faulty") + 7 * number
                (place / f"{number}.wav").write_bytes(wav(tone(pitch, 0.2, 8000, seed=number), 8000))
            gesture_folder(tmp_path / "readings", classes=(name,), count=count, part=part)
    for kind, what in (("sound", "samples"), ("readings", "recordings")):
        data = load(str(tmp_path / kind), ANOMALY)
        said(data, f"2 anomalous {what} of test went to val")
        counts = [
            np.bincount(split.labels, minlength=2).tolist() for split in (data.train, data.val, data.test)
        ]
        assert [row[1] for row in counts] == [0, 2, 3] and sum(row[0] for row in counts[:2]) == 24


@pytest.mark.parametrize(("mode", "most"), [("L", 64), ("RGB", 36)])
def test_an_image_size_is_kept_or_refused_never_made_of_smaller_pictures(tmp_path, mode, most):
    root = image_folder(tmp_path / "d", ("good",), 40, size=(90, 90), mode=mode)
    image_folder(tmp_path / "d", ("odd",), 4, size=(90, 90), mode=mode)
    assert load(str(root), ANOMALY).input_shape[:2] == (most, most)
    for side in (20, most):
        data = load(str(root), ReadOptions(task="anomaly", image_size=side))
        assert data.input_shape[:2] == (side, side) and "resized_from" not in data.provenance
    with pytest.raises(ConfigError, match=f"image size is {most + 1}, expected at most {most} px"):
        load(str(root), ReadOptions(task="anomaly", image_size=most + 1))


def test_an_autoencoder_is_searched(tmp_path):
    path = samples(tmp_path, ["normal"] * 120 + ["odd"] * 40)
    command = ["search", "--data", path, "--task", "anomaly", "--target", "null", "--trials", "2"]
    command += ["--compress", "none"]
    result = CliRunner().invoke(main, [*command, "--epochs", "10", "--out", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.output
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["metric"]["name"] == "auc" and run["dataset"]["task"] == "anomaly"
    assert run["space"]["name"] == "autoencoder"
    best = max(row["accuracy"] or 0 for row in json.loads(result.stdout))
    assert best > 0.9
