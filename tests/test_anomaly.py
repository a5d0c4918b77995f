"""--task anomaly: classes to normal and anomalous, the split, a whole search."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from edgeml.cli import main
from edgeml.data.dataset import load
from edgeml.data.options import ReadOptions
from edgeml.errors import DataError
from tests.data_samples import npz

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


def test_an_autoencoder_is_searched(tmp_path):
    path = samples(tmp_path, ["normal"] * 120 + ["odd"] * 40)
    command = ["search", "--data", path, "--task", "anomaly", "--target", "null", "--trials", "2"]
    result = CliRunner().invoke(main, [*command, "--epochs", "10", "--out", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.output
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["metric"]["name"] == "auc" and run["dataset"]["task"] == "anomaly"
    assert run["space"]["name"] == "autoencoder"
    best = max(row["accuracy"] or 0 for row in json.loads(result.stdout))
    assert best > 0.9
