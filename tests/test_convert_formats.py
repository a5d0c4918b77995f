"""TFLite in float16 and dynamic range, beside float32 and int8: same network, other weights."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_net import trained_like
from test_agreement import random_graph

from edgeml.deploy import convert, runtime
from edgeml.deploy.fold import fold
from edgeml.deploy.tflite import read_model


@pytest.fixture(scope="module")
def network():
    graph = random_graph("micro_cell", 3)
    images = np.random.default_rng(3).integers(0, 256, (32, *graph.input_shape), dtype=np.uint8)
    folded = fold(graph, trained_like(graph, 3, images))
    float32 = convert.to_tflite(graph, folded, None)
    truth = runtime.predict(float32, images)
    assert np.quantile(truth.max(-1), 0.25) < 0.99  # unsure enough for a difference to show
    return graph, folded, images, float32, truth


def weight_types(model):
    return {
        tensor.dtype for tensor in read_model(model).tensors if tensor.is_constant and tensor.elements > 2000
    }


def test_float16_halves_the_file_and_hardly_changes_the_output(network):
    graph, folded, images, float32, truth = network
    float16 = convert.to_tflite_float16(graph, folded)
    assert weight_types(float16) == {"FLOAT16"} and weight_types(float32) == {"FLOAT32"}
    assert len(float16) < 0.6 * len(float32)
    np.testing.assert_allclose(runtime.predict(float16, images), truth, atol=2e-2)


def test_dynamic_range_has_int8_weights_and_float_activations(network):
    graph, folded, images, float32, truth = network
    dynamic = convert.to_tflite_dynamic(graph, folded)
    assert weight_types(dynamic) == {"INT8"}
    model = read_model(dynamic)
    assert [model.tensors[i].dtype for i in (*model.inputs, *model.outputs)] == ["FLOAT32"] * 2
    assert len(dynamic) < 0.6 * len(float32)  # small kernels stay float32
    off = np.abs(runtime.predict(dynamic, images) - truth)
    assert 0 < off.mean() < 0.03
