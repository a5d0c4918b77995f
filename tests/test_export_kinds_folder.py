"""Runs of regression and anomaly detection -> folders that say so and run; such a folder -> trained again."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from edgeml.cli import main
from edgeml.data.dataset import Dataset
from edgeml.errors import ModelError
from edgeml.export.spec import read_spec
from tests.export_input import odd_ones, priced


def invoke(*arguments):
    done = CliRunner().invoke(main, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def exported(folder, *search):
    small = ["--target", "null", "--trials", "1", "--epochs", "8", "--compress", "none"]
    invoke("search", *search, *small, "--out", folder / "run")
    said = invoke("export", folder / "run", "--format", "tflite,onnx,c99", "--out", folder / "out", "--json")
    return folder, json.loads(said)


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regressor")
    return exported(folder, "--data", priced(folder), "--label", "price")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    return exported(folder, "--data", odd_ones(folder), "--task", "anomaly")


def example(folder, runtime, sample):
    command = [sys.executable, f"example_{runtime}.py", str(sample)]
    done = subprocess.run(command, cwd=folder / "out", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_card_and_model_json_of_a_regressor(regressor):
    folder, said = regressor
    card, told = (folder / "out" / "MODEL_CARD.md").read_text(), (folder / "out" / "model.json").read_text()
    found = json.loads(told)
    assert said["ok"] and not (folder / "out" / "labels.txt").exists()
    assert "A regressor of one value for rows of a table" in card and "classifier" not in card
    assert "## RMSE" in card and "By class" not in card and "image" not in card.split("## Costs")[0]
    goal = json.loads((folder / "run" / "run.json").read_text())["dataset"]["goal"]
    assert found["task"] == "regression" and found["metric"]["name"] == "rmse"
    assert found["value"]["mean"] == goal["mean"] and found["value"]["std"] == goal["std"]
    assert repr(goal["std"]) in card and set(found["test_metrics"]) == {"mae", "rmse"}
    assert found["preprocessing"]["kind"] == "table" and found["per_class"] == []


def test_examples_of_a_regressor_give_values_of_the_label(regressor):
    folder, _ = regressor
    text = (folder / "priced.csv").read_text().splitlines()
    wanted = [float(row.rsplit(",", 1)[1]) for row in text[1:]]
    for runtime in ("litert", "onnx"):
        rows = [line.split() for line in example(folder, runtime, folder / "priced.csv").splitlines()]
        given = np.array([float(value) for _, value in rows])
        assert np.corrcoef(given, wanted)[0, 1] > 0.8 and abs(given.mean() - np.mean(wanted)) < 15


def test_card_and_model_json_of_a_detector(detector):
    folder, said = detector
    card = (folder / "out" / "MODEL_CARD.md").read_text()
    found = json.loads((folder / "out" / "model.json").read_text())
    assert said["ok"] and found["task"] == "anomaly" and found["metric"]["name"] == "auc"
    assert "An anomaly detector" in card and "## AUC" in card and "false alarms" in card
    threshold = found["threshold"]
    assert f"above {threshold['value']:.6g} is called anomalous" in card
    test = Dataset.open(folder / "run" / "data").test
    assert threshold["recall"]["n"] == (test.labels == 1).sum()
    assert threshold["false_alarms"]["n"] == (test.labels == 0).sum()


def test_examples_of_a_detector_call_by_the_threshold(detector, tmp_path):
    folder, _ = detector
    limit = json.loads((folder / "out" / "model.json").read_text())["threshold"]["value"]
    test = Dataset.open(folder / "run" / "data").test
    for index in (int(np.argmax(test.labels == 0)), int(np.argmax(test.labels == 1))):
        np.save(tmp_path / "sample.npy", test.inputs[index])
        for runtime in ("litert", "onnx"):
            value, called = example(folder, runtime, tmp_path / "sample.npy").split()
            assert called == ("anomalous" if float(value) > limit else "normal")


@pytest.mark.slow
def test_rebuilt_folders_say_the_metric_in_its_unit(regressor, detector, tmp_path):
    for (folder, _), metric in ((regressor, "RMSE"), (detector, "AUC")):
        said = invoke("rebuild", folder / "out", "--out", tmp_path / metric)
        assert f"int8 {metric}" in said
        spec = read_spec(tmp_path / metric / "spec.json")
        assert spec.rebuilt and spec.data.goal == read_spec(folder / "out" / "spec.json").data.goal


def test_a_spec_whose_network_is_for_another_task_is_damaged(regressor, tmp_path):
    folder, _ = regressor
    value = json.loads((folder / "out" / "spec.json").read_text())
    for change in ({"task": "anomaly"}, {"goal": {**value["data"]["goal"], "metric": "auk"}}):
        (tmp_path / "spec.json").write_text(json.dumps({**value, "data": {**value["data"], **change}}))
        with pytest.raises(ModelError, match=r"is damaged: .*export the model again"):
            read_spec(tmp_path / "spec.json")


def test_other_data_of_another_task_are_refused(regressor, detector):
    folder, _ = regressor
    done = CliRunner().invoke(
        main, ["rebuild", str(folder / "out"), "--data", str(detector[0] / "run" / "data"), "--other-data"]
    )
    assert done.exit_code == 2 and "the network is for regression of kind table" in done.output
