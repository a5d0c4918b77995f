"""Search space and targets -> the space without the choices that a device always refuses, and what it said.

A choice goes when every network that has it is refused while the same network with another choice is not. The
search then spends no proposal on it, and the user sees what was taken away and why.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.space import Choice, Choices, Decision, Space, Task
from edgeml.errors import DisconnectedArchError
from edgeml.target.targets import Targets

BASES = 8
"""Accepted networks into which every choice is put; one that is accepted in one of them stays."""
TRIES = 400


@dataclass(frozen=True)
class Pruned:
    """A choice that was taken away, and what the devices say of networks that have it."""

    decision: str
    choice: Choice
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def prune(space: Space, task: Task, targets: Targets, seed: int = 0) -> tuple[Space, tuple[Pruned, ...]]:
    """Space -> (the space without refused choices, what was taken away); unchanged where nothing is refused.

    Where no network of the space is accepted at all, it stays as it is: Proposer.check_feasible says so.
    """
    if not targets.refuse_operators:
        return space, ()
    bases = _accepted(space, task, targets, random.Random(seed))
    if not bases:
        return space, ()
    lost = [
        Pruned(decision.name, choice, reasons)
        for decision in space.decisions
        for choice in decision.choices
        if (reasons := _always_refused(space, task, targets, bases, {decision.name: choice}))
    ]
    return _without(space, lost), tuple(lost)


def _accepted(space: Space, task: Task, targets: Targets, rng: random.Random) -> list[dict[str, Choice]]:
    found = []
    for _ in range(TRIES):
        point = space.sample(rng)
        if _refusals(space, task, targets, point) == ():
            found.append(point)
        if len(found) == BASES:
            break
    return found


def _refusals(space: Space, task: Task, targets: Targets, choices: Choices) -> tuple[str, ...] | None:
    """What the devices say of a point; None where it is no network at all."""
    arch: Arch = space.decode(choices, task)
    try:
        return tuple(targets.refusals(arch.graph))
    except DisconnectedArchError:
        return None


def _always_refused(
    space: Space, task: Task, targets: Targets, bases: list[dict[str, Choice]], change: Mapping[str, Choice]
) -> tuple[str, ...]:
    """What the devices say of the change; empty where they take it in one of the accepted networks."""
    said: dict[str, None] = {}
    for base in bases:
        refusals = _refusals(space, task, targets, {**base, **change})
        if refusals == ():
            return ()
        said.update(dict.fromkeys(refusals or ()))
    return tuple(said)


def _without(space: Space, lost: list[Pruned]) -> Space:
    """The space with fewer choices; a decision with one choice left is made."""
    gone = {(one.decision, one.choice) for one in lost}
    left = [
        Decision(d.name, tuple(choice for choice in d.choices if (d.name, choice) not in gone))
        for d in space.decisions
    ]
    made = {decision.name: decision.choices[0] for decision in left if len(decision.choices) == 1}
    return replace(space, decisions=tuple(left)).fixed(made)
