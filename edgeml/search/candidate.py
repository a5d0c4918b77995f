"""Candidate: an evaluated architecture with everything needed to trust and to rebuild it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from edgeml.errors import RunError

Status = Literal["complete", "stopped", "infeasible", "failed"]


def of_variant(compression: Mapping[str, Any] | None) -> bool:
    """Whether a candidate's `compression` is that of a finalist's compressed variant, which no trial made."""
    return bool(compression and compression.get("of"))


@dataclass(frozen=True)
class Candidate:
    """One row of the archive; `candidates/KEY/candidate.json` holds exactly these fields.

    Attributes:
        key: canonical key of the architecture.
        number: trial number in the run.
        status: complete (fully trained), stopped (on a lower rung, or by its learning curve), infeasible
            (breaks a limit) or failed; `reason` says why.
        choices: decisions of the space.
        arch: Arch.to_dict().
        accuracy: of the int8 artifact on the validation split, 0..1.
        accuracy_float: of the float model on the validation split, 0..1.
        test_accuracy: of the artifact on the test split {value, low, high, n}; front of a finished run only.
        metrics: Measurement dicts by metric.
        fidelity: epochs and samples as trained.
        rung: the highest rung it was trained on; `rungs` has one row a training (rung, epochs, accuracy,
            accuracy_float, the share of its schedule that was done, cost of that in full trainings, seconds,
            CPU seconds, stopped).
        further: one row a training that went on after that (finishing/longer.py): epochs, accuracy and
            accuracy_float after it, accuracy `before`, whether what came of it was kept, failure, seconds.
        recipe: training settings.
        parent: key of the candidate its weights come from; `inherited_fraction` of its kernel weights.
        source: how it inherited: morph (computes what the parent does, before training), overlap or bank.
        lineage: what differs from the parent, in words.
        compression: of a finalist, what --compress tried (finishing/compressing.py); of a variant, whose
            it is ("of"), the method, its calibration and what the method says of itself.
        confirmed: the same network trained from fresh weights (--confirm): accuracy, test_accuracy, epochs.
        seed: of weights, order of samples and augmentation.
        artifact: file, bytes and SHA-256 of the model; SHA-256 of weights.safetensors.
        history: loss and accuracy per epoch.
        deaths: how workers died on it before it was done or given up.
        time_s: seconds by stage.
        finished_at_s: seconds of search when it was done.
    """

    key: str
    number: int
    status: Status
    choices: dict[str, Any]
    arch: dict[str, Any]
    seed: int
    reason: str | None = None
    accuracy: float | None = None
    accuracy_float: float | None = None
    test_accuracy: dict[str, float] | None = None
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    fidelity: dict[str, Any] = field(default_factory=dict)
    rung: int = 0
    rungs: list[dict[str, Any]] = field(default_factory=list)
    further: list[dict[str, Any]] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None
    inherited_fraction: float | None = None
    source: str | None = None
    lineage: str | None = None
    compression: dict[str, Any] | None = None
    confirmed: dict[str, Any] | None = None
    artifact: dict[str, Any] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    time_s: dict[str, float] = field(default_factory=dict)
    finished_at_s: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @staticmethod
    def from_dict(value: dict[str, Any], where: str) -> Candidate:
        """Inverse of `to_dict`.

        Raises:
            RunError: fields are missing; the message names `where`.
        """
        known = {f.name for f in fields(Candidate)}
        try:
            return Candidate(**{name: value[name] for name in known if name in value})
        except TypeError as error:
            raise RunError(
                f"{where}: not a candidate of this edgeml ({error}); delete the folder."
            ) from error

    @property
    def is_variant(self) -> bool:
        """Whether it is a finalist's compressed variant, which no trial made."""
        return of_variant(self.compression)

    @property
    def waiting(self) -> bool:
        """Whether it may be trained on the next rung: done with a lower one, not stopped by its curve."""
        return self.status == "stopped" and bool(self.rungs) and not self.rungs[-1].get("stopped")

    @property
    def newest(self) -> list[dict[str, Any]]:
        """The row of its last training; none where that failed and left no row."""
        return [row for row in self.rungs[-1:] if row["rung"] == self.rung]

    def point(self, objectives: list[str]) -> tuple[float, ...] | None:
        """(1 - accuracy, cost, ...) to be minimised; None unless fully trained and measured."""
        return self.scores(objectives) if self.status == "complete" else None

    def scores(self, objectives: list[str]) -> tuple[float, ...] | None:
        """The same whatever rung the accuracy is of; None where something was not measured."""
        if self.accuracy is None:
            return None
        try:
            return (1 - self.accuracy, *(float(self.metrics[name]["value"]) for name in objectives))
        except KeyError:
            return None


def artifact_record(model: bytes, weights: bytes) -> dict[str, Any]:
    """What `Candidate.artifact` says of a model.tflite and the weights.safetensors beside it."""
    return {
        "format": "tflite",
        "file": "model.tflite",
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
