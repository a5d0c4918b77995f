"""Edge TPU estimate: what goes into the milliseconds, intervals, notes, refusals, speed, left-out error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.arch.cell import lower
from edgeml.arch.graph import Graph
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline, outline
from edgeml.errors import ConfigError, DisconnectedArchError, ModelError
from edgeml.resources import names
from edgeml.target.coral.latency import LAYER_TERMS, amounts, latency
from edgeml.target.coral.layers import workload
from edgeml.target.coral.memory import MIB, block_bytes, memory
from edgeml.target.coral.verdicts import check, verdicts
from edgeml.target.measure import expected, known_target
from edgeml.target.meter import Figures, Subject
from edgeml.target.meter_table import METERS
from edgeml.target.meters.coral_estimate import estimate
from edgeml.target.profile import load_target
from tests.make_tflite import ModelSpec, make
from tests.speed import assert_within

CORAL = load_target("coral")
PROFILES = ("coral", "coral-devboard", "coral-m2")


def network(filters: int = 32, count: int = 4, tail: str = "") -> TfliteModel:
    build = Outline()
    x = build.same("QUANTIZE", build.input(32, 32, 3, dtype="UINT8"))
    for _ in range(count):
        x = build.conv(x, filters, 3)
    x = build.dense(build.mean(x), 10)
    x = build.same(tail, x) if tail else x
    return build.finish(build.same("QUANTIZE", x, dtype="UINT8"))


def figures(model: TfliteModel, profile: str = "coral") -> Figures:
    return estimate(Subject(model), load_target(profile))


def graph_of(space_name: str, seed: int = 0) -> Graph:
    import random

    space, rng = load_space(space_name), random.Random(seed)
    while True:
        try:
            return lower(space.decode(space.sample(rng), Task((28, 28, 1), 10)))
        except DisconnectedArchError:
            continue


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profiles_have_everything_the_estimate_reads(profile: str) -> None:
    target = known_target(profile)
    assert target.rules == "coral"
    assert target.limit_values() == {"host_ops": 0}
    found = figures(network(), profile)
    assert set(found) == set(METERS["coral_estimate"].metrics)
    assert {figure.kind for figure in found.values()} == {"estimated"}


def test_latency_is_the_sum_of_its_parts_by_hand() -> None:
    """One 3x3 convolution of 64 channels on 32x32: 64 positions of 576 cycles at 500 MHz, and so on."""
    build = Outline()
    model = build.finish(build.conv(build.input(32, 32, 64), 64, 3))
    work = workload(model, check(model))
    values = dict.fromkeys(LAYER_TERMS, 0.0) | {
        "start_ms": 0.2,
        "link_ms_per_mb": 2.0,
        "output_ms_per_mb": 5.0,
    }
    values |= {"convolution_factor": 0.5, "layer_ms": 0.01, "traffic_ms_per_mb": 0.1}
    values |= {"vector_ns": 10.0, "custom_ns": 0.0, "host_factor": 3.0}
    cycles = 64 * min(9 * 64, 2 * 9 * 32)
    size = 32 * 32 * 64 / 1e6
    parts = latency(work, memory(map(block_bytes, work.layers), 8 * MIB), values.__getitem__)
    assert parts.chip_ms == pytest.approx(0.01 + 0.5 * cycles / 500_000 + 0.1 * 2 * size)
    assert parts.link_ms == pytest.approx(0.2 + (2.0 + 5.0) * size)
    assert parts.host_ms == pytest.approx(3.0 * 1024 * 10e-6)
    nothing_kept = latency(work, memory(map(block_bytes, work.layers), 0), values.__getitem__)
    assert nothing_kept.chip_ms == pytest.approx(2.0 * 64 * (9 * 64 + 8) / 1e6)


def test_intervals_hold_the_value_and_say_what_was_left_out() -> None:
    for profile in PROFILES:
        target = load_target(profile)
        for figure in figures(network(256, 12), profile).values():
            assert figure.low <= figure.value <= figure.high
        found = figures(network(), profile)["latency_ms"]
        assert found.low == pytest.approx(found.value * target.coefficient("low_factor"))
        assert found.low < found.value < found.high


def test_the_cliff_is_said() -> None:
    small, large = figures(network(256, 8)), figures(network(256, 16))
    assert small["streamed_bytes"].value == 0
    assert not small["latency_ms"].conditions["notes"]
    assert large["streamed_bytes"].value > MIB
    notes = large["latency_ms"].conditions["notes"]
    assert any("do not fit on the chip" in note and "cliff" in note for note in notes)
    per_layer = figures(network(256, 9))["latency_ms"].value - small["latency_ms"].value
    assert large["latency_ms"].value > small["latency_ms"].value + 8 * per_layer + 1


def test_what_is_near_the_edge_is_not_sure() -> None:
    found = figures(network(256, 11))
    assert any("only the compiler knows" in note for note in found["latency_ms"].conditions["notes"])
    assert found["streamed_bytes"].low == 0 < found["streamed_bytes"].high


def test_operators_on_the_host_cost_more_on_the_board() -> None:
    build = Outline()
    x = build.conv(build.input(64, 64, 8), 32, 3)
    model = build.finish(build.same("LEAKY_RELU", build.same("ADD", build.same("LEAKY_RELU", x), x)))
    desk, board = figures(model), figures(model, "coral-devboard")
    assert desk["host_ops"].value == board["host_ops"].value == 3
    assert board["latency_ms"].conditions["host_ms"] > 5 * desk["latency_ms"].conditions["host_ms"] > 0
    assert any("run on the host" in note for note in desk["latency_ms"].conditions["notes"])


def test_a_model_nothing_of_which_maps_is_refused_in_one_sentence() -> None:
    build = Outline()
    x = build.same("RELU", build.input(8, 8, 4, dtype="FLOAT32"), dtype="FLOAT32")
    with pytest.raises(
        ModelError, match=r"^nothing of the model runs on the Edge TPU: RELU: Model not quantized\. "
    ):
        figures(build.finish(x))
    with pytest.raises(ModelError, match="no operators"):
        figures(Outline().finish())


def test_a_compiled_model_is_refused() -> None:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 8)], (1, 8), custom="edgetpu-custom-op")
    with pytest.raises(ModelError, match="already compiled"):
        estimate(Subject.of(make(spec)), load_target("coral"))


def test_runtime_and_subgraphs_come_from_the_profile() -> None:
    build = Outline()
    x = build.same("LEAKY_RELU", build.conv(build.input(8, 8, 4), 8))
    model = build.finish(build.conv(build.same("TILE", x), 8))
    plain = load_target("coral")
    assert [v.mapped for v in verdicts(model, None, plain)] == [True, False, False, False]
    several = plain.model_copy(update={"options": {"coral_estimate": {"several_subgraphs": True}}})
    assert [v.mapped for v in verdicts(model, None, several)] == [True, False, True, True]
    old = plain.model_copy(update={"options": {"coral_estimate": {"several_subgraphs": True, "runtime": 13}}})
    assert [v.mapped for v in verdicts(model, None, old)] == [True, False, False, True]
    wrong = plain.model_copy(update={"options": {"coral_estimate": {"runtime": "new"}}})
    with pytest.raises(ConfigError, match=r"options\.coral_estimate\.runtime"):
        verdicts(model, None, wrong)


@pytest.mark.parametrize("space", names("search_spaces"))
def test_architectures_of_the_built_in_spaces_map(space: str) -> None:
    target = load_target("coral")
    for seed in range(5):
        graph = graph_of(space, seed)
        refused = {v.op for v in verdicts(outline(graph), None, target) if not v.mapped}
        if "HARD_SWISH" not in refused:  # a choice of some spaces, refused in words of its own
            assert not refused
            assert expected(graph, target)["host_ops"].value == 0


def test_an_architecture_is_checked_and_estimated_in_milliseconds() -> None:
    target = load_target("coral")
    for seed in range(3):
        model = outline(graph_of("micro_cell", seed))
        assert_within(0.01, lambda: estimate(Subject(model), target))  # noqa: B023


@pytest.mark.slow
def test_left_out_models_are_predicted_within_the_bars(shared_data: Callable[[str], Path]) -> None:
    shared_data("edgetpu")
    pytest.importorskip("scipy")
    from bench.coral_points import published
    from bench.fit_coral import Design, scores, truths

    points = published()
    found = scores(Design(points).leave_one_model_out(), truths(points))
    assert found["n"] >= 35
    assert found["mape_pct"] <= 9
    assert found["within10_pct"] >= 75
    assert found["spearman"] >= 0.99


def test_the_profiles_hold_what_the_fit_gives(shared_data: Callable[[str], Path]) -> None:
    shared_data("edgetpu")
    pytest.importorskip("scipy")
    from bench.coral_points import published
    from bench.fit_coral import Design
    from bench.truth_coral import by_profile

    points = published()
    design = Design(points)
    everything = range(len(points))
    fitted = design.predict(design.fit(everything), everything)
    np.testing.assert_allclose(by_profile(points), fitted, rtol=2e-3)


@cache
def a_bit_of_everything() -> bytes:
    spec = ModelSpec()
    x = spec.conv(spec.conv(spec.tensor(1, 8, 8, 4), 8, 3), 8)
    x = spec.op("LEAKY_RELU", [x], (1, 8, 8, 8), options=("LeakyRelu", {"alpha": 0.1}))
    spec.op("CUSTOM", [x], (1, 8), dtype="FLOAT32", custom="PosenetDecoderOp")
    return make(spec)


@given(st.integers(8, 4000), st.integers(0, 255))
def test_damaged_models_are_estimated_or_refused(place: int, value: int) -> None:
    data = bytearray(a_bit_of_everything())
    data[place % len(data)] = value
    try:
        found = estimate(Subject.of(bytes(data)), CORAL)
    except ModelError:
        return
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())


def test_amounts_follow_the_terms() -> None:
    model = network()
    for layer in workload(model, check(model)).layers:
        assert len(amounts(layer)) == len(LAYER_TERMS)
        assert min(amounts(layer)) >= 0
