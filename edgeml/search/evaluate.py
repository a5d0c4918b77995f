"""One order -> one candidate. A function of its arguments; runs in a worker process.

build -> (untrained artifact measured, where only that tells whether a limit holds) -> inherit, or the
candidate's own weights -> fit -> convert -> accuracy of the artifact -> measure -> candidate folder
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.layers import Shape
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Dataset
from edgeml.data.goal import ACCURACY, Goal
from edgeml.errors import EdgemlError, ModelError, unforeseen
from edgeml.search.candidate import Candidate, artifact_record
from edgeml.search.fitted import fitted
from edgeml.search.ladder import Rung
from edgeml.search.run_dir import RunDir
from edgeml.search.stopwatch import Stopwatch
from edgeml.target.limits import describe, violations
from edgeml.target.targets import Targets
from edgeml.train import awake
from edgeml.train.fidelity import Fidelity

CALIBRATION_IMAGES = 200


@dataclass(frozen=True)
class Job:
    """What all evaluations of a run share.

    Attributes:
        run: the run directory; its data/ holds the data set.
        targets: device profiles.
        limits: by metric.
        inherit: where a new network's weights come from: morph, bank or none (search/start.py).
        goal: how outputs are scored; the data carry it too.
        rungs: of the search's ladder; a parent may have been trained on any of them.
    """

    run: str
    targets: Targets
    limits: dict[str, float]
    inherit: str = "none"
    goal: Goal = ACCURACY
    rungs: tuple[Rung, ...] = (Rung(1.0),)

    @property
    def inherits(self) -> bool:
        """Whether new networks start from a trained parent."""
        return self.inherit == "morph"

    @property
    def from_bank(self) -> bool:
        """Whether new networks start from the weight bank, and trained ones are written into it."""
        return self.inherit == "bank"


@dataclass(frozen=True)
class Order:
    """One training: the architecture, how much of it, where its weights come from, what it has to reach.

    Attributes:
        number, key, choices, arch, recipe, seed: of the candidate.
        rung, index: the rung, and its place on the ladder.
        top: this is full training.
        cost: of this training, in full trainings, if it is done to its end.
        fidelity: what is trained now.
        before: the candidate as it was, where it is trained further.
        carry: go on from its own weights.
        parent: key of the candidate to inherit from.
        needed: accuracy that joins the front at its costs; 0 where it is not known or does not matter.
        curves: completed learning curves of this rung.
        at_s: seconds of search when it was given to a worker.
    """

    number: int
    key: str
    choices: dict[str, Any]
    arch: dict[str, Any]
    seed: int
    fidelity: Fidelity
    recipe: Recipe = field(default_factory=Recipe)
    rung: Rung = field(default_factory=lambda: Rung(1.0))
    index: int = 0
    top: bool = True
    cost: float = 1.0
    before: Candidate | None = None
    carry: bool = False
    parent: str | None = None
    needed: float = 0.0
    curves: tuple[tuple[float, ...], ...] = ()
    at_s: float = 0.0


class _InfeasibleError(Exception):
    """A limit is broken by these metrics, before training."""

    def __init__(self, reason: str, metrics: dict[str, Any]) -> None:
        super().__init__(reason)
        self.metrics = metrics


def evaluate(job: Job, order: Order) -> Candidate:
    """Train, convert and measure one architecture on one rung and store its folder.

    Returns:
        The candidate; training or conversion that fails gives status "failed" with a reason.

    Raises:
        StorageError: the folder cannot be written.
    """
    began = awake.now()
    arch = Arch.from_dict(order.arch)
    candidate = order.before or Candidate(
        order.key, order.number, "complete", order.choices, order.arch, order.seed
    )
    candidate = replace(candidate, rung=order.index, recipe=order.recipe.to_dict())
    files: dict[str, bytes] = {}
    try:
        candidate = _run(job, order, arch, candidate, files)
    except ModelError as error:
        candidate = _failed(candidate, str(error), files)
    except _InfeasibleError as error:
        candidate = replace(candidate, status="infeasible", reason=str(error), metrics=error.metrics)
    except (EdgemlError, OSError, MemoryError):
        raise
    except Exception as error:  # one candidate's, not the search's
        candidate = _failed(candidate, unforeseen(error), files)
    finally:
        forget()
    candidate = stamp(candidate, order.at_s + awake.now() - began)
    RunDir(Path(job.run)).store(candidate, files)
    return candidate


def _failed(candidate: Candidate, reason: str, files: dict[str, bytes]) -> Candidate:
    """What is stored of a failed training: no files, those of the rung below go with its folder."""
    files.clear()
    return replace(candidate, status="failed", reason=reason, artifact=None)


def stamp(candidate: Candidate, at_s: float) -> Candidate:
    """Say at which second of the search a candidate's last training was done."""
    rows = [*candidate.rungs[:-1], *({**row, "at_s": at_s} for row in candidate.rungs[-1:])]
    return replace(candidate, finished_at_s=at_s, rungs=rows)


def forget() -> None:
    """Drop Keras's global graph, so that a worker's memory does not grow from trial to trial."""
    import tf_keras

    tf_keras.backend.clear_session()


def _run(job: Job, order: Order, arch: Arch, candidate: Candidate, files: dict[str, bytes]) -> Candidate:
    from safetensors.numpy import save

    from edgeml.search.finishing.trained import Trained
    from edgeml.search.finishing.tuning import compressed
    from edgeml.search.start import UNCOMPRESSED, start
    from edgeml.search.watching import Watching
    from edgeml.train.build import build
    from edgeml.train.fit import choose_threads

    clock = Stopwatch()
    graph = order.rung.scaled(arch).graph  # what is trained; the network itself on most ladders
    choose_threads(graph.input_shape[0] * graph.input_shape[1])
    data = open_data(job.run, graph.input_shape, arch.front)
    with clock("build"):
        model = build(graph, order.seed, order.recipe.initialiser)
    calibration = data.calibration(CALIBRATION_IMAGES, order.seed)
    if order.before is None and job.targets.undecided(arch.graph, job.limits):
        with clock("measure"):
            untrained = _untrained(arch, job, order)
            _check_untrained(untrained, arch.graph, job)
    started = start(RunDir(Path(job.run)), job, order, graph, model)
    watching = Watching(order, data.val, warm=order.carry or bool(started.get("source")))
    found = fitted(
        model, graph, data, order.fidelity, order.recipe, order.seed, calibration, clock, watching.watch
    )
    result, weights, float_accuracy = found.result, found.weights, found.float_accuracy
    artifact, accuracy = found.artifact, found.accuracy
    if order.recipe.compression != "none" and order.top and not result.stopped:
        epochs = candidate.fidelity.get("epochs", 0.0) * order.carry + result.epochs
        network = Trained(graph, weights, data, order.seed, order.recipe, float_accuracy, accuracy)
        files[UNCOMPRESSED] = save(weights)
        with clock("compress"):
            tuned, int8, started["compression"] = compressed(network, epochs)
        weights, artifact, accuracy = tuned.weights, int8.artifact, int8.accuracy
    with clock("measure"):
        model_itself = artifact if order.rung.whole else _untrained(arch, job, order)
        metrics = job.targets.measure(model_itself, cost(arch.graph))
    files.update({"model.tflite": artifact, "weights.safetensors": save(weights)})
    row = {
        "rung": order.index,
        "epochs": round(result.epochs, 3),
        "accuracy": accuracy,
        "accuracy_float": float_accuracy,
        "cost": order.cost * result.share,
        "share": round(result.share, 4),
        "train_s": clock.seconds["train"],
        "besides_s": sum(clock.seconds.values()) - clock.seconds["train"],
        "cpu_s": round(time.process_time() - clock.began_cpu_s, 3),
        **watching.found(result),
    }
    before = candidate.fidelity
    done = replace(
        candidate,
        status="complete" if order.top and not result.stopped else "stopped",
        reason=result.stopped,
        accuracy=accuracy,
        accuracy_float=float_accuracy,
        metrics={name: m.to_dict() for name, m in metrics.items()},
        fidelity={
            "epochs": round(before.get("epochs", 0.0) * order.carry + result.epochs, 3),
            "samples": before.get("samples", 0) * order.carry + result.samples,
        },
        rungs=[*candidate.rungs, row],
        artifact=artifact_record(artifact, files["weights.safetensors"]),
        history=[*candidate.history, *result.history],
        time_s=clock.added_to(candidate.time_s),
        **started,
    )
    broken = violations({name: m.value for name, m in metrics.items()}, job.limits)
    return replace(done, status="infeasible", reason=_sentence(done.metrics, broken, job)) if broken else done


def _untrained(arch: Arch, job: Job, order: Order) -> bytes:
    """The network itself, converted with fresh weights: for what does not depend on them."""
    from edgeml.deploy.convert import to_tflite
    from edgeml.deploy.fold import fold
    from edgeml.train.build import build, get_weights

    graph = arch.graph
    data = open_data(job.run, graph.input_shape, arch.front)
    model = build(graph, order.seed)
    return to_tflite(graph, fold(graph, get_weights(model, graph)), data.calibration(8, order.seed))


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


@lru_cache(maxsize=4)
def open_data(run: str, shape: Shape, front: str = "") -> Dataset:
    """The run's data as a network of this input shape and audio front end reads them.

    Kept between evaluations of one worker.
    """
    data = _opened(run)
    if front:
        data = data.fronted(front)
    return data.resized(*shape[:2])


@lru_cache(maxsize=1)
def _opened(run: str) -> Dataset:
    return Dataset.open(Path(run) / "data")
