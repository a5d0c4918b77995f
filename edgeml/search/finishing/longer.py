"""A finalist trained further, from its own weights. Runs in a worker process, like an evaluation.

weights -> fit -> convert -> accuracy of the artifact -> (better than before: measure -> candidate folder)
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeml.arch.cost import cost
from edgeml.errors import ModelError
from edgeml.search.candidate import Candidate, artifact_record
from edgeml.search.evaluate import CALIBRATION_IMAGES, Job, forget
from edgeml.search.finishing.finalist import Finalist
from edgeml.search.fitted import fitted
from edgeml.search.run_dir import RunDir
from edgeml.search.stopwatch import Stopwatch
from edgeml.target.limits import violations
from edgeml.train.fidelity import Fidelity


@dataclass(frozen=True)
class _Found:
    """What came of a training.

    Attributes:
        row: of `Candidate.further`.
        changed: fields of the candidate, where it is better.
        files: of its folder, where it is better.
    """

    row: dict[str, Any]
    changed: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def train_longer(job: Job, key: str, fidelity: Fidelity) -> Candidate:
    """Train a stored candidate once more, from its weights; keep what came of it where that is better.

    Better is a higher accuracy of the int8 artifact on validation, within the limits; else its folder keeps
    the files that it has. Either way `Candidate.further` has a row of it.

    Args:
        job: of the run.
        key: of a fully trained candidate whose recipe compresses nothing.
        fidelity: of this training alone.

    Returns:
        The candidate as it is stored now.

    Raises:
        StorageError: the folder cannot be written.
    """
    clock, run = Stopwatch(), RunDir(Path(job.run))
    finalist = Finalist(job, key)
    before = finalist.candidate
    try:
        found = _trained(finalist, fidelity, clock)
    except ModelError as error:
        found = _Found({"epochs": 0.0, "failure": str(error)})
    finally:
        forget()
    row = {
        "before": before.accuracy,
        "kept": bool(found.files),
        **found.row,
        "train_s": clock.seconds["train"],
        "cpu_s": round(time.process_time() - clock.began_cpu_s, 3),
    }
    done = replace(
        before, further=[*before.further, row], time_s=clock.added_to(before.time_s), **found.changed
    )
    if found.files:
        run.store(done, found.files)
    else:
        run.update(done)
    return done


def _trained(finalist: Finalist, fidelity: Fidelity, clock: Stopwatch) -> _Found:
    from safetensors.numpy import save

    from edgeml.train.build import build, set_weights
    from edgeml.train.fit import choose_threads

    graph, data, job, before = finalist.graph, finalist.data, finalist.job, finalist.candidate
    choose_threads(graph.input_shape[0] * graph.input_shape[1])
    seed = before.seed + len(before.further) + 1  # another order of the samples
    with clock("build"):
        model = build(graph, before.seed, finalist.recipe.initialiser)
        set_weights(model, graph, finalist.weights)
    images = data.calibration(CALIBRATION_IMAGES, before.seed)
    found = fitted(model, graph, data, fidelity, finalist.recipe, seed, images, clock)
    result, scores = found.result, {"accuracy": found.accuracy, "accuracy_float": found.float_accuracy}
    row = {"epochs": round(result.epochs, 3), **scores}
    if found.accuracy <= finalist.accuracy:
        return _Found(row)
    with clock("measure"):
        metrics = job.targets.measure(found.artifact, cost(graph))
    if violations({name: figure.value for name, figure in metrics.items()}, job.limits):
        return _Found(row)
    stored, had = save(found.weights), before.fidelity
    changed = {
        **scores,
        "metrics": {name: figure.to_dict() for name, figure in metrics.items()},
        "fidelity": {
            "epochs": round(had.get("epochs", 0.0) + result.epochs, 3),
            "samples": had.get("samples", 0) + result.samples,
        },
        "artifact": artifact_record(found.artifact, stored),
        "history": [*before.history, *result.history],
        "test_accuracy": None,
        "compression": None,  # what was tried on the weights before
    }
    return _Found(row, changed, {"model.tflite": found.artifact, "weights.safetensors": stored})
