"""One session of a search: data in, study run, final figures of the front, everything written down."""

from __future__ import annotations

import os
import platform
import random
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgeml.arch.space import Space, Task
from edgeml.arch.space_file import load_space
from edgeml.data.dataset import Dataset
from edgeml.data.guardrails.guardrails import stop
from edgeml.data.reading import telling
from edgeml.data.source import kind_of
from edgeml.search import deterministic
from edgeml.search.budget import budget
from edgeml.search.candidate import Candidate
from edgeml.search.damage import worked_out
from edgeml.search.database.study_file import mend
from edgeml.search.evaluate import Job, evaluate
from edgeml.search.finishing.compression import plan
from edgeml.search.finishing.finishing import finish
from edgeml.search.finishing.further import pays
from edgeml.search.interrupt import ended_by_ctrl_c
from edgeml.search.ladder import Ladder, load_ladder
from edgeml.search.own_files import copy_files, own
from edgeml.search.progress import Listener
from edgeml.search.prune import Pruned, prune
from edgeml.search.record import RunRecord
from edgeml.search.run_dir import LAYOUT, RunDir
from edgeml.search.settings import Settings, check_same
from edgeml.search.shared.meeting import Meeting
from edgeml.search.source import read_data
from edgeml.search.start import weights_from
from edgeml.search.strategy import strategy
from edgeml.search.study import Study
from edgeml.search.unchanged import check_unchanged, space_dict
from edgeml.search.workers.compute import LOCAL, Compute
from edgeml.search.workers.executor import Executor, Workers
from edgeml.target.host_cpu import cpu_name
from edgeml.target.targets import Targets
from edgeml.train.fidelity import full_fidelity

VERSIONED = (
    "edgeml", "tensorflow", "tf_keras", "ai-edge-litert", "optuna", "numpy", "pillow", "onnx", "onnxruntime",
)  # fmt: skip


def run_session(
    run_dir: RunDir,
    settings: Settings,
    targets: Targets,
    resume: bool,
    listener: Listener | None,
    compute: Compute = LOCAL,
) -> Study:
    """Search in a locked run directory and write its final state.

    Args:
        run_dir: a new directory, or with `resume` one that holds a run.
        settings: what was asked for.
        targets: the loaded profiles.
        resume: go on with what is there.
        listener: told about progress.
        compute: where evaluations run.

    Returns:
        The study, its front complete with test accuracies.

    Raises:
        EdgemlError: bad data, settings that do not fit the run, limits that nothing meets, a full disk.
    """
    began = clock.monotonic()
    if settings.space:
        load_space(*own(run_dir.path, "search_spaces", [settings.space]))  # a wrong name is said before data
    strategy(settings.strategy)
    compression = plan(settings.compress, settings.max_drop)
    ladder = load_ladder(*own(run_dir.path, "fidelities", [settings.fidelity]))
    meeting = Meeting(compute, run_dir)
    said = deterministic.check(settings, targets, compute) if settings.deterministic else []
    if resume:
        check_same(run_dir.open()["settings"], settings)
        run_dir.clear_unfinished()
        run_dir.check_whole()
        if not compute.storage:
            mend(run_dir)
    else:
        run_dir.create()
    executor: Executor | None = None
    try:
        executor = executor_for(compute, run_dir, listener or Listener())
        if settings.deterministic:
            executor = deterministic.Deterministic(executor, compute)
        for sentence in (*said, *meeting.left):
            (listener or Listener()).said(sentence)
        study, variants = _prepare(run_dir, settings, targets, ladder, resume, listener, executor, meeting)
        study.seconds["data"] += clock.monotonic() - began
        study.search()
        if study.progress.interrupted:
            with ended_by_ctrl_c(study, executor):
                executor.kill()
                study.take_stored()
        finish(study, executor, compression, variants)
    finally:
        if executor is not None:
            executor.close()
        meeting.close()
        run_dir.discard()
    return study


def executor_for(compute: Compute, run_dir: RunDir, listener: Listener) -> Executor:
    """What a session's evaluations are given to, started.

    Raises:
        ClusterError: no scheduler answers, or none of its workers can be used.
    """
    if compute.scheduler:
        from edgeml.search.cluster.cluster import Cluster

        return Cluster(compute, run_dir, listener.said)
    workers = Workers(run_dir.log, compute)
    workers.start()
    return workers


def _prepare(
    run_dir: RunDir,
    settings: Settings,
    targets: Targets,
    ladder: Ladder,
    resume: bool,
    listener: Listener | None,
    executor: Executor,
    meeting: Meeting,
) -> tuple[Study, list[Candidate]]:
    """The study, and what earlier sessions made of their finalists."""
    with telling(listener.reading if listener else None):
        data = read_data(run_dir, settings, resume).aimed(settings.metric)
    stop(data.findings, str(data.provenance["source"]))
    settings = replace(settings, space=settings.space or default_space(data, targets))
    space = load_space(*own(run_dir.path, "search_spaces", [str(settings.space)]))
    for word in _compressions(space):
        plan(word)  # refuses where the package for it is missing
    task = task_of(data, space)
    space = space.suited(task)
    ladder.check(task)
    if settings.epochs is None:
        settings = replace(settings, epochs=budget(settings.budget).epochs(len(data.train)))
    fidelity = full_fidelity(len(data.train), settings.epochs)
    inherit = weights_from(settings.inherit, ladder.for_trials(settings.planned_trials), fidelity)
    job = Job(str(run_dir.path.resolve()), targets, settings.limits, inherit, data.goal, ladder.rungs)
    whole, (space, pruned) = space, prune(space, task, targets)
    strategy(settings.strategy)(space, settings.seed)  # refuses before anything is written
    about = _describe(settings, targets, whole, data, pruned, ladder)
    meeting.join(about, settings.trials)
    study = Study(
        run_dir,
        settings,
        space,
        task,
        job,
        fidelity,
        evaluate,
        executor,
        listener or Listener(),
        ladder,
        record=(record := RunRecord(run_dir)),
        peers=meeting.peers,
    )
    record.notes = meeting.notes(study.waits)
    study.pace.pays = partial(pays, study)
    study.pruned = pruned
    study.proposer.check_feasible(settings.seed)
    variants: list[Candidate] = []
    if resume:
        check_unchanged(run_dir, whole, ladder)
        state = run_dir.state() or worked_out(_trials(run_dir, []))
        study.restore(meeting.take_up(_trials(run_dir, variants)), state)
        variants.sort(key=lambda variant: variant.number)
    else:
        data.save(run_dir.data)
        copy_files(run_dir.path, targets, str(settings.space), settings.fidelity)
        run_dir.begin(about)
        study.restore(meeting.take_up([]), {})
    return study, variants


def _trials(run_dir: RunDir, variants: list[Candidate]) -> Iterator[Candidate]:
    """A run's candidates that trials made, one after the other; the others are put into `variants`."""
    for candidate in run_dir.each_candidate():
        if candidate.is_variant:
            variants.append(candidate)
        else:
            yield candidate


def default_space(data: Dataset, targets: Targets) -> str:
    """The search space where the user names none: that for the kind of data, else the first target's."""
    kind = "anomaly" if data.task == "anomaly" else kind_of(data.preprocessing)
    return SPACES.get(kind, targets.space)


SPACES = {
    "anomaly": "autoencoder",
    "audio": "audio_cell",
    "sensor": "sensor_cell",
    "table": "dense_cell",
}
"""Search spaces by kind of data; pictures have the target's."""


def task_of(data: Dataset, space: Space) -> Task:
    """What a network of a space has to take and give for these data."""
    fronts = data.fronts(space.fronts)
    pictures = kind_of(data.preprocessing) == "image"
    return Task(data.input_shape, data.outputs, data.task, fronts, pictures and data.task != "anomaly")


def _compressions(space: Space) -> list[str]:
    """Compressions that candidates of a space go through."""
    searched = [str(c) for d in space.decisions if d.name == "training.compression" for c in d.choices]
    return searched or [space.recipe(space.sample(random.Random(0)), (8, 8, 3)).compression]


def _describe(
    settings: Settings,
    targets: Targets,
    space: Space,
    data: Dataset,
    pruned: tuple[Pruned, ...],
    ladder: Ladder,
) -> dict[str, Any]:
    """What run.json holds."""
    parts = {"train": data.train, "val": data.val, "test": data.test}
    return {
        "layout": LAYOUT,
        "edgeml": version("edgeml"),
        "created": clock.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "settings": {**settings.to_dict(), "data": _absolute(settings.data)},
        "objectives": [
            {"name": "accuracy", "direction": "maximize"},
            *({"name": name, "direction": "minimize"} for name in targets.objectives),
        ],
        "metric": data.goal.described(),
        "dataset": {
            "name": data.name,
            "classes": list(data.classes),
            "input_shape": list(data.input_shape),
            "counts": {name: len(part) for name, part in parts.items()},
            "hash": data.hash,
            "split_hash": data.provenance.get("split_hash"),
            "provenance": data.provenance,
            "warnings": list(data.warnings),
            "guardrails": [finding.to_dict() for finding in data.findings],
            "task": data.task,
            "goal": data.goal.to_dict(),
            "preprocessing": dict(data.preprocessing),
        },
        "space": space_dict(space),
        "ladder": ladder.to_dict(),
        "pruned": [one.to_dict() for one in pruned],
        "targets": targets.dump(),
        "versions": versions(),
        "host": host(),
    }


def versions() -> dict[str, str]:
    """Versions of what makes a model, by package."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def host() -> dict[str, Any]:
    """The computer that this runs on."""
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "platform": platform.platform()}


def _absolute(data: str) -> str:
    """Paths are kept absolute, so that --resume works from another directory."""
    return str(Path(data).resolve()) if Path(data).exists() else data
