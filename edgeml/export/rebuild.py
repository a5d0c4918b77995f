"""An exported folder -> the same architecture trained again, from scratch, scored beside the original.

In a search a network may have inherited weights and climbed rungs; here it starts fresh and gets all its
epochs at once, so figures differ by more than the noise of a seed where inheritance helped. What was done to
it afterwards (compression, choice of calibration) is done again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeml.arch.cost import cost
from edgeml.data.dataset import Dataset
from edgeml.data.goal import Goal
from edgeml.errors import RunError
from edgeml.export.card_scores import said_with
from edgeml.export.checksums import check_sums, digest
from edgeml.export.contents import contents
from edgeml.export.describe import validation
from edgeml.export.find_data import described, find_data
from edgeml.export.formats import make
from edgeml.export.given import ExportInput
from edgeml.export.place import check_place, write_folder
from edgeml.export.proof import Proof, prove
from edgeml.export.retrain import Retrained, retrain
from edgeml.export.spec import NAME, Origin, Scored, Share, Spec, read_spec
from edgeml.search.session import host, versions
from edgeml.target.measurement import exact
from edgeml.target.targets import Targets


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Attributes:
        folder: where the new model lies.
        original, rebuilt: scores of both.
        goals: what their scores are; with other data the best constant's error is another.
        epochs, seconds: of the training.
        notes: sentences that the user must not miss.
    """

    folder: Path
    original: Scored
    rebuilt: Scored
    goals: tuple[Goal, Goal]
    epochs: float
    seconds: float
    notes: tuple[str, ...]

    def rows(self) -> list[tuple[str, ...]]:
        """Both scores with their intervals, side by side, as text in the metric's own unit."""
        both = list(zip(self.goals, (self.original, self.rebuilt), strict=True))
        return [
            ("validation", *(said_with(goal, one.validation) for goal, one in both)),
            ("test", *(said_with(goal, one.test) for goal, one in both)),
            ("validation, float network", *(goal.said(one.validation_float) for goal, one in both)),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "folder": str(self.folder),
            "metric": self.goals[1].described(),
            "original": self.original.model_dump(mode="json"),
            "rebuilt": self.rebuilt.model_dump(mode="json"),
            "epochs": self.epochs,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }


def rebuild_folder(
    folder: Path, data: str | None, out: Path | None, seed: int | None, other_data: bool
) -> Rebuilt:
    """Train again from spec.json, convert, score and write a folder like the exported one.

    Args:
        folder: that `edgeml export` wrote.
        data: where the data are now; None looks where the run had them.
        out: folder to write; FOLDER-rebuilt when None.
        seed: of the training; the original's when None.
        other_data: data of another hash are accepted.

    Raises:
        ModelError: spec.json is missing, damaged or of another layout; a file was changed; training failed.
        DataError: the data are gone, or are others.
        RunError: `out` holds something else, or is the original.
        StorageError: no disk space or no permission.
    """
    spec = read_spec(folder / NAME)
    check_sums(folder)
    place = out or folder.resolve().with_name(f"{folder.resolve().name}-rebuilt")
    if place.resolve() == folder.resolve():
        raise RunError(f"--out {place} is the original itself, which would be lost; choose another folder.")
    check_place(place)
    dataset = find_data(spec, data, other_data)
    trained = retrain(spec, dataset, spec.seed if seed is None else seed)
    notes = _notes(spec, dataset)
    new = _described(spec, dataset, trained, data, folder)
    known = cost(spec.architecture.graph)
    metrics = [
        exact("size_bytes", len(trained.artifact), "bytes", "measured", "length of the .tflite file"),
        exact("macs", known.macs, "MACs", "counted", "edgeml graph"),
        exact("params", known.params, "parameters", "counted", "edgeml graph"),
    ]
    record = {
        "key": spec.key,
        "arch": spec.arch,
        "recipe": spec.recipe,
        "seed": trained.seed,
        "accuracy": new.scored.validation.value,
        "accuracy_float": trained.accuracy_float,
        "test_accuracy": trained.scores.accuracy,
        "fidelity": {"epochs": trained.epochs},
        "metrics": {m.metric: m.to_dict() for m in metrics},
    }
    models, proofs = _proven(new, record, dataset, trained)
    notes += [
        f"model.tflite did NOT pass its proof: {one.reason}." for one in proofs.values() if not one.passed
    ]
    found = contents(new, trained.scores, record, models, trained.weights, proofs, {}, notes)
    write_folder(place, found.files)
    goals = spec.data.goal, dataset.goal
    return Rebuilt(place, spec.scored, new.scored, goals, trained.epochs, trained.seconds, tuple(notes))


def _proven(
    spec: Spec, record: Mapping[str, Any], dataset: Dataset, trained: Retrained
) -> tuple[dict[str, dict[str, bytes]], dict[str, Proof]]:
    """The model as `edgeml export` would hand it over, with its proof."""
    from safetensors.numpy import load

    known = {
        "name": spec.data.name,
        "classes": spec.data.classes,
        "goal": asdict(spec.data.goal),
        "preprocessing": spec.data.preprocessing,
    }
    described = {"edgeml": spec.edgeml, "dataset": known}
    with tempfile.TemporaryDirectory(prefix="edgeml-rebuild-") as folder:
        dataset.save(Path(folder) / "data")
        graph, weights = spec.architecture.graph, load(trained.weights)
        given = ExportInput(graph, weights, trained.artifact, record, described, Targets(()), Path(folder))
        made = make(given, ("tflite",))
        return made.files, prove(given, made.files)


def _notes(spec: Spec, dataset: Dataset) -> list[str]:
    lineage = spec.search.lineage
    notes = []
    if dataset.hash != spec.data.hash:
        notes.append(
            "the data are not those of the original (other hash): its figures are of another test split."
        )
    if (lineage.climbed or lineage.inherited) and not spec.rebuilt:
        how = " and ".join(
            word
            for word, so in (("inherited weights", lineage.inherited), ("climbed rungs", lineage.climbed))
            if so
        )
        notes.append(
            f"in its search the original {how}; this one was trained from scratch for all "
            f"{spec.fidelity['epochs']:g} epochs."
        )
    now = versions()
    other = [name for name, number in spec.versions.items() if name in now and now[name] != number]
    if other:
        told = ", ".join(f"{name} {spec.versions[name]} then, {now[name]} now" for name in other)
        notes.append(f"other versions than the original's: {told}.")
    return notes


def _described(spec: Spec, dataset: Dataset, trained: Retrained, data: str | None, folder: Path) -> Spec:
    """The new model's own spec.json: it can be rebuilt in its turn."""
    now = versions()
    scored = Scored(
        validation=validation(trained.scores, trained.accuracy, len(dataset.val)),
        test=Share.model_validate(trained.scores.accuracy),
        validation_float=trained.accuracy_float,
        artifact_sha256=digest(trained.artifact),
        metrics=trained.scores.metrics,
        threshold=trained.scores.threshold,
    )
    return spec.model_copy(
        update={
            "edgeml": now["edgeml"],
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "fidelity": {**spec.fidelity, "epochs": trained.epochs},
            "seed": trained.seed,
            "data": described(spec.data, dataset, data),
            "scored": scored,
            "rebuilt": Origin(folder=str(folder.resolve()), scored=spec.scored),
            "versions": now,
            "host": host(),
        }
    )
