"""Expected gains of hypervolume, and the surrogate of full errors that they come from."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.ranks import spearman
from edgeml.search.archive.pareto import hypervolume
from edgeml.search.surrogate.gain import draw_directions, expected_gain
from edgeml.search.surrogate.surrogate import Surrogate


def test_expected_gain_of_a_certain_error_is_the_hypervolume_added():
    rng = np.random.default_rng(1)
    front = rng.random((12, 2))
    reference = np.array([1.0, 1.0])
    errors, costs = rng.random(40), rng.random((40, 1))
    found = expected_gain(errors, np.full(40, 1e-9), costs, front, reference, draw_directions(2, rng))
    before = hypervolume(front.tolist(), reference.tolist())
    for error, (c,), gain in zip(errors, costs, found, strict=True):
        after = hypervolume([*front.tolist(), (error, c)], reference.tolist())
        assert gain == pytest.approx(after - before, abs=1e-6)


def test_expected_gain_averages_over_the_error():
    rng = np.random.default_rng(2)
    front, reference = rng.random((6, 2)), np.array([1.0, 1.0])
    ways = draw_directions(2, rng)
    gain = expected_gain(np.array([0.4]), np.array([0.2]), np.array([[0.3]]), front, reference, ways)[0]
    draws = np.minimum(rng.normal(0.4, 0.2, 4000), 5)
    before = hypervolume(front.tolist(), (1, 1))
    mean = np.mean([hypervolume([*front.tolist(), (d, 0.3)], (1, 1)) - before for d in draws])
    assert gain == pytest.approx(mean, rel=0.08)


def test_expected_gain_with_two_costs_orders_as_the_hypervolume_does():
    rng = np.random.default_rng(3)
    front, reference = rng.random((8, 3)), np.ones(3)
    errors, costs = rng.random(60), rng.random((60, 2))
    found = expected_gain(errors, np.full(60, 1e-9), costs, front, reference, draw_directions(3, rng))
    before = hypervolume(front.tolist(), (1, 1, 1))
    true = [
        hypervolume([*front.tolist(), (e, *c)], (1, 1, 1)) - before
        for e, c in zip(errors, costs, strict=True)
    ]
    assert spearman(found, true) > 0.8


def test_the_surrogate_learns_full_errors_from_low_rungs():
    rng = np.random.default_rng(4)
    x = rng.random((140, 6))
    full = 0.1 + 0.5 * (x[:, 0] - 0.3) ** 2 + 0.2 * x[:, 1]
    low = full * 1.6 + 0.01 * rng.normal(size=140)
    model = Surrogate(1, lambda keys: x[[int(key) for key in keys]])
    keys = [str(row) for row in range(140)]
    seen = [{0: low[i], 1: full[i]} if i < 12 else {0: low[i]} for i in range(100)]
    model.fit(keys[:100], seen)
    mean, spread = model.new(keys[100:])
    assert spearman(mean, full[100:]) > 0.9
    assert np.mean(np.abs(mean - full[100:])) < 0.04
    assert (spread > 0).all()
    known, _ = model.known(keys[12:100])
    assert np.mean(np.abs(known - full[12:100])) < np.mean(np.abs(low[12:100] - full[12:100])) / 3
