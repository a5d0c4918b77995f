"""A search that time ends: what trainings take, gains per second, early promotions, scales of costs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgeml.arch.space import Task
from edgeml.errors import ConfigError
from edgeml.search.archive.archive import Archive
from edgeml.search.candidate import Candidate
from edgeml.search.ladder import Ladder, Rung
from edgeml.search.rungs import Rungs
from edgeml.search.spending import ENOUGH, Spending
from edgeml.search.surrogate.gain import Scale, draw_directions, expected_gain
from edgeml.search.surrogate.surrogate import Surrogate, _floor

TWO = Ladder("two", (Rung(0.2, share=0.4), Rung(1.0, share=0.6)))


def trained(spending: Spending, macs: float, seconds: float, cost: float = 1.0) -> None:
    candidate = SimpleNamespace(metrics={"macs@null": {"value": macs}, "params": {"value": 5}})
    spending.count(
        candidate, [{"train_s": seconds * cost, "cost": cost, "besides_s": 0.0}, {"stopped": True}]
    )


def test_a_line_over_macs_is_found_from_trainings_of_any_rung():
    spending = Spending()
    for macs, cost in ((1e4, 0.2), (1e5, 1.0), (1e6, 0.2)):
        trained(spending, macs, 2 + 3e-6 * macs, cost)
    assert list(spending(np.array([1e4, 1e9]))) == [1, 1]  # too few
    trained(spending, 1e7, 32, 0.8)
    assert ENOUGH == 4
    assert spending(np.array([0.0, 1e6, 2e7])) == pytest.approx([2, 5, 62], rel=1e-3)


def test_seconds_are_never_negative_and_unknown_macs_are_left_out():
    spending = Spending()
    for macs, seconds in ((1e4, 9.0), (1e5, 6.0), (1e6, 4.0), (1e7, 3.0)):
        trained(spending, macs, seconds)
    assert (spending(np.array([0.0, 1e5, 1e9])) > 0).all()
    before = spending(np.array([1e6]))
    spending.count(SimpleNamespace(metrics={}), [{"train_s": 1e6, "cost": 1.0, "besides_s": 0.0}])
    assert spending(np.array([1e6])) == before


def test_costs_that_range_widely_count_by_their_logarithm():
    scale = Scale(np.array([[1.0, 5.0], [100.0, 20.0]]))
    assert scale(np.array([[10.0, 7.0], [0.1, 5.0]])) == pytest.approx(
        np.array([[np.log(10), 7], [np.log(0.1), 5]])
    )


def test_halving_a_cost_gains_as_much_at_either_end_of_a_wide_scale():
    """Networks of 1 and of 100 ms are known; whoever needs half of either adds the same."""
    seen = np.array([[1.0], [100.0], [200.0]])
    scale = Scale(seen)
    front, reference = np.array([[0.3, 0.0], [0.1, scale(np.array([[100.0]]))[0, 0]]]), np.array([0.5, 6.0])
    new = scale(np.array([[0.5], [50.0]]))
    gains = expected_gain(
        np.array([0.3, 0.1]),
        np.full(2, 1e-9),
        new,
        front,
        reference,
        draw_directions(2, np.random.default_rng(0)),
    )
    assert gains == pytest.approx([0.2 * np.log(2), 0.2 * np.log(2)], rel=1e-6)


def test_where_time_ends_a_search_the_first_promotion_comes_early():
    def gains(waiting):
        return [float(one.number) for one in waiting]

    for trials, least in ((None, 6), (30, 10)):
        rungs, waiting = Rungs(TWO, ["macs"], trials), Archive(["macs"], 0.9)
        for i in range(least):
            assert rungs.promotion(waiting, True, gains) is None
            waiting.keep(
                Candidate(str(i), i, "stopped", {}, {}, 0, accuracy=0.5, rung=0,
                          rungs=[{"rung": 0, "accuracy": 0.5}], metrics={"macs": {"value": 10 + i}})
            )  # fmt: skip
            rungs.count(0)
        promotion = rungs.promotion(waiting, True, gains)
        assert promotion is not None and promotion.key == str(least - 1)


@pytest.mark.parametrize(("least", "below"), [(0.3, 0.24), (0.05, 0.04), (0.0112, 0.0013), (0.004, 0.001)])
def test_a_point_less_than_the_least_error_is_thought_possible(least, below):
    """Errors fall with the vector's only entry; far along it they are predicted near the floor."""
    along = np.linspace(0, 1, 12)
    vectors = {str(i): np.array([x]) for i, x in enumerate([*along, 1.6])}
    surrogate = Surrogate(0, lambda keys: np.array([vectors[key] for key in keys]))
    keys = [str(i) for i in range(12)]
    surrogate.fit(keys, [{0: least + (0.5 - least) * (1 - x) ** 2} for x in along])
    mean, spread = surrogate.new(["12"])
    assert mean[0] - 3 * spread[0] < least and _floor(least) == pytest.approx(below, abs=2e-3)


def test_a_lower_resolution_is_refused_where_nothing_can_be_resized():
    small = Ladder("small", (Rung(0.5), Rung(1.0, resolution=0.5), Rung(1.0)))
    small.check(Task((8, 8, 1), 5))
    TWO.check(Task((128, 1, 6), 5, resizable=False))
    with pytest.raises(
        ConfigError, match=r"--fidelity small: rung 2 has resolution 0\.5, which only images have"
    ):
        small.check(Task((128, 1, 6), 5, resizable=False))
