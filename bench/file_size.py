"""Fits the .tflite size estimate of edgeml/arch/cost.py on converted networks and prints its error.

python bench/file_size.py
"""

from __future__ import annotations

import json
import random

import numpy as np

from edgeml.arch.cell import lower
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.layers import Dense
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import fold
from edgeml.errors import DisconnectedArchError
from edgeml.resources import names
from edgeml.train.build import Weights, build, get_weights

NETWORKS_PER_SPACE = 10


def networks():
    """Graphs of every built-in space, half of them for 8x8 grey and half for 24x24 colour images."""
    for name in names("search_spaces"):
        space, rng, count = load_space(name), random.Random(name), 0
        while count < NETWORKS_PER_SPACE:
            task = Task((24, 24, 3) if count % 2 else (8, 8, 1), 10)
            try:
                yield name, lower(space.decode(space.sample(rng), task))
            except DisconnectedArchError:
                continue
            count += 1


def trained_like(graph: Graph, seed: int) -> Weights:
    """Fresh kernels with BatchNorm vectors as training leaves them: none of them constant."""
    rng, weights = np.random.default_rng(seed), get_weights(build(graph, seed), graph)
    for name, value in weights.items():
        if not name.endswith(":kernel"):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
    return weights


def main() -> None:
    """Print the fitted bytes and the largest relative error, of the fit and of the constants in use."""
    features, sizes, used = [], [], []
    for _, graph in networks():
        images = np.random.default_rng(0).integers(0, 256, (4, *graph.input_shape), dtype=np.uint8)
        model = to_tflite(graph, fold(graph, trained_like(graph, len(sizes))), images)
        kernels = [node for node in graph.nodes if node.weight_shapes]
        channels = sum(node.shape[2] for node in kernels if not isinstance(node.layer, Dense))
        features.append([1, len(graph.nodes), len(kernels), channels])
        sizes.append((len(model), cost(graph).weight_bytes))
        used.append(cost(graph).size_bytes)
    rows, bytes_ = np.array(features, float), np.array(sizes, float)
    overhead = bytes_[:, 0] - bytes_[:, 1]
    fitted, *_ = np.linalg.lstsq(rows / bytes_[:, :1], overhead / bytes_[:, 0], rcond=None)
    error = np.abs(rows @ fitted - overhead) / bytes_[:, 0]
    in_use = np.abs(np.array(used) / bytes_[:, 0] - 1)
    labels = ("file", "per_node", "per_kernel", "per_channel")
    result = {
        "networks": len(rows),
        "fitted_bytes": dict(zip(labels, fitted.round(1).tolist(), strict=True)),
        "largest_error_of_fit": float(error.max()),
        "largest_error_in_use": float(in_use.max()),
        "median_error_in_use": float(np.median(in_use)),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
