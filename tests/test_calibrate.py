"""A profile fitted to a device: better than its base, honest about its error, written whole or not at all."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from edgeml.api import calibrate as calibrate_by_name
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import ConfigError, DataError, DisconnectedArchError, EdgemlError, StorageError
from edgeml.target.arm_work import TERMS, amounts
from edgeml.target.calibrate import models as calibrate_models
from edgeml.target.calibrate.calibration import CSV, calibrate, fit_target
from edgeml.target.calibrate.csv_file import Sample
from edgeml.target.calibrate.estimators import ESTIMATORS, estimator_of
from edgeml.target.calibrate.models import designed_set, spread
from edgeml.target.calibrate.write import write_profile
from edgeml.target.measure import known_target
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.profile import load_target
from tests.make_tflite import ModelSpec, make


def outlines(count: int, space: str = "mbconv_macro", size: int = 48):
    rng, loaded, found = random.Random(1), load_space(space), []
    while len(found) < count:
        try:
            found.append(outline(loaded.decode(loaded.sample(rng), Task((size, size, 3), 10)).graph))
        except DisconnectedArchError:
            continue
    return found


def device(base: str, skew: float = 0.4, noise: float = 0.03, count: int = 24, space: str = "mbconv_macro"):
    """Samples of a device three times as slow as the profile's, with coefficients of its own."""
    target, models = load_target(base), outlines(count, space)
    _, estimator = estimator_of(target)
    rng = np.random.default_rng(0)
    true = 3 * estimator.prior(target) * np.exp(skew * rng.normal(size=len(estimator.prior(target))))
    latency = [estimator.amounts(model, target) @ true for model in models]
    latency = np.array(latency) * np.exp(noise * rng.normal(size=count))
    return [
        Sample(f"{i}.tflite", model, float(ms))
        for i, (model, ms) in enumerate(zip(models, latency, strict=True))
    ]


@pytest.mark.parametrize("base", ["mobile", "pixel4", "rpi5", "mcu-m4", "coral"])
def test_every_estimator_is_fitted_and_its_profile_predicts_the_device(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = "nano" if base == "mcu-m4" else "mbconv_macro"
    samples = device(base, space=space)
    samples = [sample for sample in samples if base != "coral" or maps(sample)]
    target = load_target(base)
    found = fit_target(target, samples, "a board")
    assert found.held_out.mape_pct < 12 and found.held_out.spearman > 0.94
    assert found.held_out.mape_pct < found.macs_only.mape_pct
    write_profile(found, tmp_path / "targets" / "mine.yaml")
    mine = known_target("mine")
    for sample in samples[:5]:
        measured = METERS[found.estimator].measure({"": Subject(sample.model)}, mine)[""]["latency_ms"]
        assert measured.value == pytest.approx(sample.latency_ms, rel=0.2)
        assert measured.low < measured.value < measured.high
    changed = {name for name in target.coefficients if mine.coefficient(name) != target.coefficient(name)}
    assert changed <= set(found.coefficients)
    assert all("calibrated" in one.source and one.error for one in found.coefficients.values())


def maps(sample: Sample) -> bool:
    return all(op.name != "HARD_SWISH" for op in sample.model.operators)


def test_the_result_says_what_was_done():
    found = fit_target(load_target("rpi4"), device("rpi4"), "ssh://pi@board", date="2026-11-24")
    assert found.coefficients["operator_ms"].source == "calibrated 2026-11-24 on ssh://pi@board, 24 models"
    assert len(found.rows) == 24 and found.dtype == "int8" and found.options["dtype"] == "int8"
    plain = found.to_dict()
    assert json.loads(json.dumps(plain)) == plain | {
        "rows": json.loads(json.dumps(plain["rows"])),
        "notes": list(found.notes),
    }
    assert "held-out MAPE" in found.summary and "MACs alone" in found.summary


def test_a_prediction_is_by_a_fit_without_the_model():
    samples = device("mobile")
    wrong = [*samples[:-1], Sample("last", samples[-1].model, 50 * samples[-1].latency_ms)]
    one, other = (fit_target(load_target("mobile"), these, "x").rows[-1] for these in (samples, wrong))
    assert one.predicted_ms == pytest.approx(other.predicted_ms)


def test_the_interval_is_that_of_the_left_out_errors():
    close, far = (fit_target(load_target("mobile"), device("mobile", noise=n), "x") for n in (0.01, 0.2))
    width = [
        one.coefficients["high_factor"].value / one.coefficients["low_factor"].value for one in (close, far)
    ]
    assert width[0] < 1.2 and width[1] > 1.5


@pytest.mark.parametrize("base", ["cpu", "null", "ethos-u55-128"])
def test_a_base_without_estimator_is_refused(base, tmp_path):
    with pytest.raises(ConfigError, match=f"target {base} has no estimator"):
        calibrate("host", base, tmp_path / "x.yaml")


def test_too_few_or_mixed_models_are_refused():
    target, samples = load_target("mobile"), device("mobile")
    with pytest.raises(DataError, match="9 models were timed, expected at least 10"):
        fit_target(target, samples[:9], "x")
    floats = read_model(float_conv())
    with pytest.raises(DataError, match=r"f computes in float32 and 0\.tflite in int8"):
        fit_target(target, [*samples, Sample("f", floats, 1.0)], "x")
    with pytest.raises(DataError, match="f computes in float32; cortex_m takes int8"):
        fit_target(load_target("mcu-m4"), [Sample("f", floats, 1.0)] * 10, "x")


def float_conv() -> bytes:
    spec = ModelSpec()
    source = spec.tensor(1, 8, 8, 4, dtype="FLOAT32")
    weights = spec.constant(np.ones((8, 1, 1, 4)), "FLOAT32")
    spec.op("CONV_2D", [source, weights], (1, 8, 8, 8), dtype="FLOAT32", options=("Conv2D", {}))
    return make(spec)


def test_paths_that_cannot_be_written(tmp_path):
    found = fit_target(load_target("mobile"), device("mobile"), "x")
    out = tmp_path / "mine.yaml"
    write_profile(found, out)
    before = out.read_text()
    with pytest.raises(ConfigError, match="exists; choose another name, or give --force"):
        write_profile(found, out)
    write_profile(found, out, force=True)
    assert yaml.safe_load(before)["inherits"] == "mobile"
    with pytest.raises(ConfigError, match=r"ends in \.yaml"):
        write_profile(found, tmp_path / "mine.txt")
    with pytest.raises(ConfigError, match="inherit itself"):
        write_profile(found, tmp_path / "mobile.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        write_profile(found, tmp_path / "folder.yaml")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_profile(found, tmp_path / "file" / "mine.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.yaml", "mine.yaml"]


def test_a_base_that_is_not_found_by_name_leaves_nothing(tmp_path):
    base = tmp_path / "away.yaml"
    shutil.copy("targets/mobile.yaml", base)
    found = fit_target(load_target(str(base)), device("mobile"), "x")
    with pytest.raises(ConfigError, match="base must be found by its name 'away'"):
        write_profile(found, tmp_path / "mine.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["away.yaml"]


def sample_file(folder):
    """csv:FILE of small int8 models with made-up latencies."""
    lines = ["model,latency_ms"]
    for index in range(10):
        spec = ModelSpec()
        spec.conv(spec.tensor(1, 16, 16, 4), 8 * (index + 1))
        (folder / f"{index}.tflite").write_bytes(make(spec))
        lines.append(f"{index}.tflite,{0.1 * (index + 1)}")
    (folder / "t.csv").write_text("\n".join(lines))
    return f"{CSV}{folder / 't.csv'}"


def test_a_base_given_as_a_file_is_inherited_even_where_a_name_leads_elsewhere(cli, tmp_path):
    """`mobile` is a profile of the package too; a file can be moved with its base, from any folder."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "mobile.yaml").write_text("inherits: pixel3\ndescription: mine\nthreads: 3\n")
    asked = ("calibrate", "--device", sample_file(tmp_path), "--base", "desk/mobile.yaml", "--out")
    for out, name in (
        ("targets/my.yaml", "my"), ("elsewhere/my.yaml", "elsewhere/my.yaml"), ("my.yml", "my.yml"),
    ):  # fmt: skip
        code, said, err = cli(*asked, out)
        assert code == 0 and said.rstrip().endswith(f"use it with --target {name}"), err
        assert known_target(name).threads == 3
    assert yaml.safe_load((tmp_path / "targets" / "my.yaml").read_text())["inherits"] == "../desk/mobile.yaml"
    code, _, err = cli(*asked, "desk/mobile.yaml", "--force")
    assert code == 2 and "inherit itself" in err
    shutil.move(tmp_path / "desk", tmp_path / "moved" / "desk")
    shutil.move(tmp_path / "targets", tmp_path / "moved" / "targets")
    assert load_target(str(tmp_path / "moved" / "targets" / "my.yaml")).threads == 3


@pytest.mark.parametrize("lost", ["low_factor", "operator_ms"])
def test_a_base_without_a_coefficient_is_refused_before_anything_is_timed(lost, tmp_path):
    base = yaml.safe_load(Path("targets/mobile.yaml").read_text())
    del base["coefficients"][lost]
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(base))

    def time_models(contents):
        raise AssertionError("timed")

    with pytest.raises(ConfigError, match=f"bare: coefficients lack '{lost}'"):
        calibrate("host", str(tmp_path / "bare.yaml"), tmp_path / "x.yaml", time_models=time_models)


def timed(contents):
    """A device with coefficients of its own, instead of a real one."""
    true = 2 * np.array([load_target("pixel3").coefficient(name) for name in TERMS])
    return {
        name: Measurement("latency_ms", value, "ms", "measured", "made up", value, value)
        for name, content in contents.items()
        for value in [float(np.array(list(amounts(read_model(content)).values())) @ true)]
    }


@pytest.mark.slow
def test_a_designed_set_calibrates_a_device_and_a_csv_of_it_does_the_same(tmp_path, monkeypatch):
    (tmp_path / "targets").mkdir()
    monkeypatch.setattr(calibrate_models, "CANDIDATES", 60)
    monkeypatch.setattr(calibrate_models, "SIZES", (32, 48))
    kept = {}

    def time_models(contents):
        kept.update(contents)
        return timed(contents)

    base = load_target("mobile")
    found = calibrate("host", "mobile", tmp_path / "a.yaml", models=10, seed=3, time_models=time_models)
    assert len(kept) == 10 and found.held_out.mape_pct < 25
    monkeypatch.setattr(calibrate_models, "_convert", lambda graph, rng: graph)
    again = {name: amounts(outline(graph)) for name, graph in designed_set(10, 3, base).items()}
    assert list(again) == list(kept)
    assert all(again[name] == pytest.approx(amounts(read_model(kept[name]))) for name in kept)
    work = [amounts(read_model(content)) for content in kept.values()]
    assert all(
        len({one[name] for one in work}) > 5 for name in TERMS if "dense" not in name and "activ" not in name
    )
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    lines = [f"{row.model},{row.measured_ms!r}" for row in found.rows]
    (tmp_path / "t.csv").write_text("\n".join(["model,latency_ms", *lines]))
    same = calibrate_by_name(f"{CSV}{tmp_path / 't.csv'}", "mobile", tmp_path / "b.yaml")
    values = [{name: one.value for name, one in c.coefficients.items()} for c in (found, same)]
    assert values[0] == values[1]


def test_the_set_spans_the_amounts():
    rng = np.random.default_rng(0)
    many = np.exp(rng.normal(size=(200, 4)))
    chosen = many[spread(many, 12)]
    assert len(np.unique(chosen, axis=0)) == 12
    taken = np.log(many[:12]).std(0).mean()
    assert np.log(chosen).std(0).mean() > 1.2 * taken


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("host", "mobile", {"models": 5}), "--models 5: expected 10 to 30"),
        (("host", "mobile", {"models": 31}), "--models 31: expected 10 to 30"),
        (("toaster", "mobile", {}), "unknown device 'toaster'"),
        (("host", "mcu-m4", {}), "cortex_m predicts another processor"),
        (("adb", "coral", {}), "coral_estimate predicts another processor"),
        (("csv:absent.csv", "mobile", {}), "absent.csv: cannot be read"),
        (("csv:", "mobile", {}), "cannot be read"),
        (("host", "nowhere", {}), "unknown target 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_timed(arguments, words, tmp_path):
    device_name, base, rest = arguments
    with pytest.raises(EdgemlError) as caught:
        calibrate_by_name(device_name, base, tmp_path / "x.yaml", **rest)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "x.yaml").exists()


def test_every_estimator_in_the_table_is_a_meter():
    assert set(ESTIMATORS) <= set(METERS)
