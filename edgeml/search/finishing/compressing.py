"""A finalist -> its compressed variants. Runs in a worker process, like an evaluation.

weights -> (fine-tuning) -> fold -> int8 with several calibrations, the best on validation kept -> measure

Every variant is a candidate of its own, in candidates/KEY-METHOD, with the finalist's architecture. The test
split decides nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeml.errors import MissingToolError, ModelError
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, forget
from edgeml.search.finishing.compression import TOOLKIT, Plan, points
from edgeml.search.finishing.finalist import Finalist
from edgeml.search.finishing.tuning import fine_tuned
from edgeml.search.run_dir import RunDir
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import choose_threads


def compress(job: Job, key: str, plan: Plan, full: Fidelity) -> tuple[Candidate, list[Candidate]]:
    """Do to a stored finalist what the plan asks for, and store what comes of it.

    Args:
        job: of the run.
        key: of a fully trained candidate.
        plan: what to do.
        full: full training; fine-tuning takes a share of its epochs.

    Returns:
        The finalist with the record of what was tried (`compression`) and the size of its zipped file;
        its new variants, complete or infeasible.

    Raises:
        StorageError: the folder cannot be written.
    """
    began = time.monotonic()
    finalist = Finalist(job, key)
    choose_threads(finalist.graph.input_shape[0] * finalist.graph.input_shape[1])
    record: dict[str, Any] = {"asked": plan.word, "max_drop": plan.max_drop, "tried": []}
    variants: list[Candidate] = []
    if finalist.recipe.compression == "none":
        variants = _variants(finalist, plan, full, record)
    else:  # its training has compressed it already
        record = {**(finalist.candidate.compression or {}), **record}
    best = max([finalist.accuracy, *finalist.int8_accuracies()])
    record["drop"] = points(finalist.float_accuracy, best)
    record["warning"] = plan.too_much(finalist.float_accuracy, best)
    record["compress_s"] = round(time.monotonic() - began, 3)
    done = replace(finalist.candidate, compression=record, metrics=finalist.zipped())
    RunDir(Path(job.run)).update(done)
    forget()
    return done, variants


def _variants(finalist: Finalist, plan: Plan, full: Fidelity, record: dict[str, Any]) -> list[Candidate]:
    """Choose the calibration, then do what the method asks for."""
    found: list[Candidate] = []
    try:
        own = finalist.calibrated(finalist.weights, finalist.accuracy)
        record["calibrations"] = own.rows
        if own.accuracy > finalist.accuracy:
            found.append(finalist.variant("ptq", own, finalist.weights, {}))
        if plan.method == "auto" and plan.too_much(finalist.float_accuracy, own.accuracy):
            found += _trained(finalist, replace(plan, method="qat"), full, record, above=own.accuracy)
        elif plan.method not in ("auto", "ptq"):
            found += _trained(finalist, plan, full, record, above=None)
    except ModelError as error:
        record["failure"] = str(error)
    return found


def _trained(
    finalist: Finalist, plan: Plan, full: Fidelity, record: dict[str, Any], above: float | None
) -> list[Candidate]:
    """The variant of a method that trains; none where it fails or is not better than `above`."""
    row: dict[str, Any] = {"method": plan.suffix, "kept": False}
    record["tried"].append(row)
    if find_spec(TOOLKIT) is None:
        row["failure"] = "tensorflow-model-optimization is not installed"
        return []
    try:
        tuned, int8, found = fine_tuned(finalist, plan, full)
    except (ModelError, MissingToolError) as error:
        row["failure"] = str(error)
        return []
    row.update(accuracy=int8.accuracy, seconds=round(tuned.seconds, 3), steps=tuned.steps)
    if above is not None and int8.accuracy <= above:
        return []
    row["kept"] = True
    lossy = plan.too_much(finalist.float_accuracy, int8.accuracy)
    return [
        finalist.variant(
            plan.suffix, int8, tuned.weights, {**found, "max_drop": plan.max_drop, "warning": lossy}
        )
    ]
