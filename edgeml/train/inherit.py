"""Weight inheritance: a child starts from a trained parent, by morphism where it has grown from it.

A morphism (`morphism.py`) makes the child compute exactly what the parent computes. Else overlap: a kernel
of the child takes the parent's values where places, layer kinds and indices agree: channels are cut or
padded at the end, spatial kernels at their centre. What has no counterpart keeps its fresh values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgeml.arch.graph import Graph, Node
from edgeml.train.bank import box
from edgeml.train.build import Weights
from edgeml.train.morphism import find_morphism
from edgeml.train.morphism_weights import carry

SHRINK = 1.0
"""Share of the parent in copied kernels; below 1 is shrink-and-perturb (Ash & Adams 2020, "On Warm-Starting
Neural Network Training"). In short trainings 0.5 lost: docs/decisions/005-inheritance.md."""


def overlap(child: Graph, parent: Graph) -> float:
    """Fraction of the child's kernel weights that have a counterpart in the parent, 0..1."""
    theirs = parent.kernels
    shared = total = 0
    for name, (kind, shape, size) in child.kernels.items():
        total += size
        other = theirs.get(name)
        if other is not None and other[0] is kind:
            same = shape == other[1]
            shared += size if same else prod(map(min, shape, other[1]))
    return shared / total if total else 0.0


@dataclass(frozen=True)
class Inherited:
    """A child's first weights.

    Attributes:
        weights: of the child, shapes as in its fresh ones.
        fraction: of its kernel weights that come from the parent, 0..1.
        source: "morph" where the child computes exactly what the parent computes, else "overlap".
    """

    weights: Weights
    fraction: float
    source: str


def inherit(
    child: Graph, fresh: Weights, parent: Graph, weights: Weights, *, shrink: float | None = None
) -> Inherited:
    """The parent's weights in the child: its very function where the child has grown from it, else overlap.

    Args:
        child: graph of the new network.
        fresh: the child's initial weights.
        parent: graph of the trained network.
        weights: the parent's trained weights.
        shrink: share of the parent in copied kernels, 0..1, the rest is fresh (shrink-and-perturb); 1 copies
            exactly. None is 1 for a morph and SHRINK for an overlap.

    Returns:
        Weights, fraction and source. A morph that is mixed with fresh kernels is called "overlap", because
        it does not compute the parent's function.
    """
    fraction = overlap(child, parent)
    roles = find_morphism(child, parent)
    exact = None if roles is None else carry(child, fresh, parent, weights, roles)
    if exact is None:
        share = SHRINK if shrink is None else shrink
        return Inherited(_overlapping(child, fresh, parent, weights, share), fraction, "overlap")
    share = 1.0 if shrink is None else shrink
    if share == 1:
        return Inherited(exact, fraction, "morph")
    for name, value in exact.items():
        if name.endswith(":kernel"):
            exact[name] = share * value + (1 - share) * fresh[name]
    return Inherited(exact, fraction, "overlap")


def best_parent_score(child: Graph, parent: Graph) -> tuple[bool, float]:
    """How good a start `parent` is, larger is better: (the child can compute its function, overlap)."""
    return find_morphism(child, parent) is not None, overlap(child, parent)


def _overlapping(child: Graph, fresh: Weights, parent: Graph, weights: Weights, shrink: float) -> Weights:
    """Fresh child weights with the parent's written in where they overlap."""
    nodes = parent.by_name
    result = dict(fresh)
    for node in child.nodes:
        other = nodes.get(node.name)
        if other is None or not _matches(node, other):
            continue
        for name in node.weight_shapes:
            key = f"{node.name}:{name}"
            target, source = fresh[key].copy(), weights[key]
            shared = tuple(map(min, target.shape, source.shape))
            into, out = box(target.shape, shared), box(source.shape, shared)
            share = shrink if name == "kernel" else 1.0
            target[into] = share * source[out] + (1 - share) * target[into]
            result[key] = target
    return result


def _matches(node: Node, other: Node) -> bool:
    return type(node.layer) is type(other.layer) and "kernel" in other.weight_shapes


def load_weights(path: str) -> Weights:
    """A candidate's safetensors file -> its weights by "place:name"."""
    from safetensors.numpy import load_file

    return dict(load_file(path))
