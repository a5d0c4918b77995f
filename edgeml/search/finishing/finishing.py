"""What follows a search: its front trained further and compressed, measured once more, written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgeml.errors import ModelError
from edgeml.search.candidate import Candidate
from edgeml.search.finishing.compressing import compress
from edgeml.search.finishing.compression import Plan
from edgeml.search.finishing.diagnosis import FILE, diagnose
from edgeml.search.finishing.final import confirm
from edgeml.search.finishing.final import finish as final_figures
from edgeml.search.finishing.further import allowed_s, train_front
from edgeml.search.interrupt import ended_by_ctrl_c
from edgeml.search.run_dir import write_json
from edgeml.search.study import Study
from edgeml.search.workers.executor import Executor, WorkerDiedError
from edgeml.search.workers.trainings import at_once


def finish(study: Study, executor: Executor, plan: Plan, variants: list[Candidate]) -> None:
    """Train the front's members further in the time left for it, compress them, then take final figures.

    Test accuracies come from the artifacts and the untouched test split; latencies are taken anew in one
    session. Where that lets another candidate onto the front, it is compressed too and all are measured
    again, so that every member has its test accuracy.

    Args:
        study: its search is over.
        executor: where models are trained and run.
        plan: what --compress asks for.
        variants: compressed in earlier sessions.
    """
    for variant in variants:
        study.archive.keep(variant)
    with ended_by_ctrl_c(study, executor):
        _finish(study, executor, plan, list(variants))
    study.save(study.status)


def _finish(study: Study, executor: Executor, plan: Plan, variants: list[Candidate]) -> None:
    if not study.progress.interrupted and (most_s := allowed_s(study)) > 0:
        train_front(study, executor, most_s)
    measured: set[str] = set()
    while True:
        if not study.progress.interrupted:
            variants += _compress(study, executor, plan)
        members = [*study.archive.front(), *study.archive.finalists(), *variants]
        keys = {candidate.key for candidate in members}
        complete = [key for key in keys if study.archive.candidates[key].status == "complete"]
        if measured.issuperset(complete):
            break
        _measure(study, executor, sorted(complete))
        measured.update(complete)
    if study.settings.confirm and not study.progress.interrupted:
        _confirm(study, executor)
    _diagnose(study, executor)


def _compress(study: Study, executor: Executor, plan: Plan) -> list[Candidate]:
    """Do what the plan asks for to members of the front that have not been through it; Ctrl-C ends it."""
    found: list[Candidate] = []
    if plan.method == "none":
        return found
    with ended_by_ctrl_c(study, executor), study.clock("compress"):
        missing = [candidate for candidate in study.archive.finalists() if not plan.was_done(candidate)]
        calls = [(compress, study.job, candidate.key, plan, study.fidelity) for candidate in missing]
        for candidate, result in zip(missing, at_once(executor, calls), strict=True):
            done, variants = _compressed(study, plan, candidate, result)
            study.archive.keep(done)
            for variant in variants:
                study.archive.keep(variant)
                study.listener.compressed(study, variant)
            found += variants
    return found


def _compressed(
    study: Study,
    plan: Plan,
    candidate: Candidate,
    result: Callable[[], tuple[Candidate, list[Candidate]]],
) -> tuple[Candidate, list[Candidate]]:
    """A finalist's record and its variants; a crash in native code is a result with a reason."""
    try:
        done, variants = result()
    except WorkerDiedError as error:
        record = {"asked": plan.word, "max_drop": plan.max_drop, "failure": str(error)}
        done, variants = replace(candidate, compression=record), []
        study.run.update(done)
    at = study.progress.elapsed_s
    return done, [replace(variant, finished_at_s=at) for variant in variants]


def _measure(study: Study, executor: Executor, keys: list[str]) -> None:
    """Test accuracies, and latencies in one interleaved session."""
    with study.clock("final"):
        figures = _once(executor, final_figures, study.job, keys)
    for key in keys:
        candidate, own = study.archive.candidates[key], figures[key]
        again = {name: new for name, new in own["metrics"].items() if _same(candidate.metrics, name, new)}
        done = replace(candidate, test_accuracy=own["test_accuracy"], metrics={**candidate.metrics, **again})
        study.run.update(done)
        study.archive.keep(done)


def _diagnose(study: Study, executor: Executor) -> None:
    """What the knee gets wrong, for the report, which does without where that cannot be found out."""
    knee = study.archive.knee()
    if knee is None:
        return
    try:
        with study.clock("final"):
            found = _once(executor, diagnose, study.job, knee.key)
    except ModelError:
        return
    write_json(study.run.path / FILE, found)


def _confirm(study: Study, executor: Executor) -> None:
    """Train every member of the front from fresh weights too: what inheritance did must not be hidden."""
    with study.clock("confirm"):
        missing = [candidate for candidate in study.archive.finalists() if candidate.confirmed is None]
        calls = [(confirm, study.job, candidate.key, study.fidelity) for candidate in missing]
        for candidate, result in zip(missing, at_once(executor, calls), strict=True):
            try:
                found = result()
            except WorkerDiedError as error:
                found = {"failure": str(error)}
            done = replace(candidate, confirmed=found)
            study.run.update(done)
            study.archive.keep(done)


def _once(executor: Executor, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a worker.

    Raises:
        ModelError: one worker after the other died on it.
    """
    (result,) = at_once(executor, [(function, *arguments)])
    try:
        return result()
    except WorkerDiedError as error:
        raise ModelError(
            f"final figures: {error}; go on with --resume (nothing finished is lost)."
        ) from error


def _same(metrics: dict[str, dict[str, Any]], name: str, new: dict[str, Any]) -> bool:
    """Whether a figure taken again comes from the same tool as the one it would replace."""
    return name in metrics and metrics[name]["tool"] == new["tool"]
