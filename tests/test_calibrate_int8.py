"""int8 artifacts with ranges of our choice: same operators, the ranges asked for, and clipping that pays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_net import trained_like
from test_agreement import random_graph

from edgeml.arch.layers import Conv2D, Dense, Flatten
from edgeml.deploy import convert, runtime
from edgeml.deploy.calibrate import DEFAULT, Clipping, Observed, Quantiser, least_error
from edgeml.deploy.fold import fold
from edgeml.deploy.places import operators
from edgeml.deploy.tflite import read_model
from edgeml.resources import names


def network(space, seed, count=40, **fixed):
    graph = random_graph(space, seed, **fixed)
    images = np.random.default_rng(seed).integers(0, 256, (count, *graph.input_shape), dtype=np.uint8)
    images[0].flat[[0, -1]] = 0, 255
    weights = trained_like(graph, seed, images[:32])
    return graph, fold(graph, weights), images


@pytest.mark.parametrize("space", names("search_spaces"))
def test_the_same_operators_and_the_ranges_asked_for(space):
    graph, folded, images = network(space, 3)
    plain = convert.to_tflite(graph, folded, images)
    quantiser, observed = Quantiser(graph, folded, images), Observed(graph, folded, images)
    np.testing.assert_array_equal(
        runtime.predict(quantiser.artifact(), images), runtime.predict(plain, images)
    )
    ranges = observed.ranges(Clipping(40, "percentile", 99.0))
    ours = quantiser.artifact(ranges)
    assert len(ours) == len(plain)
    before, after = read_model(plain), read_model(ours)
    assert [o.name for o in after.operators] == [o.name for o in before.operators]
    found = operators(graph, folded, after)
    assert set(found) == {node.name for node in graph.nodes[1:] if not isinstance(node.layer, Flatten)}
    for node in graph.nodes:
        if isinstance(node.layer, Conv2D):
            low, high = ranges[node.name]
            (scale,) = after.tensors[found[node.name].outputs[0]].quantization.scales
            assert scale == pytest.approx((high - low) / 255, rel=1e-3), node.name


def test_ranges_of_the_float_network():
    graph, folded, images = network("nano", 4)
    observed = Observed(graph, folded, images)
    everything, clipped = (observed.ranges(Clipping(40, *how)) for how in ((), ("percentile", 98.0)))
    dense = next(node.name for node in graph.nodes if isinstance(node.layer, Dense))
    for name, (low, high) in everything.items():
        assert low <= 0 <= high and low <= clipped[name][0] and clipped[name][1] <= high
    assert any(clipped[name][1] < high for name, (_, high) in everything.items())
    assert clipped[dense] == everything[dense]  # what classes are told apart by is never cut off
    assert observed.ranges(DEFAULT) == {}
    few = observed.ranges(Clipping(3))
    assert all(few[name][1] <= high for name, (_, high) in everything.items())


def test_least_error_clips_what_is_rare():
    rng = np.random.default_rng(0)
    values = np.append(rng.normal(0, 1, 200_000), [12.0]).astype(np.float32)
    low, high = least_error(values, float(values.min()), 12.0)
    assert 3 < high < 6 and -6 < low < -3
    even = rng.uniform(-1, 1, 20_000).astype(np.float32)
    assert least_error(even, -1.0, 1.0)[1] > 0.9


def test_clipping_beats_minmax_where_an_image_is_an_outlier():
    """Dark images, and among those that calibrate one sixty times as bright."""
    graph = random_graph("mbconv_macro", 5, activation="hard_swish")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 5, (400, *graph.input_shape), dtype=np.uint8)
    folded = fold(graph, trained_like(graph, 5, images[:32]))
    calibration = images.copy()
    calibration[7] = 60 * images[7]
    quantiser, observed = Quantiser(graph, folded, calibration), Observed(graph, folded, calibration)
    images = images[:100]
    truth = runtime.predict(convert.to_tflite(graph, folded, None), images)

    def error(clipping):
        return np.abs(runtime.predict(quantiser.artifact(observed.ranges(clipping)), images) - truth).mean()

    wide, clipped = error(Clipping(400)), error(Clipping(400, "percentile", 99.7))
    print(f"mean error of probabilities: min-max {wide:.4f}, percentile {clipped:.4f}")
    assert clipped < 0.7 * wide
