"""The surrogate of `auto`: what is kept up while observations come in is what would be worked out anew."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest

from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.search.asking import Asker
from edgeml.search.candidate import Candidate
from edgeml.search.propose import Proposer
from edgeml.search.surrogate.gain import DIRECTIONS, Scale, draw_directions, expected_improvement
from edgeml.search.surrogate.gaussian import Followed, GaussianProcess, typical_square
from edgeml.search.surrogate.guide import FIRST_POOL, WINDOW, Guide
from edgeml.search.surrogate.pool import FULL
from edgeml.search.surrogate.seen import Seen
from edgeml.target.targets import Targets


def textbook(process, x, y, points):
    """Mean and deviation by Rasmussen & Williams' equations 2.25 and 2.26, scales as in the process."""

    def kernel(a, b):
        squares = ((a[:, None] - b[None]) ** 2).sum(2)
        return np.exp(-squares / (2 * process._length**2 * process._typical))

    inverse = np.linalg.inv(kernel(x, x) + process._noise * np.eye(len(x)))
    z = (y - y.mean()) / y.std()
    between = kernel(points, x)
    left = 1 - np.einsum("ij,jk,ik->i", between, inverse, between)
    signal = z @ inverse @ z / len(z)
    return y.mean() + y.std() * between @ inverse @ z, y.std() * np.sqrt(signal * left)


def test_predictions_that_are_kept_up_are_those_of_the_textbook():
    rng = np.random.default_rng(0)
    x = rng.random((90, 5))
    y = np.sin(3 * x[:, 0]) + x[:, 1] + 0.05 * rng.normal(size=90)
    process = GaussianProcess(typical_square(x[:20]))
    points = Followed(process, lambda keys: x[[int(key) for key in keys]])
    asked = [str(row) for row in range(30, 90)]
    for count, tune in ((20, True), (21, False), (40, False), (40, False), (48, True), (50, False)):
        y = y + 0.01  # values may change, rows do not
        process.fit(x[:count], y[:count], tune)
        some = asked[: count // 2 + 10]
        mean, spread = textbook(process, x[:count], y[:count], x[[int(key) for key in some]])
        assert points.mean(some) == pytest.approx(mean, abs=1e-4)
        assert points.spread(some) == pytest.approx(spread, rel=2e-3)
        points.forget(asked[5:count])
        again = points.mean(some[::-1])[::-1]
        assert again == pytest.approx(mean, abs=1e-4)
    assert process.generation == 2


def test_observations_in_another_order_are_taken_up_anew():
    x = np.random.default_rng(1).random((12, 3))
    process = GaussianProcess(1.0)
    process.fit(x, x[:, 0], False)
    process.fit(x[::-1], x[::-1, 0], False)
    assert process.generation == 2


def trial(number, key, rungs, broken=0.0):
    values = [rungs[-1][1], 10.0 + number]
    attributes = {"key": key, "rungs": rungs}
    return SimpleNamespace(
        number=number, values=values, params={"a": number}, user_attrs=attributes,
        constraints={"macs": broken} if broken else {},
    )  # fmt: skip


def test_what_was_refreshed_is_read_again_and_what_was_replaced_is_read_from_the_start():
    trials = [trial(number, f"k{number}", [[0, 0.5]], broken=number == 1) for number in range(5)]
    seen = Seen()
    assert seen.read(trials[:3]) is None and seen.keys == ["k0", "k2"]
    trials[2].user_attrs["rungs"] = [[0, 0.5], [1, 0.25]]
    assert seen.read(trials) == 2
    assert seen.errors[1] == {0: 0.5, 1: 0.25} and seen.keys == ["k0", "k2", "k3", "k4"]
    assert seen.costs[:, 0].tolist() == [10, 12, 13, 14] and seen.at["k4"] == 3
    seen.forget()
    assert seen.read([trial(0, "k4", [[0, 0.1]])]) is None and seen.keys == ["k4"]


def test_a_trial_whose_limits_were_judged_anew_is_read_anew():
    trials = [trial(number, f"k{number}", [[0, 0.5]], broken=number == 1) for number in range(3)]
    seen = Seen()
    seen.read(trials)
    for one, constraints in ((trials[0], {"macs": 0.1}), (trials[1], {"macs": 0.0})):
        one.user_attrs["rungs"], one.constraints = [[0, 0.5], [1, 0.25]], constraints
    seen.read(trials)
    assert seen.keys == ["k1", "k2"] and seen.errors[0] == {0: 0.5, 1: 0.25}


def test_a_promotion_may_break_a_limit_and_may_keep_one_again():
    space, targets = load_space("nano"), Targets.load(["null"])
    asker = Asker("random", space, Proposer(space, Task((8, 8, 1), 10), {}, targets), axes=2, top=1, seed=0)
    proposal = asker.ask()
    found = Candidate(proposal.key, 0, "stopped", dict(proposal.choices), {}, seed=0)
    asker.tell(found, (0.5, 10.0), {"size_kb": 0.2})
    asker.refresh(found, (0.4, 10.0), {"latency_ms": 0.3})
    (stored,) = asker._trials()
    assert {name for name, amount in stored.constraints.items() if amount > 0} == {"latency_ms"}
    asker.refresh(found, (0.3, 10.0), {})
    assert all(amount <= 0 for amount in stored.constraints.values()) and stored.values == [0.3, 10.0]


def test_the_guide_holds_no_more_than_its_pool_and_its_window():
    space, targets = load_space("nano"), Targets.load(["null"])
    proposer = Proposer(space, Task((8, 8, 1), 10), {}, targets)
    guide, trials, rng, draws = Guide(space, 0, proposer), [], np.random.default_rng(0), random.Random(0)
    for number in range(60):
        choices = guide.propose(trials, 0)
        while choices is None or proposer.judge(choices) is None:
            choices = space.sample(draws)
        proposal = proposer.judge(choices)
        proposer.seen.add(proposal.key)
        one = trial(number, proposal.key, [[0, float(rng.random())]])
        one.params, one.values[1] = choices, proposer.known_costs(proposal.graph)["macs"]
        trials.append(one)
        if number % 2:
            guide.think()
    assert len(guide._pool) >= FIRST_POOL
    followed = guide._surrogate._points[0]
    assert len(followed._place) <= FULL + WINDOW
    guide._drop()
    assert set(followed._place) <= set(guide._pool.points) | set(guide._fit_keys)
    assert followed._explained.shape == (len(followed._place),)


def test_where_time_runs_out_gains_are_per_second_and_the_first_are_cheap():
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    macs = {}
    for hurried in (False, True):
        proposer = Proposer(space, task, {}, Targets.load(["null"]))
        guide = Guide(space, 3, proposer)
        if hurried:
            guide.hurry = SimpleNamespace(weight=lambda found: found)  # seconds in proportion to MACs
        taken = [guide.propose([], 0) for _ in range(12)] if hurried else []
        assert all(taken) and (hurried or guide.propose([], 0) is None)
        keys = guide._pool.grow(60, [], [], False)
        macs[hurried] = guide._pool.macs(keys)
        if taken:
            first = [lower_macs(space, task, choices) for choices in taken if choices]
            assert np.median(first) < np.median(macs[False])
    assert guide._weights(keys) == pytest.approx(macs[True])


def hurried(weight, most):
    """What a search that time ends says: seconds by `weight`, networks of up to `most` MACs."""
    return SimpleNamespace(weight=weight, affordable=lambda macs, times=1.0: macs <= times * most)


def lower_macs(space, task, choices):
    return cost(space.decode(choices, task).graph).macs


def test_where_time_runs_out_far_worse_than_the_best_is_worth_nothing():
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    guide = Guide(space, 0, Proposer(space, task, {}, Targets.load(["null"])))
    guide._observe([trial(0, "a", [[0, 0.8]]), trial(1, "b", [[0, 0.3], [1, 0.05]])])
    assert guide._reference() == pytest.approx([0.808, 12.1])
    guide.hurry = SimpleNamespace(weight=np.ones_like)
    assert guide._reference() == pytest.approx([0.303, 12.1])


def test_where_time_runs_out_a_front_may_reach_as_far_as_time_allows():
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    proposer = Proposer(space, task, {}, Targets.load(["null"]))
    rng, trials = random.Random(0), []
    for number in range(12):
        found = proposer.outlook(space.sample(rng))
        trials.append(trial(number, found.key, [[0, 0.5 + number / 50]]))
        trials[-1].params, trials[-1].values[1] = found.choices, proposer.known_costs(found.graph)["macs"]
    dearest = {}
    for allowed in (0.0, 1e12):
        guide = Guide(space, 3, proposer)
        guide.hurry = hurried(np.ones_like, allowed)
        guide.propose(trials, 0)
        tried = guide._seen.costs.max()
        assert guide._reference()[1] == pytest.approx(1.1 * max(guide.dear[0], tried))
        dearest[allowed] = float(guide.dear[0])
    assert dearest[0.0] == 0 and dearest[1e12] > tried


def test_gains_do_not_depend_on_who_else_is_judged():
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    guide = Guide(space, 0, Proposer(space, task, {}, Targets.load(["null"])))
    guide._observe([trial(number, f"k{number}", [[0, 0.5]]) for number in range(3)])
    guide._scale = Scale(guide._seen.costs)  # as `_refit` sets it
    guide._directions = draw_directions(2, np.random.default_rng(0))
    mean, spread, costs = np.array([0.2, 0.3]), np.full(2, 0.05), np.array([[9.0], [0.01]])
    front = np.array([[0.5, 10.0]])
    alone = guide._gain(mean[:1], spread[:1], costs[:1], front)
    assert guide._gain(mean, spread, costs, front)[0] == pytest.approx(alone[0])


def test_with_several_costs_gains_of_different_batches_are_comparable():
    """The hypervolume is averaged over drawn directions: others for each batch would rank by luck."""
    rng = np.random.default_rng(4)
    ways = draw_directions(3, rng)
    assert ways.shape == (DIRECTIONS, 3) and np.linalg.norm(ways, axis=1) == pytest.approx(1, abs=0.01)
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    guide = Guide(space, 0, Proposer(space, task, {}, Targets.load(["mcu-m4"])))
    trials = [trial(number, f"k{number}", [[0, 0.5]]) for number in range(3)]
    for number, one in enumerate(trials):
        one.params, one.values = space.sample(random.Random(number)), [0.5, 10.0 + number, 5.0 + number]
    guide._observe(trials)
    guide._refit(0)
    mean, spread, costs = np.array([0.2, 0.3]), np.full(2, 0.05), np.array([[9.0, 4.0], [8.0, 3.0]])
    front = np.array([[0.5, 10.0, 5.0]])
    both = guide._gain(mean, spread, costs, front)
    for row in (0, 1):
        one = slice(row, row + 1)
        assert guide._gain(mean[one], spread[one], costs[one], front) == pytest.approx(both[one], rel=1e-9)


def test_a_training_that_its_curve_ended_is_read_as_what_the_curve_promised():
    """Else a network that was ended half way is as bad a one as its curve was then."""
    space, targets = load_space("nano"), Targets.load(["null"])
    asker = Asker("auto", space, Proposer(space, Task((8, 8, 1), 10), {}, targets), axes=2, top=1, seed=0)
    proposal = asker.ask()
    ended = {"rung": 1, "accuracy": 0.5, "stopped": True, "expected": 0.8}
    rows = [{"rung": 0, "accuracy": 0.4}, ended, {"rung": 1, "failure": "x"}]
    found = Candidate(proposal.key, 0, "stopped", dict(proposal.choices), {}, seed=0, rungs=rows)
    asker.tell(found, (0.2, 10.0), {})
    (stored,) = asker.told()
    assert stored.user_attrs["rungs"] == [[0, pytest.approx(0.6)], [1, pytest.approx(0.2)]]


def test_where_time_runs_out_every_third_is_what_promises_to_be_most_accurate():
    """Hypervolume over costs that range widely hardly counts the last points of accuracy at the dear end."""
    space, task = load_space("nano"), Task((8, 8, 1), 10)
    proposer = Proposer(space, task, {}, Targets.load(["null"]))
    rng, trials = random.Random(0), []
    found = sorted(
        (proposer.outlook(space.sample(rng)) for _ in range(15)), key=lambda one: cost(one.graph).macs
    )
    for number, one in enumerate(found):  # dearer is better, but a hundredth at most
        proposer.seen.add(one.key)
        trials.append(trial(number, one.key, [[0, 0.05 - number / 1500]]))
        trials[-1].params, trials[-1].values[1] = one.choices, proposer.known_costs(one.graph)["macs"]
    dearest, promoted, proposed = cost(found[-1].graph).macs, {}, {}
    for done in (1, 2, 3):
        for number in range(done):
            trials[number].user_attrs["rungs"] = [[0, 0.05], [1, 0.04]]
        guide = Guide(space, 3, proposer)
        guide.hurry = hurried(lambda macs: macs, dearest - 1)
        keys = [one.key for one in found[done:]]
        promoted[done] = keys[int(np.argmax(guide.gains(trials, keys, 1)))]
        proposed[done] = lower_macs(space, task, guide.propose(trials[: 11 + done], 1))
    assert promoted[2] in {one.key for one in found[-3:]} and not {promoted[1], promoted[3]} & {promoted[2]}
    assert max(proposed.values()) == proposed[3] < dearest  # 14 were tried: the turn of the 15th
    assert guide._accurate(2)
    trials[0].user_attrs["rungs"] = [[0, 0.05], [1, 0.0]]  # nothing is told from no error
    guide.gains(trials, keys, 1)
    assert not guide._accurate(2)


def test_expected_improvement_is_that_of_many_draws():
    rng = np.random.default_rng(0)
    mean, spread, errors = np.array([0.02, 0.05]), np.array([0.01, 0.04]), np.array([0.2, 0.03])
    drawn = np.maximum(0, 0.03 - rng.normal(mean, spread, size=(200_000, 2))).mean(axis=0)
    assert expected_improvement(mean, spread, errors) == pytest.approx(drawn, rel=0.02)
    assert expected_improvement(mean, spread, errors[:0])[0] > expected_improvement(mean, spread, errors)[0]
