"""Random architectures of a search space as .tflite files with random weights, for benchmarks and tests."""

from __future__ import annotations

import random

import numpy as np

from edgeml.arch.cell import lower
from edgeml.arch.graph import Graph
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import fold
from edgeml.errors import DisconnectedArchError


def random_graph(
    space: str, seed: int, shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10
) -> Graph:
    """A connected architecture of a space."""
    choices, rng = load_space(space), random.Random(seed)
    while True:
        try:
            return lower(choices.decode(choices.sample(rng), Task(shape, classes)))
        except DisconnectedArchError:
            continue


def random_tflite(graph: Graph, seed: int = 0, images: int = 4) -> bytes:
    """Architecture -> full int8 file; random weights of a scale that keeps activations alive."""
    rng = np.random.default_rng(seed)
    weights = {}
    for node in graph.nodes:
        for name, shape in node.weight_shapes.items():
            weights[f"{node.name}:{name}"] = _weight(rng, name, tuple(shape))
    calibration = rng.integers(0, 256, (images, *graph.input_shape), np.uint8)
    return to_tflite(graph, fold(graph, weights), calibration)


def _weight(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name == "kernel":
        fan_in = int(np.prod(shape[:-1])) if shape[-1] > 1 else int(np.prod(shape[:2]))
        return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
    if name in ("gamma", "variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return rng.normal(0, 0.2, shape).astype(np.float32)
