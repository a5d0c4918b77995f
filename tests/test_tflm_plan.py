"""The worked-out arena equals tflite-micro's, and stays close to it on an architecture before training."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_tflite import ModelSpec, make
from test_agreement import random_graph, trained_like

from edgeml.deploy import convert, runtime
from edgeml.deploy.fold import fold
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import outline
from edgeml.target.mcu import process as tflm_process
from edgeml.target.mcu.plan import Buffer, arena, cmsis_nn_extra_bytes, planned
from edgeml.target.measure import expected, known_target
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.profile import load_target
from tests.speed import assert_within

CASES = [("nano", 1), ("mbconv_macro", 3), ("micro_cell", 4)]


def asked(model):
    return tflm_process.ask(model, 60, 4 << 30)


@lru_cache(maxsize=8)
def converted(space, seed):
    graph = random_graph(space, seed)
    _, weights = trained_like(graph, seed)
    images = np.random.default_rng(seed).integers(0, 256, (8, *graph.input_shape), dtype=np.uint8)
    return graph, convert.to_tflite(graph, fold(graph, weights), images), images


@pytest.mark.parametrize(("space", "seed"), CASES)
def test_the_plan_of_a_file_is_exact(space, seed):
    _, model, _ = converted(space, seed)
    answer, plan = asked(model), arena(read_model(model))
    assert plan.activations == answer["head_bytes"]
    assert plan.total == answer["arena_bytes"]


@pytest.mark.parametrize(("space", "seed"), CASES)
def test_the_interval_of_an_outline_holds_the_measured_arena(space, seed):
    graph, model, _ = converted(space, seed)
    estimate = expected(graph, known_target("mcu-m4"))["ram_bytes"]
    assert estimate.kind == "estimated"
    assert estimate.low <= asked(model)["arena_bytes"] <= estimate.high


def test_the_plan_is_exact_on_mlperf_tiny(shared_data):
    for name in ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "str_ww_ref_model"):
        model = (shared_data("mlperf_tiny") / "models" / f"{name}.tflite").read_bytes()
        assert arena(read_model(model)).total == asked(model)["arena_bytes"], name


@pytest.mark.parametrize(("space", "seed"), CASES)
def test_outputs_equal_those_of_litert(space, seed):
    """Our uint8-in, uint8-out models run in tflite-micro; bit for bit as LiteRT's reference kernels."""
    tflite_micro = pytest.importorskip("tflite_micro")
    _, model, images = converted(space, seed)
    micro = tflite_micro.runtime.Interpreter.from_bytes(model, arena_size=1 << 22)
    litert = runtime.interpreter(model, reference=True)
    given, taken = litert.get_input_details()[0]["index"], litert.get_output_details()[0]["index"]
    for image in images:
        micro.set_input(image[None], 0)
        micro.invoke()
        litert.set_tensor(given, image[None])
        litert.invoke()
        np.testing.assert_array_equal(micro.get_output(0), litert.get_tensor(taken))


buffers = st.builds(
    lambda size, first, length: Buffer(16 * size, first, first + length),
    st.integers(1, 64),
    st.integers(0, 12),
    st.integers(0, 6),
)


@given(st.lists(buffers, min_size=1, max_size=12))
def test_a_plan_is_between_what_is_alive_at_once_and_the_sum(some):
    alive = [sum(b.nbytes for b in some if b.first <= at <= b.last) for at in range(20)]
    assert max(alive) <= planned(some) <= sum(b.nbytes for b in some)


def test_cmsis_nn_scratch_of_a_3x3_convolution():
    """Two columns of 3 x 3 x 64 as int16 while the largest pair of tensors is alive."""
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 64), 64, 3)
    assert cmsis_nn_extra_bytes(read_model(make(spec))) == 2 * 2 * 3 * 3 * 64
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 64), 64, 1)
    assert cmsis_nn_extra_bytes(read_model(make(spec))) == 0


def test_flash_of_an_outline_is_close_to_that_of_the_file():
    target = load_target("mcu-m4")
    for space, seed in CASES:
        graph, model, _ = converted(space, seed)
        subjects = {"file": Subject.of(model), "outline": Subject(outline(graph))}
        found = METERS["tflm_estimate"].measure(subjects, target)
        ratio = found["outline"]["flash_bytes"].value / found["file"]["flash_bytes"].value
        assert abs(ratio - 1) < 0.03, (space, ratio)


def test_estimates_take_less_than_5_ms():
    graph, target = random_graph("nano", 1), known_target("mcu-m4")
    subjects = {"": Subject(outline(graph))}
    meters = [METERS[name] for name in ("tflm_estimate", "cortex_m")]
    assert_within(0.005, lambda: [meter.measure(subjects, target) for meter in meters])
