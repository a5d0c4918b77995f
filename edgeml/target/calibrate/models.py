"""Target and seed -> a designed set of models to time on a device, as different as the spaces allow.

Random architectures of the built-in search spaces at several image sizes; of these, the ones that lie
furthest apart in the estimator's amounts of work (logarithms, each scaled to its spread). Weights are random:
time does not depend on them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import Folded
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import DisconnectedArchError, InfeasibleError
from edgeml.target.calibrate.estimators import estimator_of
from edgeml.target.calibrate.fit import Array
from edgeml.target.profile import Target
from edgeml.target.rule_sets import verdicts

SPACES = ("mbconv_macro", "micro_cell", "nano")
SIZES = (32, 48, 64, 96, 128, 160)
CLASSES = 10
CANDIDATES = 180
MOST_MACS = 150e6
"""So that the slowest takes tenths of a second on the slowest core."""


def designed_set(count: int, seed: int, target: Target) -> dict[str, bytes]:
    """Number of models and seed -> int8 TFLite files by name, the same every time.

    Raises:
        InfeasibleError: hardly any architecture meets the target's limits and rules.
    """
    found = [(name, graph) for name, graph in _candidates(seed) if _allowed(graph, target)]
    if len(found) < count:
        raise InfeasibleError(
            f"only {len(found)} of {CANDIDATES} random architectures meet the rules and limits of target "
            f"{target.name}, expected {count}; calibrate from a CSV file of models that do."
        )
    _, estimator = estimator_of(target)
    work = np.array([estimator.amounts(outline(graph), target) for _, graph in found])
    rng = np.random.default_rng(seed)
    return {found[i][0]: _convert(found[i][1], rng) for i in spread(work, count)}


def spread(amounts: Array, count: int) -> list[int]:
    """Amounts (n, k) -> indices of `count` rows, each the furthest from those chosen before."""
    logs = np.log(amounts + 1e-3 * amounts.max(0) + 1e-12)
    scaled = (logs - logs.mean(0)) / np.maximum(logs.std(0), 1e-9)
    chosen = [int(np.argmin(np.linalg.norm(scaled, axis=1)))]
    distance = np.linalg.norm(scaled - scaled[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return sorted(chosen)


def _candidates(seed: int) -> Iterator[tuple[str, Graph]]:
    rng = random.Random(seed)
    for number in range(CANDIDATES):
        space, size = SPACES[number % len(SPACES)], rng.choice(SIZES)
        loaded = load_space(space)
        try:
            arch = loaded.decode(loaded.sample(rng), Task((size, size, 3), CLASSES))
            yield f"{number:03d}-{space}-{size}.tflite", arch.graph
        except DisconnectedArchError:
            continue


def _allowed(graph: Graph, target: Target) -> bool:
    known, limits = cost(graph), target.limit_values()
    if known.macs > MOST_MACS or known.ram_bytes > limits.get("ram_bytes", np.inf):
        return False
    if known.size_bytes > min(limits.get(name, np.inf) for name in ("size_bytes", "flash_bytes")):
        return False
    return target.rules is None or all(one.mapped for one in verdicts(outline(graph), None, target))


def _convert(graph: Graph, rng: np.random.Generator) -> bytes:
    """Random weights whose outputs stay of the size of their inputs (He et al. 2015)."""
    folded = {}
    for node in graph.nodes:
        if not node.weight_shapes:
            continue
        shape = node.weight_shapes["kernel"]
        depthwise = len(shape) == 4 and shape[3] == 1 and node.shape[2] == shape[2]
        fan_in = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
        kernel = rng.normal(size=shape) * np.sqrt(2 / fan_in) * graph.input_scale(node)
        bias = np.zeros(node.shape[2], np.float32)
        folded[node.name] = Folded(kernel.astype(np.float32), bias)
    images = rng.integers(0, 256, (2, *graph.input_shape), np.uint8)
    return to_tflite(graph, folded, images)
