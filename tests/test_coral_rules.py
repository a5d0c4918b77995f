"""Refusals of the Edge TPU: each rule by a model that breaks it, groups, whole models, published files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.target.coral.rules import (
    INSTEAD,
    MAPPED,
    MAX_VERSION,
    MODEL_RULES,
    RULES,
    SECOND_SUBGRAPH,
    SINCE,
)
from edgeml.target.coral.verdicts import check, lint_versions, refuses
from edgeml.target.rules import OpVerdict, words
from tests.make_tflite import ModelSpec, make

Breaks = Callable[[ModelSpec, int], int]
FUSED = {"fusedActivationFunction": 1, "filterHeight": 2, "filterWidth": 2, "strideH": 1, "strideW": 1}


def from_float(spec: ModelSpec, x: int) -> int:
    return spec.op("QUANTIZE", [spec.tensor(1, 8, 8, 4, dtype="FLOAT32")], (1, 8, 8, 4))


def leaky(spec: ModelSpec, x: int) -> int:
    return spec.op("LEAKY_RELU", [x], (1, 8, 8, 4), options=("LeakyRelu", {"alpha": 0.1}))


def to_int32(spec: ModelSpec, x: int) -> int:
    return spec.op("ADD", [x, x], (1, 8, 8, 4), dtype="INT32", options=("Add", {}))


def batch_of_two(spec: ModelSpec, x: int) -> int:
    y = spec.tensor(2, 8, 8, 4)
    return spec.op("RELU", [y], (2, 8, 8, 4))


def computed_weights(spec: ModelSpec, x: int) -> int:
    return spec.op("FULLY_CONNECTED", [x, spec.tensor(10, 256)], (1, 10), options=("FullyConnected", {}))


def computed_axes(spec: ModelSpec, x: int) -> int:
    return spec.op("MEAN", [x, spec.tensor(2, dtype="INT32")], (1, 4), options=("Reducer", {}))


def dilated(spec: ModelSpec, x: int) -> int:
    return spec.conv(x, 4, 3, dilationHFactor=2, dilationWFactor=1)


def dense_2d(spec: ModelSpec, x: int) -> int:
    weights = spec.constant([[1] * 4] * 10, "INT8")
    return spec.op("FULLY_CONNECTED", [x, weights], (64, 10), options=("FullyConnected", {}))


def softmax_2d(spec: ModelSpec, x: int) -> int:
    return spec.op("SOFTMAX", [x], (1, 8, 8, 4), options=("Softmax", {}))


def mean_over(*axes: int, shape: tuple[int, ...] = (1, 8, 8, 4)) -> Breaks:
    def build(spec: ModelSpec, x: int) -> int:
        return spec.op("MEAN", [spec.tensor(*shape), spec.constant(axes)], (1,), options=("Reducer", {}))

    return build


def strided(spec: ModelSpec, x: int) -> int:
    begin, end, steps = (spec.constant(v) for v in ([0, 0, 0, 0], [1, 8, 8, 4], [1, 2, 2, 1]))
    return spec.op("STRIDED_SLICE", [x, begin, end, steps], (1, 4, 4, 4), options=("StridedSlice", {}))


def resized(spec: ModelSpec, x: int) -> int:
    size = spec.constant([513, 513])
    return spec.op("RESIZE_BILINEAR", [x, size], (1, 513, 513, 4), options=("ResizeBilinear", {}))


def pool_with_relu(spec: ModelSpec, x: int) -> int:
    return spec.op("MAX_POOL_2D", [x], (1, 8, 8, 4), options=("Pool2D", FUSED))


def three_with_constant(spec: ModelSpec, x: int) -> int:
    zeros = spec.tensor(1, 8, 8, 4, value=np.zeros((1, 8, 8, 4), "int8"))
    return spec.op("CONCATENATION", [x, x, zeros], (1, 8, 8, 12), options=("Concatenation", {"axis": 3}))


BREAKS: dict[str, list[Breaks]] = {
    "float_quantize": [from_float],
    "unsupported_op": [leaky],
    "unsupported_type": [to_int32],
    "unsupported_rank": [batch_of_two],
    "computed_parameter": [computed_weights, computed_axes],
    "unequal_dilation": [dilated],
    "dense_output_not_flat": [dense_2d],
    "softmax_too_large": [softmax_2d],
    "reduces_batch": [mean_over(0, shape=(2, 1, 4))],
    "mean_over_odd_channels": [mean_over(3, shape=(1, 8, 8, 3))],
    "slice_with_stride": [strided],
    "resize_too_large": [resized],
    "fused_activation": [pool_with_relu],
    "constant_in_concatenation": [three_with_constant],
}


def verdicts(*steps: Breaks, **options: bool) -> list[OpVerdict]:
    spec = ModelSpec()
    x = spec.conv(spec.tensor(1, 8, 8, 4), 4)
    for step in steps:
        x = step(spec, x)
    return check(read_model(make(spec)), **options)


def test_every_rule_has_a_model_that_breaks_it() -> None:
    assert set(BREAKS) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_refuses_with_its_own_words(rule: Callable[..., bool]) -> None:
    for build in BREAKS[rule.__name__]:
        found = verdicts(build)[-1]
        says, instead = words(rule)
        assert (found.mapped, found.reason) == (False, says)
        assert found.instead == INSTEAD.get(found.op, instead) != ""


@pytest.mark.parametrize("rule", [*RULES, *MODEL_RULES], ids=lambda rule: rule.__name__)
def test_a_rule_says_what_and_what_instead(rule: Callable[..., bool]) -> None:
    says, instead = words(rule)
    assert says
    assert not says.endswith(".")
    assert instead.endswith(".")


def test_what_follows_a_refusal_is_a_second_subgraph() -> None:
    def after(spec: ModelSpec, x: int) -> int:
        return spec.conv(x, 8)

    found = verdicts(leaky, after)
    assert [verdict.mapped for verdict in found] == [True, False, False]
    assert found[2].reason == SECOND_SUBGRAPH
    assert [v.mapped for v in verdicts(leaky, after, several_subgraphs=True)] == [True, False, True]


def test_what_stands_before_on_the_host_does_not_end_the_subgraph() -> None:
    spec = ModelSpec()
    x = spec.conv(from_float(spec, 0), 8)
    spec.op("DEQUANTIZE", [x], (1, 8, 8, 8), dtype="FLOAT32")
    found = check(read_model(make(spec)))
    assert [v.mapped for v in found] == [False, True, False]
    assert found[1].reason == MAPPED
    assert found[2].instead == INSTEAD["DEQUANTIZE"]


def test_a_parallel_branch_still_maps() -> None:
    spec = ModelSpec()
    x = spec.conv(spec.tensor(1, 8, 8, 4), 4)
    leaky(spec, x)
    spec.conv(x, 8)
    assert [v.mapped for v in check(read_model(make(spec)))] == [True, False, True]


def test_old_runtimes_run_less() -> None:
    spec = ModelSpec()
    spec.op("TRANSPOSE", [spec.tensor(1, 4, 8), spec.constant([0, 2, 1])], (1, 8, 4))
    model = read_model(make(spec))
    assert check(model)[0].mapped
    assert "14" in check(model, runtime=13)[0].instead
    assert set(SINCE.values()) == {10, 13, 14}


@pytest.mark.parametrize("op", sorted(MAX_VERSION))
def test_an_operator_too_new_rejects_the_model(op: str) -> None:
    spec = ModelSpec()
    x = spec.conv(spec.tensor(1, 8, 8, 4), 4)
    spec.op(op, [x], (1, 8, 8, 4), version=MAX_VERSION[op] + 1)
    model = read_model(make(spec))
    said = f"Didn't find op for builtin opcode '{op}' version '{MAX_VERSION[op] + 1}'"
    assert lint_versions(model) == [said]
    assert {(v.mapped, v.reason) for v in check(model)} == {(False, said)}
    assert check(model, any_version=True)[0].mapped


def test_the_words_for_versions_name_every_limit() -> None:
    rule = next(rule for rule in MODEL_RULES if rule.__name__ == "version_too_new")
    listed = words(rule)[1].replace(" up to version", "")
    for op, version in MAX_VERSION.items():
        assert f"{op} {version}" in listed


def test_whole_models_are_refused_in_one_sentence() -> None:
    free = ModelSpec()
    free.conv(free.tensor(1, 8, 8, 4, signature=(-1, 8, 8, 4)), 4)
    plain = ModelSpec()
    plain.op("RELU", [plain.tensor(1, 8, dtype="FLOAT32")], (1, 8), dtype="FLOAT32")
    done = ModelSpec()
    x = done.op("CUSTOM", [done.tensor(1, 8)], (1, 8), custom="edgetpu-custom-op")
    done.op("SOFTMAX", [x], (1, 8), options=("Softmax", {}))
    said = [refuses(read_model(make(spec))) for spec in (free, plain, done)]
    assert [found and found[0].split()[0] for found in said] == ["Attempting", "Model", "The"]
    assert [v.mapped for v in check(read_model(make(done)))] == [True, False]


def test_published_models_have_the_compilers_cpu_operators(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("edgetpu") / "models"
    with (folder / "verdicts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    for row in rows:
        found = check(read_model(folder / row["plain"]))
        host = Counter(verdict.op for verdict in found if not verdict.mapped)
        assert ";".join(f"{op}:{n}" for op, n in sorted(host.items())) == row["cpu_op_kinds"], row["plain"]
        assert sum(v.mapped for v in found) == int(row["ops_mapped"])


@given(st.integers(8, 4000), st.integers(0, 255))
def test_damaged_models_are_checked_or_refused(place: int, value: int) -> None:
    spec = ModelSpec()
    x = spec.conv(spec.tensor(1, 8, 8, 4), 4)
    for steps in BREAKS.values():
        for step in steps:
            step(spec, x)
    data = bytearray(make(spec))
    data[place % len(data)] = value
    try:
        model = read_model(bytes(data))
    except ModelError:
        return
    assert len(check(model)) == len(model.operators)
