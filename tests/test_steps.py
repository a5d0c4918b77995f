"""Steps taken at once against steps taken one by one; 1x1 convolutions against TensorFlow's."""

import numpy as np
import pytest

from bench.random_networks import random_graph
from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train import loop as tracing
from edgeml.train.build import build, get_weights
from edgeml.train.loop import trace


@pytest.mark.parametrize("most_bytes", [1, 1 << 25])
def test_many_steps_are_single_ones(monkeypatch, most_bytes):
    """The same losses, hits, statistics and weights, also where batches are made in pieces."""
    monkeypatch.setattr(tracing, "MOST_BYTES", most_bytes)
    rng, graph = np.random.default_rng(0), random_graph("nano", 1, (6, 6, 3))
    data = Split(rng.integers(0, 256, (80, 6, 6, 3), dtype=np.uint8), rng.integers(0, 10, 80))
    recipe = Recipe(flip=True, shift=0.2, speed=0.1, gain=0.1, noise=0.01)
    networks = [build(graph, 1) for _ in range(2)]
    loops = [trace(network, data, recipe, None, 16, 7) for network in networks]
    indices, rates = np.arange(80).reshape(5, 16), np.float32([1e-3, 2e-3, 3e-3, 2e-3, 1e-3])
    *many, statistics = loops[0].steps(indices, rates)
    single = [loops[1].steps(indices[k : k + 1], rates[k : k + 1]) for k in range(5)]
    for ours, theirs in zip(many, list(zip(*single, strict=True))[:2], strict=True):
        np.testing.assert_allclose(ours, np.concatenate(theirs), rtol=1e-5)
    np.testing.assert_allclose(statistics, np.mean([one[2] for one in single], 0), rtol=1e-4, atol=1e-6)
    ours, theirs = (get_weights(network, graph) for network in networks)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], atol=1e-6, err_msg=name)


def test_pointwise_convolutions_are_tensorflow_s(monkeypatch):
    """Logits and gradients, with products of matrices and with Conv2D."""
    import tensorflow as tf

    from edgeml.train import build as building

    graph = Arch((7, 5, 3), 4, 4, (Stage(Cell(((Edge(0, "mbconv_3x3_e2"),),)), 2, 8, 2),)).graph
    images = np.random.default_rng(0).integers(0, 256, (6, 7, 5, 3)).astype(np.float32)
    network, found, used = build(graph), [], []

    def plain(at, kernel, tensor):
        used.append(kernel.shape)
        return at.ops.Conv2D(input=tensor, filter=kernel, strides=[1, 1, 1, 1], padding="SAME")

    for pointwise in (building._pointwise, plain):
        monkeypatch.setattr(building, "_pointwise", pointwise)
        parameters = network.parameters.read_value()
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            logits, _ = network.forward(parameters, tf.constant(images), training=True)
            loss = tf.reduce_sum(tf.square(logits))
        found.append((logits.numpy(), tape.gradient(loss, parameters).numpy()))
    assert len(used) >= 4 and {tuple(shape[:2]) for shape in used} == {(1, 1)}
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
