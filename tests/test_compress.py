"""Compression by training, on a small network that knows digits: what is in the file afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compression import channels_apart
from edgeml.arch.cell import lower
from edgeml.arch.layers import Conv2D, Dense, Flatten
from edgeml.arch.recipe import Recipe
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.data.dataset import Split, load
from edgeml.data.goal import Goal
from edgeml.deploy import runtime
from edgeml.deploy.calibrate import WIDE, Observed, Quantiser
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.equalise import equalised
from edgeml.deploy.fold import Folded, fold
from edgeml.deploy.places import operators
from edgeml.deploy.tflite import read_model
from edgeml.deploy.widen import widened
from edgeml.errors import MissingToolError
from edgeml.search.finishing.compression import plan
from edgeml.search.finishing.trained import Trained
from edgeml.search.finishing.tuning import fine_tuned, unscaled
from edgeml.train import compress
from edgeml.train.build import build, get_weights
from edgeml.train.compress import Tuning
from edgeml.train.compress_qat import quantisation_aware
from edgeml.train.compress_weights import clustered, is_clustered, is_pruned, positive, pruned
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import fit

RECIPE = Recipe(shift=0.0)
TUNING = Tuning(2.0, 1e-2, sparsity=0.6, clusters=8)


@pytest.fixture(scope="module")
def trained():
    """(graph, weights, data) of a depthwise-separable network after four epochs."""
    data = load("digits")
    space = load_space("mbconv_macro")
    smallest = {decision.name: decision.choices[0] for decision in space.decisions}
    graph = lower(space.decode({**smallest, "activation": "hard_swish"}, Task(data.input_shape, 10)))
    model = build(graph, 0)
    assert fit(model, data.train, Fidelity(4.0, 64), RECIPE, 0).failure is None
    return graph, get_weights(model, graph), data


def int8(graph, weights, data, ranges=None):
    return Quantiser(graph, fold(graph, weights), data.calibration(50)).artifact(ranges)


def kernels_in_file(graph, weights, model):
    """int8 kernels by place, in TFLite's order: (out, height, width, in), dense (out, in)."""
    outline = read_model(model)
    found = {}
    for name, operator in operators(graph, fold(graph, weights), outline).items():
        if len(operator.inputs) == 3:
            tensor = outline.tensors[operator.inputs[1]]
            found[name] = np.frombuffer(tensor.data, np.int8).reshape(tensor.shape)
    assert len(found) == sum(bool(node.weight_shapes) for node in graph.nodes)
    return found


def test_quantisation_aware_training_gives_the_same_operators(trained):
    graph, weights, data = trained
    folded = fold(graph, weights)
    observed = Observed(graph, folded, data.calibration(200))
    start = observed.ranges(WIDE)
    tuned = quantisation_aware(
        graph, weights, unscaled(graph, folded), start, data.train, RECIPE, Tuning(1.0, 3e-3)
    )
    assert set(tuned.weights) == set(weights) and tuned.steps >= 20 and tuned.seconds > 0
    before, after = int8(graph, weights, data), int8(graph, tuned.weights, data, tuned.ranges)
    outlines = read_model(before), read_model(after)
    assert [o.name for o in outlines[0].operators] == [o.name for o in outlines[1].operators]
    assert abs(len(before) - len(after)) < 64
    first = next(node for node in graph.nodes if isinstance(node.layer, Conv2D))
    operator = operators(graph, fold(graph, tuned.weights), outlines[1])[first.name]
    (scale,) = outlines[1].tensors[operator.outputs[0]].quantization.scales
    low, high = tuned.ranges[first.name]
    assert scale == pytest.approx((high - low) / 255, rel=1e-3)
    assert tuned.ranges != start and runtime.accuracy(after, data.val) >= 0.9


def test_quantisation_aware_training_takes_networks_that_flatten():
    """The reshape in front of an autoencoder hands on a range and has none of its own to learn."""
    data = load("digits")
    space = load_space("autoencoder")
    smallest = {decision.name: decision.choices[0] for decision in space.decisions}
    graph = lower(space.decode(smallest, Task(data.input_shape, 2, "anomaly")))
    inputs = data.train.inputs[:200]
    normal = Split(inputs, np.zeros(len(inputs), np.int64), Goal("anomaly", "auc"))
    weights = get_weights(build(graph, 0), graph)
    folded = fold(graph, weights)
    start = Observed(graph, folded, inputs).ranges(WIDE)
    reshaped = {node.name for node in graph.nodes if isinstance(node.layer, Flatten)}
    assert reshaped and not reshaped & set(start)
    tuned = quantisation_aware(
        graph, weights, unscaled(graph, folded), start, normal, RECIPE, Tuning(1.0, 3e-3)
    )
    assert set(tuned.ranges) == set(start)
    after = Quantiser(graph, fold(graph, tuned.weights), inputs).artifact(tuned.ranges)
    assert runtime.predict(after, inputs[:5]).shape == (5, inputs[0].size)


def test_quantisation_aware_training_repairs_what_calibration_cannot(trained):
    """Channels of one tensor at scales apart, as cross-layer equalisation (Nagel et al. 2019) has them: the
    float network is the same, its int8 is not."""
    graph, weights, data = trained
    apart = channels_apart(graph, weights, 2.0)
    assert any(not np.array_equal(apart[name], weights[name]) for name in weights)
    images = data.calibration(200)
    lost = runtime.accuracy(Quantiser(graph, fold(graph, apart), images).artifact(), data.val)
    whole = runtime.accuracy(int8(graph, weights, data), data.val)
    network = Trained(graph, apart, data, 0, RECIPE, whole, lost)
    tuned, artifact, _ = fine_tuned(network, plan("qat"), Fidelity(10.0))
    print(f"int8 {whole:.3f}, channels apart {lost:.3f}, after training {artifact.accuracy:.3f}")
    assert tuned.steps >= 60
    assert lost < whole - 0.1 and artifact.accuracy > lost + 0.8 * (whole - lost)


def test_equalisation_keeps_the_function(trained):
    graph, weights, data = trained
    apart = channels_apart(graph, weights, 2.0)
    images = data.calibration(32)
    float32 = [
        runtime.predict(to_tflite(graph, fold(graph, w), None), images)
        for w in (apart, equalised(graph, apart))
    ]
    np.testing.assert_allclose(*float32, atol=1e-3)

    def spread(w):
        observed = Observed(graph, fold(graph, w), images)
        return max(high - low for low, high in observed.ranges(WIDE).values())

    assert spread(equalised(graph, apart)) < 0.5 * spread(apart)


def test_pruned_weights_are_zero_in_the_file(trained):
    graph, weights, data = trained
    tuned = pruned(graph, weights, data.train, RECIPE, TUNING)
    model = int8(graph, tuned.weights, data)
    kernels = kernels_in_file(graph, tuned.weights, model)
    chosen = [node for node in graph.nodes if node.weight_shapes and is_pruned(node)]
    assert any(isinstance(node.layer, Dense) for node in chosen) and len(chosen) >= 3
    for node in chosen:
        assert (kernels[node.name] == 0).mean() >= 0.58, node.name
        assert (tuned.weights[f"{node.name}:kernel"] == 0).mean() == pytest.approx(0.6, abs=0.02)
    assert runtime.accuracy(model, data.val) >= 0.7


def test_two_of_four_weights_are_zero_in_the_file(trained):
    graph, weights, data = trained
    tuned = pruned(graph, weights, data.train, RECIPE, TUNING, pattern=True)
    kernels = kernels_in_file(graph, tuned.weights, int8(graph, tuned.weights, data))
    for node in graph.nodes:
        if not node.weight_shapes or not is_pruned(node):
            continue
        kernel = kernels[node.name]
        rows = kernel.reshape(-1, kernel.shape[-1])
        rows = rows[:, : rows.shape[1] // 4 * 4].reshape(-1, 4)
        assert ((rows != 0).sum(1) <= 2).all(), node.name
        assert ((rows != 0).sum(1) == 2).mean() > 0.8  # no more than that


def test_clusters_are_clusters_in_the_file(trained):
    graph, weights, data = trained
    tuned = clustered(graph, weights, data.train, RECIPE, TUNING)
    folded = fold(graph, tuned.weights)
    plain = int8(graph, tuned.weights, data)
    model = widened(plain, graph, tuned.weights, folded)
    before, after = (kernels_in_file(graph, tuned.weights, m) for m in (plain, model))
    chosen = [node for node in graph.nodes if node.weight_shapes and is_clustered(node, 8)]
    assert len(chosen) >= 3
    for node in chosen:
        assert len(np.unique(tuned.weights[f"{node.name}:kernel"])) <= 8
        assert len(np.unique(after[node.name])) <= 8, node.name
    assert max(len(np.unique(before[node.name])) for node in chosen) > 8  # what the converter makes of them
    assert abs(runtime.accuracy(model, data.val) - runtime.accuracy(plain, data.val)) <= 0.02
    assert [o.name for o in read_model(model).operators] == [o.name for o in read_model(plain).operators]


def test_signs_move_without_changing_the_function(trained):
    graph, weights, _ = trained
    mirrored = dict(weights)
    for name, value in weights.items():
        if name.endswith((":gamma", ":kernel", ":mean")) and f"{name.partition(':')[0]}:gamma" in weights:
            mirrored[name] = -value
    upright = positive(graph, mirrored)
    assert all((value >= 0).all() for name, value in upright.items() if name.endswith(":gamma"))
    for name, one in fold(graph, upright).items():
        other: Folded = fold(graph, weights)[name]
        np.testing.assert_allclose(one.kernel, other.kernel, rtol=1e-6)
        np.testing.assert_allclose(one.bias, other.bias, rtol=1e-5, atol=1e-6)


def test_a_toolkit_that_cannot_be_imported_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    with pytest.raises(MissingToolError, match="tensorflow-model-optimization"):
        compress.toolkit()
