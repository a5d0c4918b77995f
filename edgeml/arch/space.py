"""Space: a list of named decisions and a function that turns choices into an Arch.

Every decision is always made, also where it has no effect (the kernel of a cell that is not there); the
canonical key makes such points one candidate. So every Optuna sampler sees one flat, fixed space.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Protocol

from edgeml.arch.cell import Arch
from edgeml.arch.layers import Shape
from edgeml.arch.recipe import Recipe, default_recipe

Choice = str | int | float
Choices = Mapping[str, Choice]


@dataclass(frozen=True)
class Decision:
    """One decision and what may be chosen, in a sensible order (small before large)."""

    name: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Task:
    """What the network has to take and give.

    Attributes:
        input_shape: of the raw input (h, w, c); without meaning where `fronts` says more.
        classes: number of outputs.
        kind: "classification", "regression" or "anomaly".
        fronts: audio front ends by name, each with the shape of what it gives; empty for other inputs.
        resizable: whether the input can be had at another resolution, as pictures can.
    """

    input_shape: Shape
    classes: int
    kind: str = "classification"
    fronts: Mapping[str, Shape] = field(default_factory=dict)
    resizable: bool = True


class Recipes(Protocol):
    """Choices -> how such a candidate is trained."""

    def __call__(self, choices: Choices, shape: Shape, front: str = "") -> Recipe:
        """For inputs of that shape, which an audio front end may give."""


def untuned(choices: Choices, shape: Shape, front: str = "") -> Recipe:
    """The default recipe, whatever the choices: that of a space without training settings."""
    return default_recipe(shape, front)


@dataclass(frozen=True)
class Space:
    """A search space.

    Attributes:
        name: file stem.
        description: one sentence for users.
        decisions: in a fixed order, each with at least two choices.
        decode: choices and task -> Arch. Complete choices always decode.
        source: path of the YAML file.
        recipe: choices, the input shape and front end -> how such a candidate is trained.
        fronts: names of the audio front ends it chooses from.
    """

    name: str
    description: str
    decisions: tuple[Decision, ...]
    decode: Callable[[Choices, Task], Arch]
    source: str = ""
    recipe: Recipes = untuned
    fronts: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of points (choices), before isomorphic ones are merged."""
        return prod(len(decision.choices) for decision in self.decisions)

    def sample(self, rng: random.Random) -> dict[str, Choice]:
        """A uniformly random point."""
        return {decision.name: rng.choice(decision.choices) for decision in self.decisions}

    def fixed(self, made: Choices) -> Space:
        """The space in which these decisions are made already."""
        free = tuple(decision for decision in self.decisions if decision.name not in made)

        def decode(choices: Choices, task: Task) -> Arch:
            return self.decode({**made, **choices}, task)

        def recipe(choices: Choices, shape: Shape, front: str = "") -> Recipe:
            return self.recipe({**made, **choices}, shape, front)

        return replace(self, decisions=free, decode=decode, recipe=recipe)

    def suited(self, task: Task) -> Space:
        """The space without decisions that mean nothing for a task."""
        void = {
            "resolution": not task.resizable,
            "front": not task.fronts,
            "bottleneck": task.kind != "anomaly",
            "decoder": task.kind != "anomaly",
        }
        neutral: dict[str, Choice] = {"resolution": 1.0}
        made = {d.name: neutral.get(d.name, d.choices[0]) for d in self.decisions if void.get(d.name)}
        return self.fixed(made) if made else self

    def mutate(self, choices: Choices, rng: random.Random, edits: int = 1) -> dict[str, Choice]:
        """A copy of `choices` with `edits` decisions changed to another choice."""
        child = dict(choices)
        for decision in rng.sample(self.decisions, min(edits, len(self.decisions))):
            others = [choice for choice in decision.choices if choice != child[decision.name]]
            child[decision.name] = rng.choice(others)
        return child
