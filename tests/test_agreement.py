"""One meaning, several readings: Graph = Keras = TFLite = ONNX, on random architectures of every space."""

from __future__ import annotations

import random
from math import prod

import numpy as np
import pytest

from edgeml.arch import layers as primitive
from edgeml.arch.cell import lower
from edgeml.arch.cost import cost
from edgeml.arch.layers import Conv2D, Dense, DepthwiseConv2D, Pool2D
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy import convert, onnx, runtime
from edgeml.deploy.fold import fold
from edgeml.errors import DisconnectedArchError
from edgeml.resources import names
from edgeml.train import build as network_build
from edgeml.train import keras_model as keras_build

TFLITE_NAMES = {
    "Conv2D": "CONV_2D",
    "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
    "Add": "ADD",
    "Concat": "CONCATENATION",
    "GlobalAveragePool": "MEAN",
    "Flatten": "RESHAPE",
    "Dense": "FULLY_CONNECTED",
    "Softmax": "SOFTMAX",
    "HardSwish": "HARD_SWISH",
}


def tflite_name(layer):
    if isinstance(layer, Pool2D):
        return "AVERAGE_POOL_2D" if layer.mode == "avg" else "MAX_POOL_2D"
    return TFLITE_NAMES[type(layer).__name__]


def random_graph(space_name, seed, shape=(16, 16, 3), **fixed):
    space, rng = load_space(space_name), random.Random(seed)
    while True:
        try:
            return lower(space.decode({**space.sample(rng), **fixed}, Task(shape, 5)))
        except DisconnectedArchError:
            continue


def trained_like(graph, seed):
    """Built model whose BatchNorm vectors are not the identity."""
    model = network_build.build(graph, seed)
    rng, weights = np.random.default_rng(seed), network_build.get_weights(model, graph)
    for name, value in weights.items():
        if name.endswith((":gamma", ":variance")):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
        elif name.endswith((":beta", ":mean")):
            weights[name] = rng.normal(0, 0.2, value.shape).astype(np.float32)
    network_build.set_weights(model, graph, weights)
    return model, weights


@pytest.mark.parametrize("table", [network_build._LAYERS, keras_build._LAYERS, convert._LAYERS, onnx._LAYERS])
def test_every_primitive_layer_is_known_everywhere(table):
    assert set(table) == set(primitive.LAYERS)


@pytest.mark.parametrize("space", names("search_spaces"))
@pytest.mark.parametrize("seed", [1, 2])
def test_keras_has_our_shapes_and_weights(space, seed):
    graph = random_graph(space, seed)
    model = keras_build.keras_model(graph)
    weights = keras_build.keras_weights(model, graph)
    expected = {f"{n.name}:{w}": shape for n in graph.nodes for w, shape in n.weight_shapes.items()}
    assert {name: value.shape for name, value in weights.items()} == expected
    assert sum(prod(v.shape) for v in model.weights) == sum(map(prod, expected.values()))
    for node in graph.nodes[1:-1]:
        output = model.get_layer(keras_build.layer_name(node)).output
        assert prod(output.shape[1:]) == prod(node.shape), node.name


def operators(model):
    """(name, input shapes, output shapes) of every operator, XNNPACK left out."""
    loaded = runtime.interpreter(model, reference=True)
    shapes = {t["index"]: tuple(t["shape"]) for t in loaded.get_tensor_details()}
    return [
        (op["op_name"], [shapes.get(i, ()) for i in op["inputs"]], [shapes[o] for o in op["outputs"]])
        for op in loaded._get_ops_details()
    ]


def tflite_macs(ops):
    total = 0
    for name, inputs, outputs in ops:
        if name == "CONV_2D":  # weights (out, k, k, in)
            total += prod(outputs[0]) * prod(inputs[1][1:])
        elif name == "DEPTHWISE_CONV_2D":  # weights (1, k, k, channels)
            total += prod(outputs[0]) * prod(inputs[1][1:3])
        elif name == "FULLY_CONNECTED":
            total += prod(inputs[1])
    return total


@pytest.mark.parametrize(
    ("space", "seed", "fixed"),
    [
        *((space, seed, {}) for space in names("search_spaces") for seed in (3, 4)),
        ("mbconv_macro", 5, {"activation": "hard_swish"}),
    ],
)
def test_tflite_and_onnx_say_what_the_network_says(space, seed, fixed):
    import onnxruntime

    graph = random_graph(space, seed, **fixed)
    assert any(isinstance(node.layer, primitive.HardSwish) for node in graph.nodes) or not fixed
    model, weights = trained_like(graph, seed)
    folded = fold(graph, weights)
    images = np.random.default_rng(seed).integers(0, 256, (32, *graph.input_shape), dtype=np.uint8)
    logits = model(images.astype(np.float32), training=False).numpy()
    truth = np.exp(logits - logits.max(-1, keepdims=True))
    truth /= truth.sum(-1, keepdims=True)

    float32 = convert.to_tflite(graph, folded, None)
    np.testing.assert_allclose(runtime.predict(float32, images), truth, atol=1e-4)

    session = onnxruntime.InferenceSession(onnx.to_onnx(graph, folded), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": images.astype(np.float32)})
    np.testing.assert_allclose(found, truth, atol=1e-4)

    int8 = convert.to_tflite(graph, folded, images)
    details = runtime.interpreter(int8).get_input_details()[0]
    assert tuple(details["shape"]) == (1, *graph.input_shape) and details["quantization"] == (1.0, 0)
    found_ops = operators(int8)
    expected = [tflite_name(node.layer) for node in graph.nodes[1:]]
    assert sorted(name for name, *_ in found_ops) == sorted([*expected, "QUANTIZE", "QUANTIZE"])
    assert tflite_macs(found_ops) == cost(graph).macs
    # names and versions are no matter of the graph: some 250 bytes
    assert abs(cost(graph).size_bytes - len(int8)) < max(300, 0.02 * len(int8))


def test_int8_agrees_with_float_on_a_wide_margin():
    """Quantised and float networks pick the same class on images the float network is sure about."""
    graph = random_graph("nano", 5)
    model, weights = trained_like(graph, 5)
    images = np.random.default_rng(5).integers(0, 256, (64, *graph.input_shape), dtype=np.uint8)
    logits = model(images.astype(np.float32), training=False).numpy()
    top = np.sort(logits, -1)
    margin = top[:, -1] - top[:, -2]
    sure = margin >= np.median(margin)
    int8 = runtime.predict(convert.to_tflite(graph, fold(graph, weights), images), images)
    assert (int8.argmax(-1) == logits.argmax(-1))[sure].mean() >= 0.95


def test_the_same_seed_builds_the_same_weights():
    graph = random_graph("nano", 6)
    one, two = (network_build.get_weights(network_build.build(graph, 3), graph) for _ in range(2))
    other = network_build.get_weights(network_build.build(graph, 4), graph)
    assert all(np.array_equal(one[k], two[k]) for k in one)
    assert not np.array_equal(one["stem:kernel"], other["stem:kernel"])


def test_layers_with_weights_are_the_ones_that_cost():
    graph = random_graph("mbconv_macro", 1)
    for node in graph.nodes:
        assert bool(node.macs) == isinstance(node.layer, Conv2D | DepthwiseConv2D | Dense)
