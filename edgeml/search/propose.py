"""What may be trained: new architectures within the limits, judged in milliseconds before any training."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from edgeml.arch.cell import Arch, lower
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe, candidate_key
from edgeml.arch.space import Choice, Choices, Space, Task
from edgeml.errors import DisconnectedArchError, InfeasibleError
from edgeml.target.limits import Limits, describe, violations
from edgeml.target.targets import Targets

SAMPLES = 200
ENUMERATE_UP_TO = 20_000
REMEMBERED = 300
"""Points whose network is kept in mind."""
NO_TARGETS = Targets(())


@dataclass(frozen=True)
class Proposal:
    """A new, feasible architecture."""

    choices: dict[str, Choice]
    arch: Arch
    graph: Graph
    key: str
    recipe: Recipe = field(default_factory=Recipe)
    rung: int = 0


class Proposer:
    """Judges points of a space: connected, within the limits, not seen before. Counts what it refuses.

    Args:
        space: search space.
        task: what the networks take and give.
        limits: by metric, as `Targets.limits` names them.
        targets: whose estimators and rules know more than the graph's own costs; none for tests.
    """

    def __init__(self, space: Space, task: Task, limits: Limits, targets: Targets = NO_TARGETS) -> None:
        self.space, self.task, self.limits, self.targets = space, task, limits, targets
        self._ask_targets = targets.know_before_training(limits)
        self.seen: set[str] = set()
        self._looked_at: dict[tuple[Choice, ...], tuple[Proposal | None, dict[str, float]]] = {}
        self.refused: Counter[str] = Counter()
        self.duplicates = 0

    def judge(self, choices: Choices) -> Proposal | None:
        """The proposal, or None where it is refused; reasons are counted."""
        proposal, broken = self._look(choices)
        if proposal is None:
            self.refused["disconnected"] += 1
        elif broken:
            self.refused.update(self._reasons(proposal.graph, broken))
        elif proposal.key in self.seen:
            self.duplicates += 1
        else:
            return proposal
        return None

    def outlook(self, choices: Choices) -> Proposal | None:
        """What a point would be, seen or not; None where it is refused. Nothing is counted."""
        proposal, broken = self._look(choices)
        return None if broken else proposal

    def _look(self, choices: Choices) -> tuple[Proposal | None, dict[str, float]]:
        """The network of a point (None where disconnected) and the limits it breaks; remembered."""
        point = tuple(choices[decision.name] for decision in self.space.decisions)
        if point not in self._looked_at:
            if len(self._looked_at) >= REMEMBERED:
                self._looked_at.clear()
            self._looked_at[point] = self._look_anew(choices)
        return self._looked_at[point]

    def _look_anew(self, choices: Choices) -> tuple[Proposal | None, dict[str, float]]:
        arch = self.space.decode(choices, self.task)
        recipe = self.space.recipe(choices, arch.input_shape, arch.front)
        try:
            proposal = Proposal(dict(choices), arch, arch.graph, candidate_key(arch, recipe), recipe)
        except DisconnectedArchError:
            return None, {}
        return proposal, self._broken(proposal.graph)

    def _broken(self, graph: Graph) -> dict[str, float]:
        """Relative excess of every limit that the graph breaks; estimators come last, they take longer."""
        if not self.limits:
            return {}
        broken = violations(asdict(cost(graph)), self.limits)
        if broken or not self._ask_targets:
            return broken
        return self.targets.surely_broken(self.targets.expected(graph), self.limits)

    def _reasons(self, graph: Graph, broken: Mapping[str, float]) -> list[str]:
        """What the refusals are counted under: the metric, or what a device says of an operator."""
        reasons = [metric for metric in broken if not metric.startswith("host_ops")]
        return reasons + (self.targets.refusals(graph) if len(reasons) < len(broken) else [])

    def excess(self, choices: Choices) -> float:
        """Sum of relative limit violations; 0 where feasible, infinite where disconnected."""
        proposal, broken = self._look(choices)
        return math.inf if proposal is None else sum(broken.values())

    def costs(self, choices: Choices) -> dict[str, float] | None:
        """Costs known before training, None where the architecture is disconnected."""
        proposal, _ = self._look(choices)
        return None if proposal is None else self.known_costs(proposal.graph)

    def known_costs(self, graph: Graph) -> dict[str, float]:
        """Costs of a graph that are known before training, by metric."""
        figures = self.targets.expected(graph) if self._ask_targets or self.objectives else {}
        return {**asdict(cost(graph)), **{name: figure.value for name, figure in figures.items()}}

    @property
    def objectives(self) -> list[str]:
        """Costs that the targets minimise."""
        return self.targets.objectives

    def repair(self, choices: Choices, rng: random.Random) -> dict[str, Choice]:
        """Change decisions one by one, each to the choice that lowers the excess most, until feasible."""
        current, level = dict(choices), self.excess(choices)
        for decision in rng.sample(self.space.decisions, len(self.space.decisions)):
            if level == 0:
                break
            options = [{**current, decision.name: choice} for choice in decision.choices]
            rng.shuffle(options)
            best = min(options, key=self.excess)
            if self.excess(best) < level:
                current, level = best, self.excess(best)
        return current

    def check_feasible(self, seed: int = 0) -> None:
        """Make sure that something in the space meets the limits.

        Raises:
            InfeasibleError: nothing found does; says the smallest found for every limit that is broken.
        """
        rng = random.Random(seed)
        points = [self.space.sample(rng) for _ in range(SAMPLES)]
        if any(self.excess(point) == 0 for point in points):
            return
        repaired = [self.repair(self.repair(p, rng), rng) for p in sorted(points, key=self.excess)[:10]]
        best = min(repaired, key=self.excess)
        if self.excess(best) == 0:
            return
        costs = self.costs(best)
        if costs is None:
            raise InfeasibleError(
                f"search space {self.space.name} holds no connected architecture; change it."
            )
        parts = []
        refusals = self.targets.refusals(lower(self.space.decode(best, self.task)))
        for metric in violations(costs, self.limits):
            smallest = min(costs[metric], self._smallest(metric, rng))
            parts.append(
                f"{metric} <= {describe(metric, self.limits[metric])}: the smallest found needs "
                f"{describe(metric, smallest)} (estimate before training)"
            )
        said = f" ({'; '.join(dict.fromkeys(refusals))})" if refusals else ""
        raise InfeasibleError(
            f"nothing in search space {self.space.name} meets {'; '.join(parts)}{said}; "
            "raise the limit or choose another --space."
        )

    def _smallest(self, metric: str, rng: random.Random) -> float:
        alone = Proposer(self.space, self.task, {metric: 1e-9}, self.targets)
        points = (alone.repair(alone.repair(self.space.sample(rng), rng), rng) for _ in range(5))
        known = (costs[metric] for costs in map(alone.costs, points) if costs is not None and metric in costs)
        return min(known, default=math.inf)

    def any_new(self, rng: random.Random) -> Proposal | None:
        """Some proposal that was not seen: random, then repaired, then (small spaces) every point.

        Returns:
            None when the space is exhausted (for large spaces: when nothing new was found in many tries).
        """
        for attempt in range(2 * SAMPLES):
            point = self.space.sample(rng)
            proposal = self.judge(point if attempt < SAMPLES else self.repair(point, rng))
            if proposal is not None:
                return proposal
        if self.space.size > ENUMERATE_UP_TO:
            return None
        names = [decision.name for decision in self.space.decisions]
        for values in itertools.product(*(decision.choices for decision in self.space.decisions)):
            proposal = self.judge(dict(zip(names, values, strict=True)))
            if proposal is not None:
                return proposal
        return None
