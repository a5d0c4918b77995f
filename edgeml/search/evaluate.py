"""One architecture -> one candidate. A function of its arguments; runs in a worker process.

build -> (untrained artifact measured, where a limit is on what a meter reads off it) -> inherit -> fit
-> convert -> accuracy of the artifact -> measure -> candidate folder
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch, lower
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.data.dataset import Dataset
from edgeml.errors import ModelError
from edgeml.search.candidate import Candidate
from edgeml.search.run_dir import RunDir
from edgeml.target.limits import describe, violations
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity

CALIBRATION_IMAGES = 200


@dataclass(frozen=True)
class Job:
    """What all evaluations of a run share.

    Attributes:
        run: the run directory; its data/ holds the data set.
        targets: device profiles.
        limits: by metric.
        inherit: start from the parent's weights where there is a parent.
    """

    run: str
    targets: Targets
    limits: dict[str, float]
    inherit: bool = True


@dataclass(frozen=True)
class Order:
    """One evaluation: the architecture, how much training, which parent, which seed."""

    number: int
    choices: dict[str, Any]
    arch: dict[str, Any]
    fidelity: Fidelity
    seed: int
    parent: str | None = None


class _InfeasibleError(Exception):
    """A limit is broken by these metrics, before training."""

    def __init__(self, reason: str, metrics: dict[str, Any]) -> None:
        super().__init__(reason)
        self.metrics = metrics


def evaluate(job: Job, order: Order) -> Candidate:
    """Train, convert and measure one architecture and store its folder.

    Returns:
        The candidate; training or conversion that fails gives status "failed" with a reason.

    Raises:
        StorageError: the folder cannot be written.
    """
    arch = Arch.from_dict(order.arch)
    candidate = Candidate(arch.key, order.number, "complete", order.choices, order.arch, order.seed)
    files: dict[str, bytes] = {}
    try:
        candidate = _run(job, order, arch.graph, candidate, files)
    except ModelError as error:
        candidate = replace(candidate, status="failed", reason=str(error))
    except _InfeasibleError as error:
        candidate = replace(candidate, status="infeasible", reason=str(error), metrics=error.metrics)
    finally:
        _forget()
    RunDir(Path(job.run)).store(candidate, files)
    return candidate


def _forget() -> None:
    """Drop Keras's global graph, so that a worker's memory does not grow from trial to trial."""
    import tf_keras

    tf_keras.backend.clear_session()


def _run(job: Job, order: Order, graph: Graph, candidate: Candidate, files: dict[str, bytes]) -> Candidate:
    from safetensors.numpy import save

    from edgeml.deploy import runtime
    from edgeml.deploy.convert import to_tflite
    from edgeml.deploy.fold import fold
    from edgeml.train.build import build, get_weights, set_weights
    from edgeml.train.fit import accuracy_float, choose_threads, default_recipe, fit

    clock = _Clock()
    choose_threads(graph.input_shape[0] * graph.input_shape[1])
    data = _data(job.run, *graph.input_shape[:2])
    with clock("build"):
        model = build(graph, order.seed)
    calibration = data.calibration(CALIBRATION_IMAGES, order.seed)
    if job.targets.limited_by_artifact(job.limits):
        with clock("measure"):
            untrained = to_tflite(graph, fold(graph, get_weights(model, graph)), calibration[:8])
            _check_untrained(untrained, graph, job)
    parent, fraction = None, None
    if job.inherit and order.parent:
        fresh = get_weights(model, graph)
        inherited, fraction = _inherit(RunDir(Path(job.run)), graph, fresh, order.parent)
        set_weights(model, graph, inherited)
        parent = order.parent
    with clock("train"):
        result = fit(model, data.train, order.fidelity, default_recipe(graph.input_shape[2]), order.seed)
        if result.failure:
            raise ModelError(f"training failed: {result.failure}")
    with clock("accuracy"):
        float_accuracy = accuracy_float(model, data.val)
    weights = get_weights(model, graph)
    with clock("convert"):
        artifact = to_tflite(graph, fold(graph, weights), calibration)
    with clock("accuracy"):
        accuracy = runtime.accuracy(artifact, data.val)
    with clock("measure"):
        metrics = job.targets.measure(artifact, cost(graph))
    files.update({"model.tflite": artifact, "weights.safetensors": save(weights)})
    digest = hashlib.sha256(artifact).hexdigest()
    done = replace(
        candidate,
        accuracy=accuracy,
        accuracy_float=float_accuracy,
        metrics={name: m.to_dict() for name, m in metrics.items()},
        fidelity={"epochs": round(result.epochs, 3), "samples": result.samples},
        parent=parent,
        inherited_fraction=fraction,
        artifact={"format": "tflite", "file": "model.tflite", "bytes": len(artifact), "sha256": digest},
        history=result.history,
        time_s=clock.seconds,
    )
    broken = violations({name: m.value for name, m in metrics.items()}, job.limits)
    return replace(done, status="infeasible", reason=_sentence(done.metrics, broken, job)) if broken else done


def _check_untrained(artifact: bytes, graph: Graph, job: Job) -> None:
    """Give up before training where a limit is broken; of an interval, only where the whole of it is."""
    found = job.targets.measure(artifact, cost(graph))
    broken = violations({name: figure.low for name, figure in found.items()}, job.limits)
    if broken:
        metrics = {name: figure.to_dict() for name, figure in found.items()}
        raise _InfeasibleError(_sentence(metrics, broken, job), metrics)


def _sentence(metrics: dict[str, Any], broken: dict[str, float], job: Job) -> str:
    parts = []
    for name in broken:
        found, limit = describe(name, metrics[name]["value"]), describe(name, job.limits[name])
        parts.append(f"{name} {found} is over the limit of {limit}")
    return "; ".join(parts)


def _inherit(run: RunDir, graph: Graph, fresh: Any, parent: str) -> tuple[Any, float]:
    from edgeml.search.run_dir import read_json
    from edgeml.train.inherit import SHRINK, inherit, load_weights

    folder = run.candidates / parent
    source = lower(Arch.from_dict(read_json(folder / "candidate.json")["arch"]))
    weights = load_weights(str(folder / "weights.safetensors"))
    inherited = inherit(graph, fresh, source, weights, shrink=SHRINK)
    return inherited.weights, inherited.fraction


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
        test = _data(job.run, height, width).test
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
    from edgeml.search.run_dir import read_json

    arch: dict[str, Any] = read_json(run.candidates / key / "candidate.json")["arch"]
    return arch


@lru_cache(maxsize=4)
def _data(run: str, height: int, width: int) -> Dataset:
    """The run's data at one size; kept between evaluations of one worker."""
    return Dataset.open(Path(run) / "data").resized(height, width)


class _Clock:
    """Adds up wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began
