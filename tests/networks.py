"""Small architectures for tests, written in a line or drawn from a space."""

from __future__ import annotations

import random

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import DisconnectedArchError

SPACES = ("micro_cell", "mbconv_macro", "nano", "nasbench201")
GROWN = {
    "branch": {"zero": ("sep_conv_3x3", "conv_3x3"), "skip": ("mbconv_3x3_e2",)},
    "kernel": {
        "conv_1x1": ("conv_3x3",),
        "sep_conv_3x3": ("sep_conv_5x5",),
        "mbconv_3x3_e2": ("mbconv_5x5_e2",),
    },
}
"""Kinds of growth by another op on an edge; other kinds are the last words of decisions."""


def one(op, repeat=1, channels=16, **changes):
    """An architecture of one stage and a stem as wide."""
    stages = (Stage(Cell(((Edge(0, op),),)), repeat, channels),)
    values = {"input_shape": (8, 8, 3), "classes": 5, "stem_channels": channels, "stages": stages}
    return Arch(**{**values, **changes})


def dag(text, output="last"):
    """ "0:conv_3x3 0:skip | 1:skip" -> Cell."""
    nodes = [[edge.split(":") for edge in node.split()] for node in text.split("|")]
    return Cell(tuple(tuple(Edge(int(source), op) for source, op in node) for node in nodes), output)


def decoded(space, choices, shape=(8, 8, 3)):
    """The architecture, or None where it is disconnected."""
    arch = space.decode(choices, Task(shape, 5))
    try:
        return arch if arch.graph else None
    except DisconnectedArchError:
        return None


def random_choices(space, seed, shape=(8, 8, 3)):
    """Choices of a connected architecture of a space."""
    rng = random.Random(seed)
    while decoded(space, choices := space.sample(rng), shape) is None:
        pass
    return choices


def random_arch(name, seed, shape=(8, 8, 3)):
    """A connected architecture of a space."""
    space = load_space(name)
    return decoded(space, random_choices(space, seed, shape), shape)


def grown(name, seed, kind, shape=(8, 8, 3)):
    """(a random architecture of a space, it grown in one decision); None where nothing of the kind can."""
    space = load_space(name)
    choices, rng, ways = random_choices(space, seed, shape), random.Random(seed), []
    parent = decoded(space, choices, shape)
    for decision in space.decisions:
        chosen = choices[decision.name]
        later = decision.choices[decision.choices.index(chosen) + 1 :]
        if decision.name.endswith(".op"):
            wanted = GROWN.get(kind, {}).get(chosen, ())
            ways += [(decision.name, op) for op in decision.choices if op in wanted]
        elif decision.name.endswith(kind):
            ways += [(decision.name, choice) for choice in later[:1]]
    for place, choice in rng.sample(ways, len(ways)):
        child = decoded(space, {**choices, place: choice}, shape)
        if child.key != parent.key:
            return parent, child
    return None
