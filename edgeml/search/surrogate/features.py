"""Choices -> a vector that a surrogate measures distances in.

One-hot for names, a thermometer for numbers (so that neighbours are near), which paths of operators lead
through the cells (White et al. 2021, BANANAS: path encoding), how deep the network is, and the logarithms of
MACs and parameters.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.cell import Arch, Cell
from edgeml.arch.cost import Cost
from edgeml.arch.graph import Graph
from edgeml.arch.layers import Conv2D, DepthwiseConv2D
from edgeml.arch.space import Choices, Space

PATHS = 256
"""Places that paths are hashed into."""
LONGEST_CELL = 5
"""Of cells with more nodes only the paths' operators are counted, their number grows too fast."""


class Features:
    """Vectors for the points of one space.

    Args:
        space: whose points are encoded.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._offsets: list[tuple[str, dict[object, int], bool]] = []
        width = 0
        for decision in space.decisions:
            numbers = all(isinstance(c, int | float) for c in decision.choices) and len(decision.choices) > 2
            ordered = sorted(decision.choices) if numbers else list(decision.choices)
            self._offsets.append((decision.name, {c: width + i for i, c in enumerate(ordered)}, numbers))
            width += len(decision.choices)
        self.decisions = width
        self.size = width + PATHS + 3 + 2

    def __call__(self, choices: Choices, arch: Arch, cost: Cost) -> NDArray[np.float64]:
        """Vector of shape (size,); the last two entries are logarithms, not scaled yet."""
        vector = np.zeros(self.size)
        for name, places, numbers in self._offsets:
            place = places[choices[name]]
            if numbers:
                vector[min(places.values()) : place] = 1.0
            else:
                vector[place] = 1.0
        for path in _paths(arch):
            vector[self.decisions + zlib.crc32(path.encode()) % PATHS] = 1.0
        vector[-5:-2] = _depths(arch.graph)
        vector[-2:] = np.log(cost.macs + 1.0), np.log(cost.params + 1.0)
        return vector


def _paths(arch: Arch) -> Iterator[str]:
    """Paths of operators through every cell that has more than one edge."""
    cells = {("normal", stage.cell): None for stage in arch.stages}
    cells |= {("reduce", stage.reduction): None for stage in arch.stages if stage.reduction is not None}
    for kind, cell in cells:
        if sum(len(edges) for edges in cell.nodes) > 1:
            for path in _through(cell):
                yield f"{kind}:{path}"


def _through(cell: Cell) -> set[str]:
    """Operators along every way from the input to the output, identities left out."""
    if len(cell.nodes) > LONGEST_CELL:
        return {f"{edge.op}" for edges in cell.nodes for edge in edges}
    ways: list[set[str]] = [{""}]
    for edges in cell.nodes:
        here: set[str] = set()
        for edge in edges:
            if edge.op != "zero":
                step = "" if edge.op == "skip" else f">{edge.op}"
                here |= {way + step for way in ways[edge.source]}
        ways.append(here)
    return ways[-1] if cell.output == "last" else set().union(*ways[1:])


def _depths(graph: Graph) -> tuple[float, float, float]:
    """Logarithms of 1 + convolutions: along the longest way, along the shortest (skips), and all of them."""
    longest: list[int] = []
    shortest: list[int] = []
    for node in graph.nodes:
        own = int(isinstance(node.layer, Conv2D | DepthwiseConv2D))
        longest.append(own + max((longest[source] for source in node.inputs), default=0))
        shortest.append(own + min((shortest[source] for source in node.inputs), default=0))
    count = sum(isinstance(node.layer, Conv2D | DepthwiseConv2D) for node in graph.nodes)
    return math.log1p(longest[-1]), math.log1p(shortest[-1]), math.log1p(count)
