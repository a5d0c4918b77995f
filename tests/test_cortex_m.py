"""Cortex-M milliseconds: the sum over layers, the rank of MLPerf Tiny's references, the error it states."""

from __future__ import annotations

import pytest
from make_tflite import ModelSpec, make

from bench.fit_cortex_m import M4, MODELS, REFERENCE, fit, held_out, published, works
from edgeml.deploy.tflite_outline import Outline
from edgeml.target.mcu.cortex_m import work
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.profile import load_target


def network():
    build = Outline()
    tensor = build.conv(build.input(8, 8, 4), 16, 3)
    tensor = build.depthwise(tensor, 3)
    return build.finish(build.dense(build.mean(tensor), 10))


def latency(model, name="mcu-m4"):
    return METERS["cortex_m"].measure({"": Subject(model)}, load_target(name))[""]


def test_work_is_counted_by_kind():
    found = work(network())
    assert found.conv_macs == 8 * 8 * 16 * 3 * 3 * 4
    assert found.depthwise_macs == 8 * 8 * 16 * 3 * 3
    assert found.dense_macs == 16 * 10
    assert found.outputs == 8 * 8 * 16 * 2 + 16 + 10


def test_milliseconds_are_cycles_over_the_clock():
    target, found = load_target("mcu-m4"), latency(network())
    macs = work(network()).equivalent_macs(1.72, 0.89, 6.54)
    assert found["cycles"].value == pytest.approx(macs * target.coefficient("cortex_m_cycles_per_mac"))
    assert found["latency_ms"].value == pytest.approx(found["cycles"].value / 120e3)
    assert found["latency_ms"].kind == "estimated" and found["latency_ms"].conditions["clock_mhz"] == 120
    assert found["latency_ms"].low < found["latency_ms"].value < found["latency_ms"].high


def test_a_float_model_gets_no_figure():
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 4, 4, 16, dtype="FLOAT32")], (1, 4, 4, 16), dtype="FLOAT32")
    subject = Subject.of(make(spec))
    assert METERS["cortex_m"].measure({"": subject}, load_target("mcu-m4")) == {"": {}}


def test_a_faster_core_is_faster():
    times = [latency(network(), name)["latency_ms"].value for name in ("mcu-m4", "mcu-m33", "mcu-m7")]
    assert times == sorted(times, reverse=True)


def test_the_profiles_hold_what_the_fit_gives(shared_data):
    shared_data("mlperf_tiny")
    shared, scales = fit(published(), works(), list(MODELS))
    target = load_target("mcu-m4")
    assert scales[M4.name] == pytest.approx(target.coefficient("cortex_m_cycles_per_mac"), rel=0.01)
    for name, value in zip(("depthwise", "dense", "output"), shared, strict=True):
        assert target.coefficient(f"cortex_m_{name}_macs") == pytest.approx(2.718281828**value, rel=0.01)


def test_held_out_networks_are_ranked_right_and_within_the_stated_error(shared_data):
    shared_data("mlperf_tiny")
    times, predicted = published(), held_out(published(), works())
    for board in (M4, REFERENCE):
        true, found = times[board.key], predicted[board.name]
        assert sorted(MODELS, key=found.get) == sorted(MODELS, key=true.get)
    stated = load_target("mcu-m4").coefficient("cortex_m_error")
    worst = max(abs(predicted[M4.name][name] / times[M4.key][name] - 1) for name in MODELS)
    assert worst < stated
