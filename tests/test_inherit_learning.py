"""Inherited weights in the network that trains: the same function, and every new part learns."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from edgeml.arch.cell import Stage
from edgeml.arch.difference import difference
from edgeml.train.build import build, get_weights, set_weights
from edgeml.train.inherit import inherit
from tests.networks import dag, one
from tests.numpy_net import forward, trained_like
from tests.test_inherit import CLOSE, IMAGES, changed


@cache
def pair():
    """(parent graph, its weights, child graph, exact weights, child model): every kind of growth at once."""
    cell = dag("0:sep_conv_3x3 0:mbconv_3x3_e1")
    grown = dag("0:sep_conv_5x5 0:mbconv_3x3_e3 0:conv_3x3 | 1:skip 0:sep_conv_3x3")
    parent = changed(one("skip", channels=8), cell=cell, repeat=1)
    parent = replace(parent, stages=(*parent.stages, Stage(dag("0:sep_conv_3x3"), 1, 12, 1)))
    child = replace(
        parent, stem_channels=12, stages=(Stage(grown, 1, 12), Stage(dag("0:sep_conv_3x3"), 2, 16, 1))
    )
    weights = trained_like(parent.graph, 0, IMAGES)
    model = build(child.graph, seed=1)
    found = inherit(child.graph, get_weights(model, child.graph), parent.graph, weights)
    assert found.source == "morph", difference(child, parent)
    return parent.graph, weights, child.graph, found.weights, model


def test_the_network_says_what_numpy_says():
    parent, weights, child, exact, model = pair()
    set_weights(model, child, exact)
    logits = model(IMAGES, training=False).numpy()
    np.testing.assert_allclose(logits, forward(child, exact, IMAGES), atol=CLOSE)
    np.testing.assert_allclose(logits, forward(parent, weights, IMAGES), atol=CLOSE)
    original = build(parent)
    set_weights(original, parent, weights)
    np.testing.assert_allclose(logits, original(IMAGES, training=False).numpy(), atol=CLOSE)


def test_every_new_part_learns():
    """What starts at zero has a gradient at once; what stands behind it, one step later."""
    import tensorflow as tf

    _, _, child, exact, model = pair()
    set_weights(model, child, exact)
    images, labels = tf.constant(np.repeat(IMAGES, 8, 0)), tf.constant(np.arange(32) % 5)
    images += tf.random.stateless_uniform(images.shape, (1, 2), 0, 60)
    states = [exact]
    # Adam's first step is the rate times the sign; the second only shows which gradients are not zero.
    for rate in (8e-3, 1.0):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images, training=True))
            )
        variables = tape.watched_variables()
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * tf.sign(gradient))
        states.append(get_weights(model, child))
    first, second = ({name: now[name] != exact[name] for name in exact} for now in states[1:])
    asleep = 0
    for node in child.nodes:
        for name in node.weight_shapes:
            key = f"{node.name}:{name}"
            if name in ("kernel", "gamma"):
                asleep += (exact[key] == 0).sum()
                assert first[key][exact[key] == 0].all(), key
            if name not in ("mean", "variance"):
                assert second[key].mean() > 0.95, key  # a rectifier may rest for all images
    assert asleep > 100
