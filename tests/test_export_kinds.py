"""Formats and proofs of networks that are no image classifiers."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from edgeml.data.dataset import load
from edgeml.data.goal import Goal
from edgeml.data.options import ReadOptions
from edgeml.deploy.runtime import predict
from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.export import threshold
from edgeml.export.formats import FORMATS, make
from edgeml.export.proof import compare_values, prove
from edgeml.export.scores import score
from edgeml.target.mcu import process as tflm_process
from tests.export_input import odd_ones, of_kind, priced
from tests.sensor_samples import gesture_folder

FORMS = ("tflite", "tflite-fp32", "onnx", "onnx-int8", "c99")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    return of_kind(folder, load(str(odd_ones(folder)), ReadOptions(task="anomaly")), epochs=15)


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regressor")
    return of_kind(folder, load(str(priced(folder)), ReadOptions(label="price")))


@pytest.fixture(scope="module")
def gestures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gestures")
    return of_kind(folder, load(str(gesture_folder(folder / "recordings", count=24))))


@pytest.mark.parametrize("kind", ["detector", "regressor", "gestures"])
def test_files_of_every_task_pass_their_proofs(kind, request):
    given = request.getfixturevalue(kind)
    made = make(given, FORMS)
    for name, found in prove(given, made.files).items():
        assert found.passed and found.executed, (name, found.reason)
        assert found.compared == found.accuracy["n"] == len(given.data.test)
        classes = given.goal.task == "classification"
        assert (found.steps is None) == classes
        assert ("same class" if classes else "quantisation step") in found.threshold


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["detector", "regressor", "gestures"])
def test_all_formats_are_made_or_refused_in_a_sentence(kind, request):
    given = request.getfixturevalue(kind)
    made = make(given, ("all",))
    assert {"mediapipe", "coreml"} <= made.skipped.keys()
    assert "images and gives classes" in made.skipped["mediapipe"]
    assert made.files.keys() | made.skipped.keys() == FORMATS.keys()
    for name, found in prove(given, made.files).items():
        assert found.passed, (name, found.reason)


def test_image_platforms_are_refused_by_name(detector):
    for name in ("mediapipe", "coreml"):
        with pytest.raises(ModelError, match=f"--format {name}: .* anomaly detector") as caught:
            make(detector, (name,))
        assert len(str(caught.value).splitlines()) == 1


def test_a_regressor_that_is_off_is_found(regressor):
    """The same network with an output that is shifted by a few steps of its quantisation."""
    wrong = np.abs(regressor.weights["head/dense:bias"]).max() + 1.0
    shifted = {
        **regressor.weights,
        "head/dense:bias": regressor.weights["head/dense:bias"] + np.float32(wrong),
    }
    found = prove(regressor, {"onnx": FORMATS["onnx"](replace(regressor, weights=shifted))})["onnx"]
    assert not found.passed and found.agreement == 0.0
    assert (
        "outputs within 1 quantisation step on 0.0% of" in found.reason and "an output is off" in found.reason
    )


def test_values_agree_by_steps():
    reference = np.zeros((4, 2), np.float32)
    found = np.array([[0, 0], [0.1, 0.1], [0.1, -0.1], [0.3, 0]], np.float32)
    share, largest = compare_values(found, reference, 0.1)
    assert share == 0.75 and largest == pytest.approx(0.3)


def test_metadata_says_what_goes_in_and_comes_out(regressor, gestures, detector):
    told = {
        name: make(given, ("tflite",)).files["tflite"]["model.tflite"]
        for name, given in (("r", regressor), ("g", gestures), ("d", detector))
    }
    assert b"label = output * " in told["r"] and b"Features of a row" in told["r"]
    assert b"Window of sensor readings" in told["g"] and b"labels.txt" in told["g"]
    assert b"anomaly score" in told["d"] and b"labels.txt" not in told["d"]


def test_the_threshold_separates_best_and_lies_in_the_widest_gap():
    scores, labels = np.array([1, 2, 3, 9, 10, 4.0]), np.array([0, 0, 0, 1, 1, 1])
    assert threshold.choose(scores, labels) == (3.5, 1.0)
    assert threshold.choose(np.array([1, 2, 7.0]), np.array([0, 0, 1])) == (4.5, 1.0)
    value, balanced = threshold.choose(np.array([1, 5, 2, 6.0]), np.array([0, 0, 1, 1]))
    assert balanced == 0.75 and value in (1.5, 5.5)
    assert threshold.choose(np.array([2.0, 2.0]), np.array([0, 1])) == (2.0, 0.5)
    found = threshold.judge(3.5, 1.0, np.array([1, 4, 9, 3.0]), np.array([0, 0, 1, 1]))
    assert found.recall["value"] == found.false_alarms["value"] == 0.5 and found.recall["n"] == 2


def test_scores_of_each_task(detector, regressor, gestures):
    found = score(detector.tflite, detector.data)
    assert found.threshold.recall["value"] > 0.8 and set(found.metrics) == {"auc"} and not found.classes
    found = score(regressor.tflite, regressor.data)
    assert (
        set(found.metrics) == {"mae", "rmse"} and found.metrics["rmse"]["low"] < found.metrics["rmse"]["high"]
    )
    assert found.accuracy["value"] == pytest.approx(
        1 - found.metrics["rmse"]["value"] / regressor.goal.baseline
    )
    found = score(gestures.tflite, gestures.data)
    assert found.validation is None and [row.name for row in found.classes] == list(gestures.classes)


def program(given, folder):
    """c99's own main, built with every warning an error."""
    for name, content in make(given, ("c99",)).files["c99"].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    strict = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run(["cc", *strict, "c99/model.c", "c99/main.c", "-o", "model"], cwd=folder, check=True)
    return lambda sample: subprocess.run(
        [folder / "model"], input=sample.tobytes(), capture_output=True, check=True, text=False
    ).stdout.decode()


def test_c99_gives_the_value_in_the_unit_of_the_label(regressor, tmp_path):
    run, test = program(regressor, tmp_path), regressor.data.test
    outputs = predict(regressor.tflite, test.inputs[:5])
    wanted = regressor.goal.predictions(outputs, test.inputs[:5])
    given = [float(run(sample)) for sample in test.inputs[:5]]
    step = (
        read_model(regressor.tflite).tensors[read_model(regressor.tflite).outputs[0]].quantization.scales[0]
    )
    assert np.abs(np.array(given) - wanted).max() <= 1.01 * step * regressor.goal.std
    assert np.abs(np.array(given) - test.labels[:5]).max() < 4 * regressor.goal.std


def test_c99_calls_what_is_anomalous(detector, tmp_path):
    run, test = program(detector, tmp_path), detector.data.test
    scores = detector.goal.predictions(predict(detector.tflite, test.inputs[:8]), test.inputs[:8])
    limit, _ = threshold.of_model(detector.tflite, detector.data)
    for sample, wanted in zip(test.inputs[:8], scores, strict=True):
        value, called = run(sample).split()
        assert float(value) == pytest.approx(wanted, rel=0.1, abs=2e-4)
        assert called == ("anomalous" if float(value) > limit else "normal")


@pytest.mark.skipif(bool(tflm_process.missing()), reason="tflite-micro is not installed")
@pytest.mark.parametrize("kind", ["detector", "regressor"])
def test_sources_for_tflite_micro_say_what_outputs_mean(kind, request):
    given = request.getfixturevalue(kind)
    files = {name: text.decode() for name, text in make(given, ("c",)).files["c"].items()}
    header, main = files["c/model_data.h"], files["c/main.cc"]
    assert "labels" not in header and "model_labels" not in files["c/model_data.cc"] + main
    assert f"#define MODEL_OUTPUTS {given.graph.output_shape[2]}" in header
    assert ("MODEL_VALUE_STD" if kind == "regressor" else "MODEL_THRESHOLD") in header
    assert ("MODEL_VALUE_MEAN" if kind == "regressor" else "MODEL_THRESHOLD") in main
    assert "@" not in header + main


def test_a_goal_survives_the_way_into_the_formats(regressor):
    assert regressor.goal == Goal(**regressor.goal.to_dict()) and regressor.kind == "table"
