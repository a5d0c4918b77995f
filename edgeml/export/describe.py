"""A candidate of a run and what it scores -> its Spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.arch.recipe import default_recipe
from edgeml.data.goal import Goal
from edgeml.deploy.calibrate import DEFAULT
from edgeml.export.given import ExportInput
from edgeml.export.scores import Scores
from edgeml.export.search_spec import Lineage, Objective, SearchSpec, Settings
from edgeml.export.spec import LAYOUT, Calibration, DataSpec, Scored, Share, Spec
from edgeml.report import climb
from edgeml.report.reproduce import command
from edgeml.report.run_files import RunFiles
from edgeml.report.summary import progress
from edgeml.search.finishing.final import interval
from edgeml.search.run_dir import read_json
from edgeml.train.fidelity import full_fidelity


def describe(given: ExportInput, files: RunFiles, scores: Scores) -> Spec:
    """What is known of a candidate -> Spec.

    Args:
        given: the candidate.
        files: its run.
        scores: of the artifact on the test split.
    """
    record, run = given.record, given.run
    dataset, settings = run["dataset"], run["settings"]
    full = full_fidelity(int(dataset["counts"]["train"]), settings.get("epochs"))
    epochs = (record.get("fidelity") or {}).get("epochs") or full.epochs
    return Spec(
        layout=LAYOUT,
        edgeml=str(run["edgeml"]),
        created="" if settings.get("deterministic") else str(run["created"]),
        key=given.key,
        arch=dict(record["arch"]),
        recipe=dict(record.get("recipe") or default_recipe(given.graph.input_shape).to_dict()),
        fidelity={**full.to_dict(), "epochs": epochs},
        seed=int(record["seed"]),
        calibration=_calibration(record),
        data=data_spec(dataset, settings, str((given.run_path / "data").resolve())),
        scored=Scored(
            validation=validation(scores, float(record["accuracy"]), int(dataset["counts"]["val"])),
            test=Share.model_validate(scores.accuracy),
            validation_float=record.get("accuracy_float"),
            artifact_sha256=str(record["artifact"]["sha256"]),
            metrics=scores.metrics,
            threshold=scores.threshold,
        ),
        search=_search(given, files),
        versions=dict(run.get("versions") or {}),
        host=dict(run.get("host") or {}),
    )


ASKED = ("task", "label", "group", "window", "stride")


def _calibration(record: Mapping[str, Any]) -> Calibration:
    """How the artifact's ranges were taken; what fine-tuning trained is none of the rules."""
    found = (record.get("compression") or {}).get("calibration") or {}
    if found.get("rule") not in (None, "trained"):
        return Calibration.model_validate({name: found.get(name) for name in Calibration.model_fields})
    return Calibration.model_validate(DEFAULT.to_dict())


def data_spec(dataset: Mapping[str, Any], settings: Mapping[str, Any], saved: str | None) -> DataSpec:
    """run.json's `dataset` and `settings` -> DataSpec."""
    provenance = dataset.get("provenance") or {}
    return DataSpec(
        name=dataset["name"],
        kind=str(provenance.get("kind", "unknown")),
        source=str(settings["data"]),
        saved=saved,
        image_size=settings.get("image_size"),
        strict=bool(settings.get("strict", False)),
        seed=int(provenance.get("seed", settings["seed"])),
        asked={name: settings[name] for name in ASKED if settings.get(name) is not None},
        split_from=dict(provenance.get("split_from") or {}),
        hash=dataset["hash"],
        split_hash=dataset.get("split_hash"),
        content_hash=provenance.get("content_hash"),
        classes=list(dataset["classes"]),
        task=dataset.get("task", "classification"),
        preprocessing=dict(dataset.get("preprocessing") or {}),
        goal=Goal(**(dataset.get("goal") or {})),
        input_shape=dataset["input_shape"],
        counts=dataset["counts"],
        value_scale=float(provenance.get("value_scale", 1.0)),
        value_offset=float(provenance.get("value_offset", 0.0)),
        skipped=int((provenance.get("skipped") or {}).get("count", 0)),
        warnings=list(dataset.get("warnings") or ()),
    )


def validation(scores: Scores, value: float, n: int) -> Share:
    """The score on validation: of accuracies the value that steered, n samples -> with its 95 % interval."""
    return Share.model_validate(scores.validation or interval(round(value * n), n))


def _search(given: ExportInput, files: RunFiles) -> SearchSpec:
    run, state = given.run, files.state
    timed = not run["settings"].get("deterministic")
    return SearchSpec(
        run=files.name,
        status=state.get("status"),
        summary=progress(files, timed),
        elapsed_s=state.get("elapsed_s") if timed else None,
        command=command(files),
        settings=Settings.model_validate(dict(run["settings"])),
        space=str(run["space"]["name"]),
        points=str(run["space"]["size"]),
        ladder=str((run.get("ladder") or {}).get("name", "full")),
        rungs=[dict(rung) for rung in files.ladder],
        correlations=climb.correlations(files),
        objectives=[Objective.model_validate(one) for one in run["objectives"]],
        trial=int(given.record["number"]),
        front=given.key in files.front,
        knee=given.key == files.knee,
        choices=dict(given.record.get("choices") or {}),
        lineage=_lineage(given),
    )


def _lineage(given: ExportInput) -> Lineage:
    """A compressed variant has its finalist's, because only that was trained in the search."""
    compression = given.record.get("compression") or {}
    if not compression.get("of"):
        # Where there is no method either, it only says what was tried on a finalist.
        own = compression if compression.get("method") else None
        return Lineage.model_validate({**given.record, "compression": own})
    finalist = given.run_path / "candidates" / str(compression["of"]) / "candidate.json"
    record = read_json(finalist) if finalist.is_file() else {}
    return Lineage.model_validate({**record, "confirmed": None, "compression": compression})
