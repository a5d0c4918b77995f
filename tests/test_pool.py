"""The pool that `auto` chooses from."""

from __future__ import annotations

import math
import random

import numpy as np

from edgeml.arch.cost import cost
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.search.propose import Proposer
from edgeml.search.surrogate.pool import FULL, PLACES, Pool
from edgeml.target.targets import Targets


def made() -> tuple[Pool, Proposer]:
    space, targets = load_space("micro_cell"), Targets.load(["null"])
    proposer = Proposer(space, Task((16, 16, 1), 10), {}, targets)
    return Pool(space, proposer, 0), proposer


def test_the_pool_reaches_the_cheap_end_where_random_points_do_not():
    pool, proposer = made()
    while len(pool) < 240:
        pool.grow(10, [], [], costs_known=False)
    rng, drawn = random.Random(1), []
    while len(drawn) < 240:
        proposal = proposer.outlook(proposer.space.sample(rng))
        if proposal is not None:
            drawn.append(cost(proposal.graph).macs)
    grown = [proposer.outlook(point) for point in pool.points.values()]
    assert min(cost(one.graph).macs for one in grown) < 0.8 * min(drawn)


def test_first_points_are_spread_from_cheap_to_middling_however_many_there_are():
    pool, proposer = made()
    logs = []
    for number in range(len(PLACES)):
        proposal = proposer.outlook(pool.spread(number))
        proposer.seen.add(proposal.key)
        logs.append(math.log(cost(proposal.graph).macs))
    assert len(proposer.seen) == len(PLACES)
    assert np.corrcoef(logs, PLACES)[0, 1] > 0.8
    rng, drawn = random.Random(1), []
    while len(drawn) < 200:
        if (proposal := proposer.outlook(proposer.space.sample(rng))) is not None:
            drawn.append(math.log(cost(proposal.graph).macs))
    least, lower, median, upper = np.quantile(drawn, (0, 0.25, 0.5, 0.75))
    for first in (logs[:4], logs):
        assert min(first) < least + 0.25 * (median - least)
        assert lower < max(first) < upper


def test_a_space_without_new_points_has_none_to_spread():
    pool, proposer = made()
    proposer.outlook = lambda choices: None
    assert pool.spread(0) is None


def test_what_was_taken_is_gone_and_a_full_pool_drops_its_worst():
    pool, proposer = made()
    added = pool.grow(30, [], [], costs_known=False)
    first = added[0]
    assert proposer.outlook(pool.take(first)).key == first
    assert first not in pool.points and first not in pool.costs
    assert not pool.shrink(lambda: added[1:])
    assert len(pool) == len(added) - 1  # not full
    pool.points.update({f"k{i}": pool.points[added[1]] for i in range(FULL)})
    worst = [f"k{i}" for i in range(100)]
    assert pool.shrink(lambda: worst)
    assert not set(worst[:25]) & set(pool.points) and set(worst[25:]) <= set(pool.points)


def test_vectors_put_costs_in_units_of_the_first_pools_spread():
    pool, _ = made()
    added = pool.grow(200, [], [], costs_known=False)
    vectors = pool.vectors(added)
    assert abs(vectors[:, -2:].mean()) < 1e-6
    assert abs(vectors[:, -2:].std(axis=0) - 1).max() < 1e-6
