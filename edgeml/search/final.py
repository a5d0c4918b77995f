"""Final figures of the front: test accuracy of every artifact, latencies in one interleaved session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.search.evaluate import Job, open_data
from edgeml.search.run_dir import RunDir, read_json


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
        height, width, _ = Arch.from_dict(_arch(run, key)).input_shape
        test = open_data(job.run, height, width).test
        found[key] = {"test_accuracy": interval(round(runtime.accuracy(model, test) * len(test)), len(test))}
    for key, figures in job.targets.measure_again(models).items():
        found[key]["metrics"] = {name: figure.to_dict() for name, figure in figures.items()}
    return found


def interval(hits: int, n: int) -> dict[str, float]:
    """Accuracy with its 95 % Wilson interval (Wilson 1927)."""
    z, share = 1.96, hits / n
    centre, spread = share + z * z / (2 * n), z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    scale = 1 + z * z / n
    return {"value": share, "low": (centre - spread) / scale, "high": (centre + spread) / scale, "n": n}


def _arch(run: RunDir, key: str) -> dict[str, Any]:
    arch: dict[str, Any] = read_json(run.candidates / key / "candidate.json")["arch"]
    return arch
