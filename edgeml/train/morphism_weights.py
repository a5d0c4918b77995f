"""Roles of a morphism -> weights with which the child computes what the parent computes.

New channels start fresh and nobody reads them yet: their outgoing weights are zero and learn at once, as
what they multiply is not zero (Net2Net's zero padding). A silent layer has its BatchNorm's scale at zero.
"""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import Add, Concat, Conv2D, Dense, DepthwiseConv2D, Flatten, Input
from edgeml.train.build import BATCH_NORM_EPSILON, Weights
from edgeml.train.morphism import FREE, SILENT, Role, offset

WAKING = 1e-9
"""Shift of a silent layer before a rectifier: its derivative at 0 is 0, and the layer would never learn.
So small that it is lost in what it is added to."""

Layout = NDArray[np.int64]
"""For each channel of a child tensor the parent's channel it holds, or FREE or SILENT."""

Floats = NDArray[np.float64]


def carry(
    child: Graph, fresh: Weights, parent: Graph, weights: Weights, roles: tuple[Role, ...]
) -> Weights | None:
    """Weights of the child that make it compute the parent's function.

    Args:
        child: graph of the new network.
        fresh: its initial weights; new channels and layers keep them.
        parent: graph of the trained network.
        weights: its weights.
        roles: from `find_morphism(child, parent)`.

    Returns:
        Weights of the shapes of `fresh`; None where two summands hold the parent's channels in other places.
    """
    result, layouts, moments = dict(fresh), list[Layout](), _Moments(parent, weights)
    for node, role in zip(child.nodes, roles, strict=True):
        read = [layouts[source] for source in node.inputs]
        own = {name: result[f"{node.name}:{name}"].copy() for name in node.weight_shapes}
        layout = _layout(node, role, read, parent)
        if layout is None:
            return None
        layouts.append(layout)
        if role.how == "match":
            other = parent.nodes[role.goal]
            theirs = {name: weights[f"{other.name}:{name}"] for name in other.weight_shapes}
            _match(node, other, own, theirs, read[0], layout, child.nodes[node.inputs[0]].shape[:2])
        elif role.how == "identity":
            _identity(node, own, read[0], layout, moments.of(role.goal))
        result.update({f"{node.name}:{name}": value for name, value in own.items()})
    _silence(child, roles, layouts, result)
    return result


def _layout(node: Node, role: Role, read: list[Layout], parent: Graph) -> Layout | None:
    if role.goal < 0:
        return np.full(node.shape[2], role.goal)
    if isinstance(node.layer, Concat):
        return _concatenated(role, read, parent)
    if isinstance(node.layer, Add):
        holding = [layout for layout, goal in zip(read, role.inputs, strict=True) if goal != SILENT]
        return holding[0] if all(np.array_equal(holding[0], layout) for layout in holding) else None
    if isinstance(node.layer, Flatten):
        whole = np.array_equal(read[0], np.arange(len(read[0])))
        return np.arange(node.shape[2]) if whole else None
    if isinstance(node.layer, Input | Conv2D | Dense):
        layout = np.full(node.shape[2], FREE)
        size = parent.nodes[role.goal].shape[2]
        layout[:size] = np.arange(size)
        return layout
    return read[0]


def _concatenated(role: Role, read: list[Layout], parent: Graph) -> Layout:
    parts, start = [], 0
    for layout, goal in zip(read, role.inputs, strict=True):
        if goal == FREE:
            parts.append(np.full(len(layout), FREE))
            continue
        parts.append(np.where(layout >= 0, layout + start, layout))
        start += parent.nodes[goal].shape[2]
    return np.concatenate(parts)


def _match(
    node: Node,
    other: Node,
    own: Weights,
    theirs: Weights,
    read: Layout,
    layout: Layout,
    size: tuple[int, int],
) -> None:
    """The parent's weights where they belong, zero where a carried channel would read anything else."""
    reads, holds = read >= 0, layout >= 0
    kernel, source = own["kernel"], theirs["kernel"]
    if isinstance(node.layer, Dense):
        kernel[:] = 0
        kernel[reads] = source[read[reads]]
        own["bias"][:] = theirs["bias"]
        return
    row, column = offset(node.layer, other.layer, size)
    window = kernel[row : row + source.shape[0], column : column + source.shape[1]]
    if isinstance(node.layer, DepthwiseConv2D):
        kernel[:, :, holds] = 0
        window[:, :, holds] = source[:, :, layout[holds]]
    else:
        kernel[..., holds] = 0
        rows, columns = np.ix_(reads, holds)
        window[:, :, rows, columns] = source[:, :, read[reads]][..., layout[holds]]
    for name in ("gamma", "beta", "mean", "variance"):
        own[name][holds] = theirs[name][layout[holds]]


def _identity(node: Node, own: Weights, read: Layout, layout: Layout, moments: tuple[Floats, Floats]) -> None:
    """Net2DeeperNet: a kernel with a one in its centre, BatchNorm that undoes itself.

    Mean and variance are those to be expected of the input, so that the layer passes it on nearly
    unchanged in training too, where BatchNorm takes them from the batch.
    """
    kernel, holds = own["kernel"], layout >= 0
    row, column = ((side - 1) // 2 for side in kernel.shape[:2])
    if isinstance(node.layer, DepthwiseConv2D):
        kernel[:, :, holds] = 0
        kernel[row, column, holds] = 1
    else:
        kernel[..., holds] = 0
        reads = np.flatnonzero(read >= 0)
        kernel[row, column, reads, read[reads]] = 1
    mean, variance = (vector[layout[holds]].astype(np.float32) for vector in moments)
    own["mean"][holds], own["beta"][holds], own["variance"][holds] = mean, mean, variance
    own["gamma"][holds] = np.sqrt(variance + BATCH_NORM_EPSILON)


def _silence(child: Graph, roles: tuple[Role, ...], layouts: list[Layout], result: Weights) -> None:
    """Scale to zero the channels of silent layers that are added to the parent's.

    What is added to new channels stays: with their outgoing weights zero too, it would have no gradient.
    """
    quiet = [np.zeros(node.shape[2], bool) for node in child.nodes]
    for i in range(len(child.nodes) - 1, -1, -1):
        node, role = child.nodes[i], roles[i]
        if role.how == "silent":
            for name, value in (("gamma", 0.0), ("beta", WAKING if _activation(node) else 0.0)):
                changed = result[f"{node.name}:{name}"].copy()
                changed[quiet[i]] = value
                result[f"{node.name}:{name}"] = changed
            continue
        for source, goal in zip(node.inputs, role.inputs, strict=True):
            if goal == SILENT:
                quiet[source] |= quiet[i] if role.goal == SILENT else layouts[i] >= 0


def _activation(node: Node) -> str | None:
    return node.layer.activation if isinstance(node.layer, Conv2D | DepthwiseConv2D) else None


class _Moments:
    """Mean and variance a channel, to be expected of a parent's tensors without data."""

    def __init__(self, parent: Graph, weights: Weights) -> None:
        self._parent, self._weights = parent, weights
        self._found: list[tuple[Floats, Floats]] = []

    def of(self, index: int) -> tuple[Floats, Floats]:
        """Moments of the parent's node."""
        for node in self._parent.nodes[len(self._found) : index + 1]:
            self._found.append(self._next(node))
        return self._found[index]

    def _next(self, node: Node) -> tuple[Floats, Floats]:
        read = [self._found[source] for source in node.inputs]
        if isinstance(node.layer, Conv2D | DepthwiseConv2D):
            mean, deviation = (self._weights[f"{node.name}:{name}"] for name in ("beta", "gamma"))
            return rectified(mean.astype(float), np.abs(deviation).astype(float), node.layer.activation)
        if isinstance(node.layer, Add):  # as if independent
            return read[0][0] + read[1][0], read[0][1] + read[1][1]
        if isinstance(node.layer, Concat):
            return np.concatenate([m for m, _ in read]), np.concatenate([v for _, v in read])
        if len(read) == 1 and read[0][0].shape == node.shape[2:]:
            return read[0]
        return np.zeros(node.shape[2]), np.ones(node.shape[2])


def rectified(mean: Floats, deviation: Floats, activation: str | None) -> tuple[Floats, Floats]:
    """Mean and variance of activation(x) for x ~ N(mean, deviation**2).

    With E1 and E2 the first moments of max(0, x), and E1', E2' of max(0, x - 6), relu6 has the mean
    E1 - E1' and the second moment E2 - E2' - 12 E1', as x**2 - 36 = (x - 6)**2 + 12 (x - 6).
    """
    if activation is None:
        return mean, deviation**2
    first, second = _above_zero(mean, deviation)
    if activation == "relu6":
        beyond, beyond_squared = _above_zero(mean - 6, deviation)
        first, second = first - beyond, second - beyond_squared - 12 * beyond
    return first, np.maximum(0, second - first**2)


def _above_zero(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """First and second moment of max(0, x)."""
    deviation = np.maximum(deviation, 1e-12)
    share = 0.5 + 0.5 * np.vectorize(erf, otypes=[float])(mean / deviation / sqrt(2))
    density = np.exp(-0.5 * (mean / deviation) ** 2) / np.sqrt(2 * np.pi)
    first = mean * share + deviation * density
    return first, (mean**2 + deviation**2) * share + mean * deviation * density
