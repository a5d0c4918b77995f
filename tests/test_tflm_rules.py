"""Verdicts of tflm_rules are those of tflite-micro itself, operator by operator."""

from __future__ import annotations

import re

import numpy as np
import pytest
from make_tflite import ModelSpec, make

from edgeml.deploy import tflite_schema
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import Outline
from edgeml.errors import ModelError
from edgeml.target.mcu import process as tflm_process
from edgeml.target.mcu import rules as tflm_rules
from edgeml.target.profile import load_target

TARGET = load_target("mcu-m4")
SHAPE = (1, 4, 4, 16)
BUILTIN = [n for n in tflite_schema.OPERATORS if n not in ("CUSTOM", "DELEGATE") and "PLACEHOLDER" not in n]


def verdicts(model):
    return tflm_rules.verdicts(read_model(model), model, TARGET)


def says(model):
    """What tflite-micro says of a model, "" where it runs it."""
    try:
        tflm_process.ask(model, 60, 4 << 30)
    except ModelError as error:
        return str(error)
    return ""


def one_op(name, dtype="INT8", **rest):
    spec = ModelSpec()
    spec.op(name, [spec.tensor(*SHAPE, dtype=dtype)], SHAPE, dtype=dtype, **rest)
    return make(spec)


def conv(dtype, weights, bias):
    spec = ModelSpec()
    inputs = [
        spec.tensor(*SHAPE, dtype=dtype),
        spec.constant(np.ones((16, 1, 1, 16)), weights),
        spec.constant(np.zeros(16), bias),
    ]
    spec.op("CONV_2D", inputs, SHAPE, dtype=dtype, options=("Conv2D", {"strideH": 1, "strideW": 1}))
    return make(spec)


def test_the_registered_operators_are_those_its_resolver_finds():
    found = {name for name in BUILTIN if "Didn't find op for builtin opcode" not in says(one_op(name))}
    assert found == tflm_rules.REGISTERED


@pytest.mark.parametrize("name", ["TILE", "GELU", "LSTM"])
def test_an_operator_it_does_not_register_is_refused_in_its_words(name):
    model = one_op(name)
    (verdict,) = verdicts(model)
    assert not verdict.mapped and verdict.instead
    assert verdict.reason in says(model)


@pytest.mark.parametrize("name", sorted(tflm_rules.FLOAT_ONLY - {"FLOOR_DIV", "FLOOR_MOD"}))
def test_float_kernels_refuse_int8(name):
    model = one_op(name)
    assert says(model) and verdicts(model)[0].reason.startswith("Type INT8 not supported")


@pytest.mark.parametrize("name", ["RELU", "HARD_SWISH", "TANH", "ABS", "LEAKY_RELU", "ELU", "RELU6"])
def test_int8_kernels_take_int8(name):
    model = one_op(name)
    assert says(model) == "" and verdicts(model)[0].mapped


@pytest.mark.parametrize("name", ["RELU", "HARD_SWISH", "TANH", "ABS", "LEAKY_RELU", "ELU"])
def test_uint8_inside_is_refused(name):
    spec = ModelSpec()
    start = spec.op("QUANTIZE", [spec.tensor(*SHAPE)], SHAPE, dtype="UINT8")
    spec.op("QUANTIZE", [spec.op(name, [start], SHAPE, dtype="UINT8")], SHAPE)
    model = make(spec)
    first, middle, last = verdicts(model)
    assert says(model) and first.mapped and last.mapped and not middle.mapped


def test_uint8_in_and_out_through_quantize_runs():
    spec = ModelSpec()
    inner = spec.op("QUANTIZE", [spec.tensor(*SHAPE, dtype="UINT8")], SHAPE)
    spec.op("QUANTIZE", [spec.op("RELU", [inner], SHAPE)], SHAPE, dtype="UINT8")
    model = make(spec)
    assert says(model) == "" and all(verdict.mapped for verdict in verdicts(model))


def test_float_activations_with_int8_weights_are_hybrid():
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(*SHAPE)], SHAPE)
    weights, bias = spec.constant(np.ones((16, 1, 1, 16)), "INT8"), spec.constant(np.zeros(16), "FLOAT32")
    options = ("Conv2D", {"strideH": 1, "strideW": 1})
    spec.op(
        "CONV_2D",
        [spec.tensor(*SHAPE, dtype="FLOAT32"), weights, bias],
        SHAPE,
        dtype="FLOAT32",
        options=options,
    )
    model = make(spec)
    assert verdicts(model)[1].reason == "Hybrid models are not supported on TFLite Micro"
    assert "Hybrid models are not supported on TFLite Micro" in says(model)


def test_a_float_model_is_one_clear_reason():
    found = verdicts(conv("FLOAT32", "FLOAT32", "FLOAT32"))
    assert {(v.mapped, v.reason) for v in found} == {(False, "The model is float, the target takes int8")}
    assert "int8" in found[0].instead


def test_custom_operators_are_refused():
    model = one_op("CUSTOM", custom="Mine")
    assert verdicts(model)[0].reason == "Failed to get registration from op code CUSTOM: Mine"
    assert "Failed to get registration from op code CUSTOM" in says(model)


def test_dynamic_shapes_are_refused_and_a_free_batch_is_not():
    dynamic, free = ModelSpec(), ModelSpec()
    dynamic.op("RELU", [dynamic.tensor(-1, 4, 4, 16)], (-1, 4, 4, 16))
    free.op("RELU", [free.tensor(*SHAPE, signature=(-1, 4, 4, 16))], SHAPE)
    assert verdicts(make(dynamic))[0].reason == "Dynamic tensors are not supported"
    assert "Dynamic tensors are not supported" in says(make(dynamic))
    assert verdicts(make(free))[0].mapped and says(make(free)) == ""


def test_outlines_are_judged_without_a_file():
    build = Outline()
    build.finish()
    model = build.finish(build.same("TILE", build.conv(build.input(8, 8, 3), 4, 3)))
    assert [v.mapped for v in tflm_rules.verdicts(model, None, TARGET)] == [True, False]


@pytest.mark.parametrize("rule", tflm_rules.REFUSALS)
def test_every_refusal_says_what_to_do_instead(rule):
    says, _, instead = rule.__doc__.partition("\n\n")
    assert re.search(r"[.]$", says.strip()) and instead.strip()
