"""Pool: points of the space that could be trained next, their vectors, and their costs where these are known.

It grows by mutants of what looks best, by random points, and by mutants of the cheapest: random points hardly
ever are at the cheap end, and a front that lacks its cheapest member lacks a wide strip (0.026 of the
hypervolume of NAS-Bench-Macro in one run of three).
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from edgeml.arch.cost import cost
from edgeml.arch.space import Choice, Space
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.surrogate.features import Features
from edgeml.search.surrogate.gaussian import Floats

FULL = 2_000
CHEAPEST = 4
"""Points that mutants of the cheapest come from."""
SPREAD_OF = 24
"""Random points, and steps of a walk to cheaper ones, that an even spread is taken from."""
PLACES = (0.5, 0.0, 1.0, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875, 0.0, 0.5, 1.0)
"""Where the first ones lie, so that any number of them is spread."""
TURNS = ("best", "front", "random", "best", "front", "cheapest")
"""Where points come from, in turn."""

Point = Mapping[str, Choice]
Weighed = tuple[float, Proposal]
"""Log MACs, and what would be trained."""


class Pool:
    """Points that were not trained, by key.

    Attributes:
        points: choices of what would be trained; a network of 20 layers would take 10 kB each.
        costs: of the objectives, known before training; empty lists where `costs_known` was False.
    """

    def __init__(self, space: Space, proposer: Proposer, seed: int) -> None:
        self.points: dict[str, Point] = {}
        self.costs: dict[str, list[float]] = {}
        self._space, self._proposer, self._rng = space, proposer, random.Random(seed)
        self._features = Features(space)
        self._vectors: dict[str, Floats] = {}
        self._scale: tuple[Floats, Floats] | None = None
        self._turn = 0
        self._around: tuple[list[Weighed], float, float] | None = None

    def __len__(self) -> int:
        return len(self.points)

    def untried(self) -> list[str]:
        """Keys of points that nobody else proposed meanwhile."""
        return [key for key in self.points if key not in self._proposer.seen]

    def grow(self, count: int, best: Sequence[str], front: Sequence[Point], costs_known: bool) -> list[str]:
        """Draw `count` points and put in those that are feasible and new.

        Args:
            count: of points drawn.
            best: keys of the pool with the largest expected gains.
            front: choices of what is on the front or near it.
            costs_known: every cost that is minimised is known before training.

        Returns:
            Keys of the new points.
        """
        added = []
        sources = {"best": [self.points[key] for key in best if key in self.points], "front": front}
        for _ in range(count):
            proposal = self._proposer.outlook(self._drawn(sources, costs_known))
            if proposal is None or proposal.key in self.points or proposal.key in self._proposer.seen:
                continue
            self._put(proposal, costs_known)
            added.append(proposal.key)
        return added

    def spread(self, number: int) -> dict[str, Choice] | None:
        """Point `number` of some that lie evenly in log MACs, from nearly the least to random ones' median.

        None where no point that was looked at is feasible and new.
        """
        if self._around is None:
            self._around = self._look_around()
        points, low, high = self._around
        new = [(log, one) for log, one in points if one.key not in self._proposer.seen]
        wanted = low + PLACES[number % len(PLACES)] * (high - low)
        return dict(min(new, key=lambda one: abs(one[0] - wanted))[1].choices) if new else None

    def take(self, key: str) -> Point:
        """Remove a point that is to be trained."""
        self.costs.pop(key, None)
        return self.points.pop(key)

    def shrink(self, worst_first: Callable[[], Sequence[str]]) -> bool:
        """Drop a quarter of a full pool, the least promising; says whether it was full."""
        if len(self) <= FULL:
            return False
        order = worst_first()
        for key in order[: len(order) // 4]:
            self.points.pop(key, None)
            self.costs.pop(key, None)
        return True

    def forget(self, others: Iterable[str]) -> None:
        """Drop vectors of all but the points and `others`."""
        stay = self.points.keys() | set(others)
        self._vectors = {key: vector for key, vector in self._vectors.items() if key in stay}

    def meet(self, key: str, choices: Point) -> None:
        """Work out the vector of a point that may not have been in the pool."""
        if key not in self._vectors:
            arch = self._space.decode(choices, self._proposer.task)
            self._vectors[key] = self._features(choices, arch, cost(arch.graph))

    def vectors(self, keys: Sequence[str]) -> Floats:
        """Vectors of points, (n, d); their logarithms in units of the first pool's spread."""
        found = np.array([self._vectors[key] for key in keys])
        if self._scale is None and len(self._vectors) > 1:
            logs = np.array([vector[-2:] for vector in self._vectors.values()])
            self._scale = (logs.mean(axis=0), np.maximum(logs.std(axis=0), 1e-6))
        if self._scale is not None and len(found):
            found[:, -2:] = (found[:, -2:] - self._scale[0]) / self._scale[1]
        return found

    def macs(self, keys: Sequence[str]) -> Floats:
        """Multiply-accumulates of points, (n,)."""
        return np.asarray(np.expm1([self._vectors[key][-2] for key in keys]), np.float64)

    def _look_around(self) -> tuple[list[Weighed], float, float]:
        """Random points and what walks from the cheapest of them meet; least and middle log MACs.

        The middle is that of the random points.
        """
        random_ones = [self._weighed(self._space.sample(self._rng)) for _ in range(SPREAD_OF)]
        found = [one for one in random_ones if one is not None]
        if not found:
            return [], 0.0, 0.0
        middle = statistics.median(log for log, _ in found)
        for start in heapq.nsmallest(CHEAPEST, found, key=lambda one: one[0]):
            here = start
            for _ in range(SPREAD_OF):
                changes = self._rng.choice((1, 1, 2))
                there = self._weighed(self._space.mutate(here[1].choices, self._rng, changes))
                if there is not None:
                    found.append(there)
                    here = min(here, there, key=lambda one: one[0])
        return found, min(log for log, _ in found), middle

    def _weighed(self, choices: Point) -> Weighed | None:
        one = self._proposer.outlook(choices)
        return None if one is None else (math.log1p(cost(one.graph).macs), one)

    def _drawn(self, sources: Mapping[str, Sequence[Point]], costs_known: bool) -> Point:
        way = TURNS[self._turn % len(TURNS)]
        self._turn += 1
        if way == "cheapest" and self.points:
            source: Sequence[Point] = self._cheapest(costs_known)
        elif way == "random" or not any(sources.values()):
            return self._space.sample(self._rng)
        else:
            source = sources.get(way) or next(points for points in sources.values() if points)
        return self._space.mutate(self._rng.choice(source), self._rng, self._rng.choice((1, 1, 2)))

    def _cheapest(self, costs_known: bool) -> list[Point]:
        """By one of the costs, drawn anew each time, or by MACs where costs are not known."""
        which = self._rng.randrange(len(next(iter(self.costs.values())))) if costs_known else 0

        def worth(key: str) -> float:
            return self.costs[key][which] if costs_known else float(self._vectors[key][-2])

        return [self.points[key] for key in heapq.nsmallest(CHEAPEST, self.points, key=worth)]

    def _put(self, proposal: Proposal, costs_known: bool) -> None:
        key = proposal.key
        self.points[key] = proposal.choices
        known = self._proposer.known_costs(proposal.graph) if costs_known else {}
        self.costs[key] = [known[name] for name in self._proposer.objectives if name in known]
        if key not in self._vectors:
            self._vectors[key] = self._features(proposal.choices, proposal.arch, cost(proposal.graph))
