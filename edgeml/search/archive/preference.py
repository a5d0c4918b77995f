"""`--prefer`: which member of the front is picked, and which part of the front the search looks at harder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeml.errors import ConfigError, UnknownNameError
from edgeml.search.archive import pareto
from edgeml.target.measure import metrics_of_artifact, metrics_of_outline
from edgeml.target.targets import SHARED, Targets

PREFERS = {
    "balanced": "the knee: closest to the ideal corner of the front",
    "accuracy": "the most accurate",
    "latency": "the fastest that gives up at most {}",
    "size": "the smallest that gives up at most {}",
}
"""Every preference, and what it picks from the front; {} is GIVE_UP in the metric's unit."""
DEFAULT_PREFER = "balanced"
GIVE_UP = 0.02
"""Score (0..1) that `latency` and `size` may give up against the most accurate of the front."""
COSTS = {"latency": "latency_ms", "size": "size_bytes"}
"""The cost that a preference is about."""
WEIGHT = 10.0
"""How much more hypervolume counts in the preferred part of the front (Zitzler et al. 2007 weigh it so)."""
TURN = 3
"""Where time runs out, every so many-th full training, proposal and further training is of what is or may be
most accurate: hypervolume over costs that range widely hardly counts the last points of accuracy."""

Floats = NDArray[np.float64]


def check(prefer: str) -> None:
    """Refuse what is no preference.

    Raises:
        UnknownNameError: it is none.
    """
    if prefer not in PREFERS:
        raise UnknownNameError("--prefer", prefer, PREFERS)


def preferring(targets: Targets, prefer: str) -> Targets:
    """The targets, with the cost that is preferred among their objectives.

    Raises:
        UnknownNameError: no such preference.
        ConfigError: a target cannot tell that cost.
    """
    check(prefer)
    wanted = COSTS.get(prefer)
    if wanted is None or axes(prefer, targets.objectives):
        return targets
    if wanted not in SHARED:
        for target in targets.members:
            if wanted not in metrics_of_artifact(target) | metrics_of_outline(target):
                raise ConfigError(
                    f"--prefer {prefer}: target {target.name} tells no {wanted.split('_')[0]}, expected a "
                    "target that does (see `edgeml targets`); choose another target or --prefer size."
                )
    return replace(targets, also=(wanted,))


def axes(prefer: str, objectives: Sequence[str]) -> list[int]:
    """Which costs, by their place in the objectives, a preference is about: one a target for latency."""
    wanted = COSTS.get(prefer)
    return [i for i, name in enumerate(objectives) if name.partition("@")[0] == wanted]


def favourite(points: Sequence[pareto.Point], prefer: str, objectives: Sequence[str]) -> int | None:
    """Index of the point that a preference picks from the front; None where there are no points.

    Args:
        points: (1 - score, costs in the order of `objectives`).
        prefer: one of PREFERS; where the objectives lack its cost, the knee is picked.
        objectives: names of the costs.
    """
    if not points:
        return None
    members = pareto.front(points)
    if prefer == "accuracy":
        return min(members, key=lambda i: tuple(points[i]))
    about = axes(prefer, objectives)
    if not about:
        return pareto.knee(points)
    most = min(points[i][0] for i in members) + GIVE_UP + 1e-9
    near = [i for i in members if points[i][0] <= most]
    # Of several targets none counts more: what is halved on one is worth as much as halved on another.
    return min(near, key=lambda i: (sum(math.log(max(points[i][1 + a], 1e-12)) for a in about), points[i][0]))


@dataclass(frozen=True)
class Focus:
    """The preferred part of the objective space.

    Attributes:
        prefer: one of PREFERS.
        objectives: names of the costs.
    """

    prefer: str
    objectives: tuple[str, ...]

    def reference(self, points: Floats, reference: Floats) -> Floats | None:
        """What bounds the preferred part from above: errors and costs, like a hypervolume's reference point.

        `accuracy`: half of what may be given up above the least error, at any cost. `latency`, `size`: what
        may be given up above it, and cheaper than what would be picked now.

        Args:
            points: (m, 1 + k), errors (expected ones too) and costs.
            reference: (1 + k,), of the whole.

        Returns:
            (1 + k,), nowhere above `reference`; None where nothing is preferred.
        """
        about = axes(self.prefer, self.objectives)
        if not len(points) or (self.prefer != "accuracy" and not about):
            return None
        bounds = reference.copy()
        best = float(points[:, 0].min())
        bounds[0] = min(reference[0], best + (GIVE_UP / 2 if self.prefer == "accuracy" else GIVE_UP))
        near = points[points[:, 0] <= best + GIVE_UP]
        for axis in about:
            bounds[1 + axis] = min(reference[1 + axis], float(near[:, 1 + axis].min()))
        return bounds
