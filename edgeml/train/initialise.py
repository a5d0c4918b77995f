"""Graph -> first weights, in NumPy: the same on every machine and in no time."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import Dense, DepthwiseConv2D
from edgeml.arch.recipe import INITIALISERS
from edgeml.errors import UnknownNameError

TRUNCATED = 0.87962566
"""Standard deviation of a unit normal cut off at two; what is drawn is divided by it."""

CONSTANT = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "variance": 1.0, "bias": 0.0}
CLASSIFIER = "glorot_uniform"


def initial(graph: Graph, seed: int, initialiser: str) -> dict[str, NDArray[np.float32]]:
    """Weights by "place:name" to start from; every place has a stream of its own.

    Args:
        graph: the network.
        seed: the same seed gives the same weights.
        initialiser: of convolutions; the classifier's is always CLASSIFIER.

    Raises:
        UnknownNameError: no such initialiser.
    """
    if initialiser not in INITIALISERS:
        raise UnknownNameError("initialiser", initialiser, INITIALISERS)
    found = {}
    for index, node in enumerate(graph.nodes):
        for name, shape in node.weight_shapes.items():
            if name == "kernel":
                kind = CLASSIFIER if isinstance(node.layer, Dense) else initialiser
                value = _kernel(node, shape, kind, np.random.default_rng([seed, index]))
            else:
                value = np.full(shape, CONSTANT[name], np.float32)
            found[f"{node.name}:{name}"] = value
    return found


def _kernel(
    node: Node, shape: tuple[int, ...], initialiser: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Variance scaling (Glorot & Bengio 2010, He et al. 2015)."""
    scale, mode, distribution = INITIALISERS[initialiser]
    window = prod(shape[:-2])
    depthwise = isinstance(node.layer, DepthwiseConv2D)  # each output sees its own channel only
    fan_in, fan_out = (window, window) if depthwise else (window * shape[-2], window * shape[-1])
    fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
    deviation = (scale / fan) ** 0.5
    if distribution == "uniform":
        return rng.uniform(-(3**0.5) * deviation, 3**0.5 * deviation, shape).astype(np.float32)
    drawn: NDArray[np.float64] = rng.standard_normal(shape)
    while (far := np.abs(drawn) > 2).any():
        drawn[far] = rng.standard_normal(int(far.sum()))
    kernel: NDArray[np.float32] = (drawn * (deviation / TRUNCATED)).astype(np.float32)
    return kernel
