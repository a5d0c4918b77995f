"""Layers and who reads whom -> canonical key: one for isomorphic graphs, another for every other graph.

Labels are refined downwards (what a node computes) and upwards (who uses it), so that one layer used twice
differs from two equal layers with weights of their own. Where several nodes keep one label, it can be open
which of them reads which: one after the other is marked then, and the least of what that gives counts
(individualisation and refinement, McKay & Piperno 2014).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeml.arch.layers import Add, Concat, Conv2D, Layer

Sources = Mapping[int, tuple[int, ...]]
"""What every node that counts reads."""
Labels = Mapping[int, str]


def canonical_key(layers: Sequence[Layer], inputs: Sequence[tuple[int, ...]]) -> str:
    """Layers in execution order and the indices of what each one reads -> 12 hexadecimal digits.

    Chains of additions are one sum. A sum has no order, nor has a concatenation that only convolutions read:
    their kernels have an order of their own.
    """
    readers: list[list[int]] = [[] for _ in layers]
    for index, read in enumerate(inputs):
        for source in read:
            readers[source].append(index)
    ordered = {
        index
        for index, layer in enumerate(layers)
        if isinstance(layer, Concat)
        and not (readers[index] and all(isinstance(layers[reader], Conv2D) for reader in readers[index]))
    }
    sources: dict[int, tuple[int, ...]] = {}
    for index, layer in enumerate(layers):
        terms: list[int] = []
        for source in inputs[index]:
            chained = isinstance(layer, Add) and isinstance(layers[source], Add)
            terms += sources.pop(source) if chained and len(readers[source]) == 1 else (source,)
        sources[index] = tuple(terms)
    return _Canon({index: repr(layers[index]) for index in sources}, frozenset(ordered)).form(sources)[:12]


@dataclass(frozen=True)
class _Canon:
    """`own` is what each node is; `ordered` are the nodes for which it counts which input is which."""

    own: Mapping[int, str]
    ordered: frozenset[int]

    def form(self, sources: Sources, labels: Labels | None = None) -> str:
        """Digest of a graph, or of a part of one whose nodes have labels that say what is around it."""
        labels = self._down(sources, labels or dict.fromkeys(sources, ""))
        for _ in range(2):
            seed = self._up(sources, labels)
            labels = self._down(sources, seed)
        told: list[str] = sorted(labels.values())
        while len(set(seed.values())) < len(set(labels.values())) < len(labels):
            seed = self._up(sources, labels)
            labels = self._down(sources, seed)
            told += sorted(labels.values())
        for group in _open(sources, labels):
            part = {node: tuple(s for s in sources[node] if s in group) for node in sorted(group)}
            known = {node: labels[node] for node in part}
            fewest = min(Counter(known.values()).items(), key=lambda item: item[::-1])[0]
            marked = (node for node in part if known[node] == fewest)
            told.append(min(self.form(part, {**known, node: f"{fewest} first"}) for node in marked))
        return _digest(told)

    def _down(self, sources: Sources, seed: Labels) -> dict[int, str]:
        labels: dict[int, str] = {}
        for index, read in sources.items():
            inputs = [labels[source] for source in read]
            if index not in self.ordered:
                inputs.sort()
            labels[index] = _digest((self.own[index], seed[index], inputs))
        return labels

    def _up(self, sources: Sources, labels: Labels) -> dict[int, str]:
        users: dict[int, list[str]] = {index: [] for index in labels}
        result: dict[int, str] = {}
        for index in sorted(labels, reverse=True):
            result[index] = _digest((labels[index], sorted(users[index])))
            for place, source in enumerate(sources[index]):
                users[source].append(f"{result[index]} {place}" if index in self.ordered else result[index])
        return result


def _open(sources: Sources, labels: Labels) -> list[set[int]]:
    """Groups of nodes whose stable labels do not say who reads whom, in an order of the labels only.

    Between two labels they do where the edges are stars: every node of one reads, or is read by, a single
    node of the other. A tree of labels joined so, in which they get no rarer from the rarest on, is a
    number of equal trees of nodes (Arvind et al. 2015, "On the power of color refinement").
    """
    counts = Counter(labels.values())
    edges: dict[str, Counter[str]] = defaultdict(Counter)
    for index, read in sources.items():
        for source in read:
            here, there = labels[index], labels[source]
            if counts[here] > 1 < counts[there]:
                edges[here][there] += 1
                edges[there][here] += 1
    left, found = sorted(edges, key=lambda label: (counts[label], label)), []
    while left:
        group, clear, todo = {left[0]}, True, [("", left[0])]
        for before, here in todo:
            for other in edges[here].keys() - {before}:
                star = edges[here][other] == counts[other] >= counts[here]
                clear = clear and star and other not in group
                if other not in group:
                    todo.append((here, other))
                group.add(other)
        if not clear:
            found.append({index for index, label in labels.items() if label in group})
        left = [label for label in left if label not in group]
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:24]
