"""Milliseconds on an Arm core: amounts counted by hand, complete profiles, types kept apart, time taken."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
from make_tflite import ModelSpec, make

from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import Outline, outline
from edgeml.errors import ConfigError, DisconnectedArchError
from edgeml.target.arm_work import TERMS, amounts, computes_in
from edgeml.target.measure import expected, known_target
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.profile import Target, load_target
from tests.speed import assert_within

PROFILES = ("mobile", "pixel3", "pixel4", "rpi4", "rpi5")


def estimate(model, target):
    return METERS["arm_estimate"].measure({"": Subject(model)}, target)[""]


def network(width: int = 16):
    build = Outline()
    x = build.conv(build.input(8, 8, 3), width, 3)
    x = build.same("HARD_SWISH", build.conv(build.depthwise(x, 5), 12))
    x = build.pool(x, 2, 2)
    return build.finish(build.dense(build.mean(x), 10))


def float_model():
    spec = ModelSpec()
    source = spec.tensor(1, 8, 8, 4, dtype="FLOAT32")
    weights = spec.constant(np.ones((8, 1, 1, 4)), "FLOAT32")
    bias = spec.constant(np.zeros(8), "FLOAT32")
    spec.op("CONV_2D", [source, weights, bias], (1, 8, 8, 8), dtype="FLOAT32", options=("Conv2D", {}))
    return read_model(make(spec))


def test_amounts_are_counted_by_kind_of_layer():
    found = {name: round(1e6 * amount, 6) for name, amount in amounts(network()).items()}
    assert found["spatial_ms_per_mmac"] == 64 * 16 * 9 * 3
    assert found["gather_ms_per_melement"] == 64 * 9 * 3
    assert found["depthwise_ms_per_mmac"] == 64 * 16 * 25
    assert found["pointwise_ms_per_mmac"] == 64 * 16 * 16  # 12 outputs are computed as two groups of 8
    assert found["write_ms_per_melement"] == 64 * (16 + 12)
    assert found["weights_ms_per_melement"] == 9 * 3 * 16 + 25 * 16 + 16 * 12
    assert found["activation_ms_per_melement"] == 64 * 12
    assert found["pooling_ms_per_melement"] == 16 * 12 * 4 + 16 * 12
    assert found["dense_ms_per_mmac"] == 120
    assert amounts(network())["operator_ms"] == 7


def test_latency_is_the_sum_of_coefficients_times_amounts():
    target = load_target("mobile")
    found = estimate(network(), target)["latency_ms"]
    assert found.value == pytest.approx(
        sum(target.coefficient(name) * amount for name, amount in amounts(network()).items())
    )
    assert found.kind == "estimated" and found.low < found.value < found.high
    assert found.conditions["threads"] == 1 and found.conditions["dtype"] == "int8"


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_every_coefficient_with_source_and_error(name):
    target = known_target(name)
    assert METERS["arm_estimate"].missing(target) == ""
    assert "latency_ms" in target.objectives and target.rules is None
    for one in (*TERMS, "low_factor", "high_factor"):
        assert target.coefficients[one].source and target.coefficients[one].error
    assert all(target.coefficient(term) > 0 for term in TERMS)
    assert target.coefficient("low_factor") < 1 < target.coefficient("high_factor")
    assert any("int8" in note for note in target.notes)


def test_types_are_kept_apart():
    assert (computes_in(float_model()), computes_in(network())) == ("float32", "int8")
    assert estimate(float_model(), load_target("mobile")) == {}
    assert estimate(float_model(), load_target("rpi4"))["latency_ms"].value > 0


def test_int8_on_a_float_profile_is_scaled_and_says_so():
    target = load_target("rpi4")
    found = estimate(network(), target)["latency_ms"]
    plain = sum(target.coefficient(name) * amount for name, amount in amounts(network()).items())
    assert found.value == pytest.approx(plain * target.coefficient("int8_ratio"))
    assert "float32" in found.conditions["dtype"]


def test_a_model_smaller_than_the_fitted_ones_is_marked():
    assert (
        "fitted on 14 to"
        in estimate(network(), load_target("pixel3"))["latency_ms"].conditions["outside_fit"]
    )
    build = Outline()
    larger = build.finish(build.conv(build.input(64, 64, 64), 128, 3))
    assert "outside_fit" not in estimate(larger, load_target("pixel3"))["latency_ms"].conditions


def test_a_profile_without_coefficients_says_which():
    bare = Target(name="bare", description="x", objectives=["latency_ms"], meters=["arm_estimate"])
    assert "spatial_ms_per_mmac" in METERS["arm_estimate"].missing(bare)
    with pytest.raises(ConfigError, match="bare: coefficients lack"):
        estimate(network(), bare)


def test_operators_that_make_no_sense_count_as_moved_elements():
    spec = ModelSpec()
    source = spec.tensor(1, 4, 4, 8, signature=(1, -1, 4, 8))
    y = spec.op("CONV_2D", [source], (1, 4, 4, 8))
    y = spec.op("FULLY_CONNECTED", [y, -1, -1], (1, 8))
    spec.op("CUSTOM", [y], (1, 8), custom="Strange")
    found = amounts(read_model(make(spec)))
    assert found["elementwise_ms_per_melement"] * 1e6 == 256 + 128 + 8 + 16
    assert found["operator_ms"] == 3


def test_an_architecture_is_estimated_within_5_ms():
    rng, target, space = random.Random(0), known_target("mobile"), load_space("micro_cell")
    graphs = []
    for _ in range(30):
        with contextlib.suppress(DisconnectedArchError):
            graphs.append(space.decode(space.sample(rng), Task((64, 64, 3), 10)).graph)
    assert_within(0.005 * len(graphs), lambda: [estimate(outline(graph), target) for graph in graphs])
    assert all(expected(graph, target)["latency_ms"].kind == "estimated" for graph in graphs)
