"""Files that can be read, of operators without the tensors they need: refused in words, never a traceback."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from edgeml.deploy.tflite import Operator, Quantization, Tensor, TfliteModel
from edgeml.deploy.tflite_macs import count_macs
from edgeml.deploy.tflite_schema import OPTIONS
from edgeml.errors import ModelError
from edgeml.target.measure import known_target
from edgeml.target.meter import Subject
from edgeml.target.meter_table import METERS
from edgeml.target.rule_sets import verdicts

NAMES = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "MEAN", "SOFTMAX", "ADD"),
    *("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR", "CONCATENATION", "STRIDED_SLICE", "RESHAPE"),
)


def _tensor(rng: random.Random) -> Tensor:
    shape = tuple(rng.choice((0, 1, 1, 2, 8, 16)) for _ in range(rng.choice((0, 1, 2, 3, 4, 4, 5))))
    data = rng.choice((None, None, memoryview(b""), memoryview(b"\1\0\0\0")))
    scales = rng.choice((None, Quantization((1.0,), (0,), 0), Quantization((1.0, 2.0), (0, 0), 0)))
    dtype = rng.choice(("INT8", "INT8", "UINT8", "INT32", "FLOAT32"))
    return Tensor("t", shape, shape, dtype, scales, 0, data, False)


def damaged(name: str, rng: random.Random) -> TfliteModel:
    """One operator with any tensors and options."""
    tensors = tuple(_tensor(rng) for _ in range(6))
    inputs = tuple(rng.choice((-1, 0, 1, 2, 3)) for _ in range(rng.randrange(5)))
    outputs = tuple(rng.choice((4, 5)) for _ in range(rng.choice((0, 1, 1, 2))))
    options = {
        field: rng.choice(form) if isinstance(form, tuple) else rng.choice((0, 1, 2, 5))
        for field, _, form, _ in OPTIONS.get(name, (0, ()))[1]
    }
    shapes = [tensors[index].shape if index >= 0 else () for index in inputs]
    macs = count_macs(name, shapes, [tensors[index].shape for index in outputs])
    operator = Operator(name, 1, "", inputs, outputs, options, macs)
    return TfliteModel(tensors, (operator,), (0,), outputs or (4,), 1, (), "", 1000)


@pytest.mark.parametrize("target", ["coral", "mcu-m4", "ethos-u55-128", "mobile"])
def test_rules_and_estimators_say_what_is_wrong(target: str) -> None:
    profile, rng = known_target(target), random.Random(0)
    estimators = [METERS[name] for name in profile.meters if METERS[name].before_training]
    for name in NAMES:
        for _ in range(25):
            model = damaged(name, rng)
            assert len(verdicts(model, None, profile)) == 1
            for estimator in estimators:
                with suppress(ModelError):
                    estimator.measure({"": Subject(model)}, profile)
