"""Final figures of the front: test accuracy of every artifact, latencies in one interleaved session."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.recipe import Recipe
from edgeml.data.goal import wilson
from edgeml.errors import ModelError
from edgeml.search.evaluate import CALIBRATION_IMAGES, Job, open_data
from edgeml.search.finishing.trained import Trained
from edgeml.search.finishing.tuning import compressed
from edgeml.search.fitted import fitted
from edgeml.search.run_dir import RunDir
from edgeml.search.stopwatch import Stopwatch
from edgeml.train.fidelity import Fidelity


def finish(job: Job, keys: list[str]) -> dict[str, dict[str, Any]]:
    """Final figures of the front: test accuracy of every artifact, latencies in one interleaved session.

    Returns:
        By key: {"test_accuracy": {...}, "metrics": {metric: Measurement dict}}; metrics holds what differs
        from run to run.
    """
    from edgeml.deploy import runtime

    run = RunDir(Path(job.run))
    models = {key: run.model(key) for key in keys}
    found: dict[str, dict[str, Any]] = {}
    for key, model in models.items():
        arch = Arch.from_dict(run.load(key).arch)
        test = open_data(job.run, arch.input_shape, arch.front).test
        outputs = runtime.predict(model, test.inputs)
        found[key] = {"test_accuracy": test.goal.intervals(outputs, test)}
    for key, figures in job.targets.measure_again(models).items():
        found[key]["metrics"] = {name: figure.to_dict() for name, figure in figures.items()}
    return found


def confirm(job: Job, key: str, fidelity: Fidelity) -> dict[str, Any]:
    """Train a candidate from fresh weights, fully, with another seed, and score its artifact.

    Returns:
        accuracy (int8, validation), accuracy_float, test_accuracy ({value, low, high, n}), epochs, seconds;
        or {"failure": why}.
    """
    from edgeml.deploy import runtime
    from edgeml.train.build import build

    began = time.monotonic()
    candidate = RunDir(Path(job.run)).load(key)
    arch = Arch.from_dict(candidate.arch)
    graph = arch.graph
    recipe, seed = Recipe(**candidate.recipe), candidate.seed + 1
    data = open_data(job.run, graph.input_shape, arch.front)
    model = build(graph, seed, recipe.initialiser)
    images = data.calibration(CALIBRATION_IMAGES, seed)
    try:
        found = fitted(model, graph, data, fidelity, recipe, seed, images, Stopwatch())
    except ModelError as error:
        return {"failure": str(error)}
    artifact, accuracy = found.artifact, found.accuracy
    if recipe.compression != "none":
        network = Trained(graph, found.weights, data, seed, recipe, found.float_accuracy, accuracy)
        int8 = compressed(network, found.result.epochs)[1]
        artifact, accuracy = int8.artifact, int8.accuracy
    return {
        "accuracy": accuracy,
        "accuracy_float": found.float_accuracy,
        "test_accuracy": data.goal.intervals(runtime.predict(artifact, data.test.inputs), data.test),
        "epochs": round(found.result.epochs, 3),
        "seconds": round(time.monotonic() - began, 3),
    }


def interval(hits: int, n: int) -> dict[str, float]:
    """Accuracy with its 95 % Wilson interval (Wilson 1927)."""
    low, high = wilson(hits, n)
    return {"value": hits / n, "low": low, "high": high, "n": n}
