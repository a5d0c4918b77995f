"""The outline of an architecture lists the operators that the converter writes: names, shapes, types."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from edgeml.arch.cell import lower
from edgeml.arch.graph import Graph, GraphBuilder
from edgeml.arch.layers import Concat, Conv2D, Dense, GlobalAveragePool, Input, Pool2D, Softmax
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import fold
from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.deploy.tflite_outline import Outline, outline
from edgeml.errors import DisconnectedArchError
from edgeml.resources import names
from edgeml.train.build import build, get_weights

OPTIONS = ("padding", "stride_h", "stride_w", "filter_h", "filter_w", "depth_multiplier", "dilation_h")


def sampled(space_name: str, seed: int) -> Graph:
    space, rng = load_space(space_name), random.Random(seed)
    task = Task((12, 16, 3), 7) if seed % 2 else Task((8, 8, 1), 4)
    while True:
        try:
            return lower(space.decode(space.sample(rng), task))
        except DisconnectedArchError:
            continue


def converted(graph: Graph) -> TfliteModel:
    """As training leaves it: BatchNorm vectors that are not constant, so that nothing folds away."""
    rng, weights = np.random.default_rng(1), get_weights(build(graph, seed=0), graph)
    for name, value in weights.items():
        if not name.endswith(":kernel"):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
    images = rng.integers(0, 256, (4, *graph.input_shape), dtype=np.uint8)
    return read_model(to_tflite(graph, fold(graph, weights), images))


def operators(model: TfliteModel) -> Counter[tuple[object, ...]]:
    """Each operator with its tensors; a set, because the converter may put parallel branches in any order."""

    def tensors(indices: tuple[int, ...]) -> tuple[object, ...]:
        found = [model.tensors[index] for index in indices]
        return tuple(
            (t.shape, t.dtype, t.is_constant, len(t.quantization.scales) if t.quantization else 0)
            for t in found
        )

    return Counter(
        (op.name, op.macs, tensors(op.inputs), tensors(op.outputs), *map(op.options.get, OPTIONS))
        for op in model.operators
    )


def ends(model: TfliteModel) -> list[tuple[object, ...]]:
    return [(model.tensors[i].shape, model.tensors[i].dtype) for i in (*model.inputs, *model.outputs)]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("space", names("search_spaces"))
def test_the_outline_lists_what_the_converter_writes(space: str, seed: int) -> None:
    graph = sampled(space, seed)
    expected, found = converted(graph), outline(graph)
    assert operators(found) == operators(expected)
    assert ends(found) == ends(expected)
    assert found.macs == expected.macs


def test_an_outline_knows_no_weights_and_no_file() -> None:
    found = outline(sampled("nano", 0))
    assert found.file_bytes == 0
    assert not found.dynamic_tensors
    assert {tensor.shape[0] for op in found.operators for tensor in (found.tensors[op.outputs[0]],)} == {1}


def test_layers_no_space_draws_are_outlined_too() -> None:
    made = GraphBuilder()
    x = made.add("image", Input((9, 9, 3)))
    a = made.add("a", Conv2D(8, 3, 2), x)
    b = made.add("b", Pool2D("max", 3, 2), x)
    x = made.add("join", Concat(), a, b)
    x = made.add(
        "probabilities", Softmax(), made.add("dense", Dense(5), made.add("mean", GlobalAveragePool(), x))
    )
    graph = made.finish(x)
    assert operators(outline(graph)) == operators(converted(graph))


def test_windows_slide_as_tensorflow_says() -> None:
    model = Outline()
    x = model.input(299, 299, 3)
    assert model.shape(model.conv(x, 32, 3, 2, "VALID")) == (1, 149, 149, 32)
    assert model.shape(model.conv(x, 32, 3, 2)) == (1, 150, 150, 32)
    assert model.shape(model.conv(x, 32, (1, 7))) == (1, 299, 299, 32)
    assert model.shape(model.pool(x, 3, 2, padding="VALID")) == (1, 149, 149, 3)
    assert model.shape(model.upconv(x, 8, 3, 2)) == (1, 598, 598, 8)
    assert model.shape(model.depthwise(x, 3, 2, 2)) == (1, 150, 150, 6)
