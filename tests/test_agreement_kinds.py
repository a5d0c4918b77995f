"""One meaning, several readings, where the input is no picture or the output no class."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from test_agreement import trained_like

from edgeml.arch.cell import Arch
from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Conv2D, DepthwiseConv2D, Flatten, GlobalAveragePool, Input, Pool2D, window
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy import convert, onnx, runtime
from edgeml.deploy.c99.compile import to_c99
from edgeml.deploy.fold import fold
from edgeml.deploy.places import operators
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import DisconnectedArchError
from edgeml.train.morphism import find_morphism

WINDOW, VECTOR = (40, 1, 6), (1, 1, 30)
CASES = {
    "window": (WINDOW, 5, {}),
    "spectrogram": ((49, 10, 1), 4, {}),
    "vector": (VECTOR, 3, {}),
    "value": (VECTOR, 1, {"task": "regression"}),
    "value-of-window": (WINDOW, 1, {"task": "regression"}),
    "autoencoder": (VECTOR, 30, {"task": "anomaly", "bottleneck": 8, "decoder": 16}),
    "autoencoder-of-window": (WINDOW, 240, {"task": "anomaly", "bottleneck": 8}),
    "dense-autoencoder-of-picture": ((6, 6, 1), 36, {"task": "anomaly", "bottleneck": 4, "flatten": True}),
}


def an_arch(shape, outputs, fields, seed=0):
    space, rng = load_space("micro_cell"), random.Random(seed)
    while True:
        arch = replace(space.decode(space.sample(rng), Task(shape, outputs)), **fields)
        try:
            assert arch.graph
            return arch
        except DisconnectedArchError:
            continue


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_tflite_onnx_and_outline_say_what_the_network_says(case, seed):
    import onnxruntime

    arch = an_arch(*CASES[case], seed)
    assert Arch.from_dict(arch.to_dict()) == arch
    graph = arch.graph
    model, weights = trained_like(graph, seed)
    folded = fold(graph, weights)
    inputs = np.random.default_rng(seed).integers(0, 256, (16, *graph.input_shape), dtype=np.uint8)
    truth = model(inputs.astype(np.float32)).numpy()
    if arch.task == "classification":
        truth = np.exp(truth - truth.max(-1, keepdims=True))
        truth /= truth.sum(-1, keepdims=True)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(
        runtime.predict(convert.to_tflite(graph, folded, None), inputs), truth, **close
    )
    session = onnxruntime.InferenceSession(onnx.to_onnx(graph, folded), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": inputs.astype(np.float32)})[0], truth, **close)
    written, expected = read_model(convert.to_tflite(graph, folded, inputs)), outline(graph)
    assert described(written) == described(expected)
    assert set(operators(graph, folded, written)) >= {n.name for n in graph.nodes if n.weight_shapes}
    assert sum(op.macs for op in written.operators) == sum(node.macs for node in graph.nodes)


def described(model):
    return sorted((op.name, model.tensors[op.outputs[0]].shape, op.macs) for op in model.operators)


def test_a_kernel_is_never_wider_than_its_input():
    assert window(5, (20, 20, 3)) == (5, 5) and window(5, (20, 1, 3)) == (5, 1)
    assert window(3, (1, 9, 3)) == (1, 3) and window(7, (1, 1, 3)) == (1, 1)
    build = GraphBuilder()
    source = build.add("input", Input((20, 1, 4)))
    deep = build.add("deep", DepthwiseConv2D(5, 2), source)
    full = build.add("full", Conv2D(8, 3), deep)
    graph = build.finish(full)
    assert graph.nodes[1].weight_shapes["kernel"] == (5, 1, 4, 1) and graph.nodes[1].macs == 10 * 5 * 4
    assert graph.nodes[2].weight_shapes["kernel"] == (3, 1, 4, 8) and graph.nodes[2].macs == 10 * 3 * 4 * 8
    assert graph.window(graph.nodes[1]) == (5, 1)


def test_at_one_place_kernels_are_1x1_and_pooling_is_nothing():
    def key(layer):
        build = GraphBuilder()
        source = build.add("input", Input((1, 1, 4)))
        return build.finish(build.add("a", Conv2D(8), build.add("b", layer, source))).key

    assert key(Conv2D(4, 3, 2)) == key(Conv2D(4, 1, 1)) != key(Conv2D(4, 1, 1, "relu"))
    build = GraphBuilder()
    source = build.add("input", Input((1, 1, 4)))
    assert build.add("pool", Pool2D("max", 3), source) == source == build.add("flat", Flatten(), source)


def test_heads():
    value, autoencoder = an_arch(*CASES["value"]), an_arch(*CASES["autoencoder-of-window"])
    assert value.graph.output_shape == (1, 1, 1) and value.graph.nodes[-1].name == "head/dense"
    names = [node.name for node in autoencoder.graph.nodes]
    assert names[-3:] == ["head/flatten", "head/bottleneck", "head/dense"]
    assert not any(isinstance(node.layer, GlobalAveragePool) for node in autoencoder.graph.nodes)
    assert value.key != replace(value, task="classification").key
    assert replace(value, front="logmel-30-20-32").key != value.key


@pytest.mark.parametrize("case", CASES)
def test_a_network_is_a_morphism_of_itself(case):
    graph = an_arch(*CASES[case]).graph
    assert find_morphism(graph, graph) is not None


@pytest.mark.parametrize("case", CASES)
def test_c99_takes_them(case):
    graph = an_arch(*CASES[case]).graph
    _, weights = trained_like(graph, 0)
    inputs = np.random.default_rng(0).integers(0, 256, (4, *graph.input_shape), dtype=np.uint8)
    assert to_c99(read_model(convert.to_tflite(graph, fold(graph, weights), inputs)))
