"""Front, hypervolume, knee, limits and proposals."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import ConfigError, EdgemlError, InfeasibleError
from edgeml.search.archive import pareto
from edgeml.search.propose import Proposer
from edgeml.search.settings import parse_time
from edgeml.target.limits import parse_limits

TASK = Task((12, 12, 1), 4)


# -- front, hypervolume, knee ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "reference", "volume"),
    [
        ([], (1, 1), 0),
        ([(0.5, 0.5)], (1, 1), 0.25),
        ([(0.2, 0.8), (0.8, 0.2)], (1, 1), 0.16 + 0.16 - 0.04),
        ([(0.2, 0.8), (0.2, 0.8), (0.3, 0.9)], (1, 1), 0.16),
        ([(2, 0)], (1, 1), 0),
        ([(0, 0, 0)], (1, 2, 3), 6),
        ([(0, 1, 1), (1, 0, 1), (1, 1, 0)], (2, 2, 2), 4),
        ([(0,), (0.5,)], (1,), 1),
    ],
)
def test_hypervolume_of_known_sets(points, reference, volume):
    assert pareto.hypervolume(points, reference) == pytest.approx(volume)


@pytest.mark.parametrize("axes", [2, 3, 4])
def test_hypervolume_equals_optunas_and_a_sampled_volume(axes):
    from optuna._hypervolume import compute_hypervolume

    rng = np.random.default_rng(axes)
    for size in (1, 5, 30):
        points = rng.random((size, axes))
        ours = pareto.hypervolume(points.tolist(), [1.1] * axes)
        assert ours == pytest.approx(compute_hypervolume(points, np.full(axes, 1.1)))
        darts = rng.random((20_000, axes)) * 1.1
        hit = (darts[:, None, :] >= points[None]).all(-1).any(-1).mean() * 1.1**axes
        assert ours == pytest.approx(hit, abs=0.05 * 1.1**axes)


def test_front_keeps_exactly_the_non_dominated():
    rng = random.Random(1)
    for _ in range(50):
        points = [(rng.randint(0, 6), rng.randint(0, 6), rng.randint(0, 6)) for _ in range(40)]
        members = {points[i] for i in pareto.front(points)}
        truth = {p for p in points if not any(p != q and np.less_equal(q, p).all() for q in set(points))}
        assert members == truth


def test_knee_is_the_bend():
    assert pareto.knee([(0.50, 1), (0.10, 2), (0.09, 64), (0.6, 70)]) == 1
    assert pareto.knee([(0.2, 1), (0.1, 9)]) == 1
    assert pareto.knee([]) is None


def test_knee_does_not_give_up_ten_points_because_worse_members_are_on_the_front():
    costs = [(0.004, 0.81), (0.015, 0.44), (0.11, 0.20), (0.45, 0.05), (0.80, 0.01)]
    assert pareto.knee(costs) in (0, 1)
    assert pareto.knee([*costs, (0.9, 0.001)]) == pareto.knee(costs)


def test_a_cost_given_twice_does_not_move_the_knee():
    points = [(0.30, 100.0), (0.36, 10.0), (0.50, 1.0)]
    assert pareto.knee(points) == pareto.knee([(error, cost, cost) for error, cost in points])


def test_crowding_prefers_the_sparse():
    distance = pareto.crowding([(0, 10), (1, 9), (2, 8), (9, 1), (10, 0)])
    assert distance[0] == distance[4] == float("inf") and distance[3] > distance[1]


# -- proposals ------------------------------------------------------------------------------------------


def test_limits_are_parsed_in_units():
    assert parse_limits(["size_kb=100", "size_bytes=50", "latency_us=20"]) == {
        "size_bytes": 50,
        "latency_ms": 0.02,
    }
    assert parse_limits(["host_ops=0", "streamed_bytes=0"]) == {"host_ops": 0.0, "streamed_bytes": 0.0}


@pytest.mark.parametrize(
    "text", ["size_kb", "size_kb=", "size_kb=x", "size_kb=-1", "size_kb=nan", "size_kb=inf", "sizekb=3"]
)
def test_bad_limits_are_one_sentence(text):
    with pytest.raises(EdgemlError, match="limit") as caught:
        parse_limits([text])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h30m", 5400), ("2h", 7200)]
)
def test_times_are_parsed(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-5s", "1x", "5m1h"])
def test_bad_times_are_refused(text):
    with pytest.raises(ConfigError, match="--time"):
        parse_time(text)


def test_repair_reaches_a_tight_limit():
    space = load_space("micro_cell")
    proposer = Proposer(space, TASK, {"size_bytes": 12_000, "ram_bytes": 2_500})
    proposer.check_feasible()
    rng, met = random.Random(0), 0
    for _ in range(20):
        met += proposer.excess(proposer.repair(space.sample(rng), rng)) == 0
    assert met >= 18


def test_impossible_limits_say_the_smallest_feasible():
    proposer = Proposer(load_space("nano"), TASK, {"size_bytes": 500})
    with pytest.raises(InfeasibleError, match=r"size_bytes <= 0.5 kB: the smallest found needs \d+\.\d kB"):
        proposer.check_feasible()


def test_where_no_other_network_is_connected_the_smallest_is_the_one_found(monkeypatch):
    proposer, costs = Proposer(load_space("nano"), TASK, {"size_bytes": 500}), Proposer.costs
    monkeypatch.setattr(Proposer, "costs", lambda own, point: costs(own, point) if own is proposer else None)
    with pytest.raises(InfeasibleError, match=r"smallest found needs \d+\.\d kB"):
        proposer.check_feasible()
