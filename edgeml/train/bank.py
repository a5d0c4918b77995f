"""Weight bank: trained weights shared by all candidates of a search, by place and kind of layer.

Every trained candidate deposits its weights and every new one starts from a slice: leading channels, the
centre of spatial kernels (as in Cai et al. 2020, "Once-for-All", whose supernet is one large network; here it
grows out of the candidates). Weights of one place are kept apart where their channels cannot mean the same:
other layers on the same edge, another activation, another source. Plain numpy: the coordinator writes, the
workers read.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph, Node
from edgeml.durable import write_whole
from edgeml.errors import RunError
from edgeml.train.build import Weights

MIX = 0.5
"""Share of a child in what the bank holds after its deposit. Two seeds of bench/inheritance.py could not tell
it from 1 (docs/decisions/005)."""

SEEN = "seen"
"""Name under which the samples that trained each kernel weight are kept, beside the weights themselves."""


class Bank:
    """Weights by "slot:name", in the largest shapes seen; 0 samples where nothing was deposited yet."""

    def __init__(self, arrays: Weights | None = None, path: Path | None = None) -> None:
        self._arrays: Weights = dict(arrays or {})
        self._path = path

    @classmethod
    def open(cls, path: str | Path) -> Bank:
        """The bank stored at `path`, or an empty one that `save` will write there.

        Raises:
            RunError: the file is there but holds no bank.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(path)
        if not path.exists():
            return cls(path=path)
        try:
            arrays = dict(load_file(path))
        except (OSError, SafetensorError) as error:
            raise RunError(
                f"{path}: no weight bank ({str(error)[:200]}); delete it, the search makes a new one."
            ) from error
        return cls(arrays, path)

    def save(self) -> None:
        """Write the bank where it was opened, whole or not at all.

        Raises:
            RunError: it was not opened from a path.
            StorageError: the disk is full or the folder read-only.
        """
        from safetensors.numpy import save

        if self._path is None:
            raise RunError("this weight bank has no file; make it with Bank.open(path).")
        write_whole(self._path, save(self._arrays))

    def slice(self, graph: Graph, fresh: Weights) -> tuple[Weights, float]:
        """Start weights of a network: the bank's where it has any, `fresh` elsewhere.

        Args:
            graph: the new network.
            fresh: its initial weights by "place:name".

        Returns:
            Weights in the shapes of `fresh`, and the fraction of kernel weights that came from the bank.
        """
        result, known, total = dict(fresh), 0, 0
        for node, slot in slots(graph):
            total += prod(node.weight_shapes["kernel"])
            if f"{slot}:{SEEN}" not in self._arrays:
                continue
            for name in node.weight_shapes:
                key = f"{node.name}:{name}"
                mask = self._seen(slot, fresh[key].shape) > 0
                stored = _cut(self._arrays[f"{slot}:{name}"], fresh[key].shape)
                result[key] = np.where(mask, stored, fresh[key]).astype(np.float32)
                known += int(mask.sum()) if name == "kernel" else 0
        return result, known / total if total else 0.0

    def deposit(self, graph: Graph, weights: Weights, samples: int, mix: float = MIX) -> None:
        """Take a trained network's weights in.

        What nobody trained before is stored as it is; elsewhere the bank moves by `mix` towards the network
        (as Reptile does, Nichol et al. 2018), because others start from it as well.

        Args:
            graph: the trained network.
            weights: by "place:name".
            samples: that it was trained on; counted for every weight.
            mix: 1 overwrites.
        """
        for node, slot in slots(graph):
            for name in (*(n for n in node.weight_shapes if n != "kernel"), "kernel"):
                value = weights[f"{node.name}:{name}"]
                key = f"{slot}:{name}"
                shape = union(value.shape, self._arrays[key].shape) if key in self._arrays else value.shape
                stored = _cut(self._arrays.get(key, np.zeros_like(value)), shape)
                seen = self._seen(slot, shape)
                inside = box(shape, value.shape)
                share = np.where(seen[inside] > 0, np.float32(mix), np.float32(1))
                stored[inside] += share * (value - stored[inside])
                self._arrays[key] = stored
                if name == "kernel":
                    seen[inside] += samples
                    self._arrays[f"{slot}:{SEEN}"] = seen

    def samples(self, graph: Graph) -> float:
        """Samples that trained a network's kernel weights so far, the mean over its weights."""
        found = [self._seen(slot, tuple(node.weight_shapes["kernel"])) for node, slot in slots(graph)]
        return float(sum(f.sum() for f in found) / max(1, sum(f.size for f in found)))

    def _seen(self, slot: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Samples by weight, in a shape; a vector's are those of its channel."""
        kernel = self._arrays.get(f"{slot}:{SEEN}")
        if kernel is None:
            return np.zeros(shape, np.float32)
        if len(shape) == 1:
            channels = 2 if "|DepthwiseConv2D|" in slot else kernel.ndim - 1
            kernel = kernel.max(axis=tuple(axis for axis in range(kernel.ndim) if axis != channels))
        return _cut(kernel, shape)


def slots(graph: Graph) -> Iterator[tuple[Node, str]]:
    """Nodes that hold a kernel, each with the name its weights have in a bank.

    The name holds the place, the layer's type and activation, the layers with weights on the same edge (the
    channels inside an inverted residual are not those inside a separable convolution), and the source.
    """
    edges: dict[str, list[str]] = {}
    for node in graph.nodes:
        if "kernel" in node.weight_shapes:
            place, _, layer = node.name.rpartition("/")
            edges.setdefault(place, []).append(layer)
    for node in graph.nodes:
        if "kernel" not in node.weight_shapes:
            continue
        place = node.name.rpartition("/")[0]
        activation = getattr(node.layer, "activation", None)
        parts = (
            type(node.layer).__name__,
            activation or "linear",
            "+".join(edges[place]),
            _source(graph, node),
        )
        yield node, f"{node.name}|{'|'.join(parts)}"


def _source(graph: Graph, node: Node) -> str:
    """Where the input comes from: the layer on the same edge, the node of the same cell, or the stage."""
    here, there = node.name.split("/"), graph.nodes[node.inputs[0]].name.split("/")
    if here[:-1] == there[:-1]:
        return there[-1]
    if len(there) > 2 and here[:2] == there[:2]:
        return there[2]
    return there[0]


def union(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest shape that holds both."""
    return tuple(max(a, b) for a, b in zip(one, other, strict=True))


def box(outer: tuple[int, ...], inner: tuple[int, ...]) -> tuple[slice, ...]:
    """Where an inner shape lies in an outer one: centred on spatial axes, from the start on channels."""
    starts = [
        (o - i) // 2 if len(outer) == 4 and a < 2 else 0
        for a, (o, i) in enumerate(zip(outer, inner, strict=True))
    ]
    return tuple(slice(s, s + i) for s, i in zip(starts, inner, strict=True))


def _cut(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array cut or zero-padded to a shape (a copy)."""
    result = np.zeros(shape, np.float32)
    shared = tuple(min(a, b) for a, b in zip(array.shape, shape, strict=True))
    result[box(shape, shared)] = array[box(array.shape, shared)]
    return result
