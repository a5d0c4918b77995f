"""`edgeml check`, `measure` and `targets NAME` as users type them; every way a file can be wrong."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from edgeml.api import devices
from edgeml.arch.cell import lower
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import fold
from edgeml.errors import DisconnectedArchError, ModelError
from edgeml.resources import names
from edgeml.target.check import check
from edgeml.target.measure import expected, known_target, measure_again
from edgeml.target.measurement import KINDS
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.rule_sets import RULE_SETS
from edgeml.train.build import build, get_weights
from tests.make_tflite import ModelSpec, make

TARGETS = names("targets")


def graph_of(space, seed):
    made, rng = load_space(space), random.Random(seed)
    while True:
        try:
            return lower(made.decode(made.sample(rng), Task((16, 16, 1), 4)))
        except DisconnectedArchError:
            continue


def converted(int8=True):
    graph = graph_of("nano", 2)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), dtype=np.uint8)
    return to_tflite(graph, fold(graph, get_weights(build(graph), graph)), images if int8 else None)


@pytest.fixture(scope="module")
def model():
    """An int8 model as a search writes it."""
    return converted()


@pytest.mark.parametrize("name", TARGETS)
def test_every_profile_says_where_it_knows_from(name):
    target = known_target(name)
    assert target.rules is None or target.rules in RULE_SETS
    assert all(meter in METERS for meter in target.meters)
    for coefficient in target.coefficients.values():
        assert coefficient.source and coefficient.error
    assert len({fact.what for fact in target.facts}) == len(target.facts)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_knows_its_objectives_before_training_or_from_a_file(name, model):
    target = known_target(name)
    figures = check(model, target).figures | expected(graph_of(target.space, 3), target)
    timed = {m for meter in target.meters if METERS[meter].wall_clock for m in METERS[meter].metrics}
    assert set(target.objectives) <= set(figures) | timed
    for metric, figure in figures.items():
        assert figure.metric == metric and figure.kind in KINDS and figure.tool
        assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize("name", TARGETS)
def test_a_model_of_ours_fits_every_target(name, model):
    found = check(model, known_target(name))
    assert found.ok, found.problems
    assert len(found.ops) > 5 and all(op.mapped and op.reason for op in found.ops)


def broken_files(model):
    """File name -> its bytes and a word that every target's sentence must hold."""
    dynamic = ModelSpec()
    dynamic.conv(dynamic.tensor(1, 8, 8, 4, signature=(-1, 8, 8, 4)), 8, 3)
    custom = ModelSpec()
    custom.op("CUSTOM", [custom.tensor(1, 8, 8, 4)], (1, 4), custom="MyOwnOp")
    return {
        "text.tflite": (b"hello, I am not a model at all", "not a TFLite"),
        "empty.tflite": (b"", "not a TFLite"),
        "cut.tflite": (model[: len(model) // 3], "damaged"),
        "dynamic.tflite": (make(dynamic), ""),
        "custom.tflite": (make(custom), ""),
    }


def test_bad_files_are_said_in_a_sentence(cli, tmp_path, model):
    every = [word for name in TARGETS for word in ("--target", name)]
    for file, (content, word) in broken_files(model).items():
        (tmp_path / file).write_bytes(content)
        code, out, err = cli("check", file, *every, "--json")
        assert "Traceback" not in err + out
        if word:
            assert code == 2 and word in err and file in err and len(err.splitlines()) == 1, (file, err)
            continue
        answers = json.loads(out)
        assert len(answers) == len(TARGETS) and code == (0 if all(found["ok"] for found in answers) else 1)
        for found in answers:
            assert found["ok"] == (not found["problems"])
            assert all("\n" not in problem for problem in found["problems"])
            if file == "custom.tflite":
                assert not found["ok"] and not found["ops"][0]["mapped"] and found["ops"][0]["reason"]


@pytest.mark.parametrize("name", [n for n in TARGETS if known_target(n).limits.host_ops == 0])
def test_a_float_model_is_refused_where_only_int8_runs(name):
    found = check(converted(int8=False), known_target(name))
    assert not found.ok and not any(op.mapped for op in found.ops if op.op == "CONV_2D")
    assert "int8" in " ".join(found.problems)


def test_the_table_and_the_json_say_the_same(cli, tmp_path, model):
    (tmp_path / "m.tflite").write_bytes(model)
    code, out, _ = cli("check", "m.tflite", "--target", "cpu", "--target", "null", "--json")
    found = json.loads(out)
    assert code == 0 and [one["target"] for one in found] == ["cpu", "null"]
    code, out, _ = cli("check", "m.tflite")
    assert (
        code == 0
        and "fits" in out
        and out.count("CONV_2D") == sum("CONV_2D" in op["op"] for op in found[0]["ops"])
    )
    assert "MACs:" in out and "counted" in out


@pytest.mark.parametrize("name", TARGETS)
def test_targets_name_prints_what_it_allows_costs_and_refuses(cli, name):
    code, out, _ = cli("targets", name)
    target = known_target(name)
    assert code == 0 and "Allows" in out and "Refuses" in out
    plain = "".join(out.split())
    for text in (*target.notes, *(fact.value for fact in target.facts), *target.coefficients):
        assert "".join(text.split())[:20] in plain
    code, out, _ = cli("targets", name, "--json")
    found = json.loads(out)
    assert (
        code == 0 and found["refusals"] and {m["name"] for m in found["meter_states"]} == set(target.meters)
    )


def test_bad_options(cli, tmp_path, model):
    (tmp_path / "m.tflite").write_bytes(model)
    for arguments, word in (
        (("check", "absent.tflite"), "absent.tflite"),
        (("check", "m.tflite", "--target", "corall"), "unknown target"),
        (("check", "."), "not an edgeml run"),
        (("check", "m.tflite", "--target", "cpu", "--target", "cpu"), "twice"),
        (("measure", "m.tflite", "--device", "toaster"), "toaster"),
    ):
        code, _, err = cli(*arguments)
        assert code == 2 and word in err and len(err.splitlines()) == 1, err


@pytest.mark.parametrize("name", ["coral", "cpu", "ethos-u55-128", "mcu-m4", "mobile"])
def test_a_meter_tells_of_each_metric_the_kind_its_figures_have(name, model):
    """tflite-micro's arena is measured, the flash beside it an estimate."""
    target = known_target(name)
    for meter in target.meters:
        entry = METERS[meter]
        if not entry.missing(target):
            found = entry.measure({"": Subject.of(model)}, target)[""]
            assert found and {metric: figure.kind for metric, figure in found.items()} == {
                metric: kind for metric, kind in entry.kinds.items() if metric in found
            }


def test_targets_name_says_the_kind_of_each_metric(cli):
    out = cli("targets", "mcu-m4")[1]
    assert "ram_bytes measured; flash_bytes estimated" in " ".join(out.split())
    states = json.loads(cli("targets", "mcu-m4", "--json")[1])["meter_states"]
    assert states[0]["kinds"] == {"ram_bytes": "measured", "flash_bytes": "estimated"}


@pytest.mark.parametrize(
    ("arguments", "session_s", "at_least_s"),
    [
        (("measure", "m.tflite", "--target", "slow.yaml"), None, 2 * 900 + 7000),
        (("check", "m.tflite", "--target", "slow.yaml"), None, 2 * 900 + 7000),
        (("measure", "m.tflite", "--device", "adb", "--target", "slow.yaml"), 900, 2 * 900),
        (("measure", "m.tflite", "--device", "ssh://b", "--target", "slow.yaml"), 4000, 2 * 4000),
    ],
)
def test_a_profiles_own_time_limit_holds(cli, tmp_path, monkeypatch, arguments, session_s, at_least_s):
    """No outer limit ends a meter before its own does, which for a phone is 15 minutes without a profile."""
    (tmp_path / "m.tflite").write_bytes(relu())
    (tmp_path / "slow.yaml").write_text(
        "inherits: mobile\noptions: {qemu_arm: {time_limit_s: 7000}, ssh: {timeout_s: 4000}}\n"
    )
    asked = {}

    def instead(path, function, *given, limit_s):
        asked.update(given=given, limit_s=limit_s)
        raise ModelError("enough")

    monkeypatch.setattr(devices, "in_child", instead)
    assert cli(*arguments)[0] == 2
    assert asked["limit_s"] > at_least_s
    assert session_s is None or asked["given"][-1] == session_s


def test_timing_again_keeps_the_order_of_the_profile():
    """Vela says the latency; the computer's own clock behind it is only for what Vela does not give."""
    target = known_target("ethos-u55-128")
    assert measure_again({"m": relu()}, target.model_copy(update={"meters": ["vela", "litert_host"]})) == {
        "m": {}
    }
    first = target.model_copy(update={"meters": ["litert_host", "vela"]})
    assert set(measure_again({"m": relu()}, first)["m"]) == {"latency_ms"}


def relu():
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 8, 8, 4)], (1, 8, 8, 4))
    return make(spec)


def test_a_profile_with_unknown_meters_or_options_is_refused(cli, tmp_path):
    (tmp_path / "a.yaml").write_text("inherits: cpu\nmeters: [litert_hots]\n")
    (tmp_path / "b.yaml").write_text("inherits: cpu\noptions: {litert_host: {kernels: fast}}\n")
    (tmp_path / "c.yaml").write_text("inherits: cpu\nrules: tpu\n")
    for file, word in (
        ("a.yaml", "litert_host"),
        ("b.yaml", "options.litert_host.kernels"),
        ("c.yaml", "rule set"),
    ):
        code, _, err = cli("targets", tmp_path / file)
        assert code == 2 and word in err and len(err.splitlines()) == 1, err
