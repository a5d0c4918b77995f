"""A stored candidate, opened to be compressed: its weights, its data, what its variants are made with."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.cost import cost
from edgeml.search.candidate import Candidate
from edgeml.search.compression import points
from edgeml.search.evaluate import Job, open_data
from edgeml.search.run_dir import RunDir, read_json
from edgeml.target.limits import violations
from edgeml.target.measurement import exact

IMAGES = 500
"""Calibration images at most."""


@dataclass
class Int8:
    """An artifact and how its activation ranges were chosen.

    Attributes:
        rows: one a calibration tried: images, rule, percentile, accuracy (int8, validation), kept.
    """

    artifact: bytes
    accuracy: float
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, Any]:
        """The calibration that was kept."""
        return next(row for row in self.rows if row["kept"])


class Finalist:
    """A stored candidate, opened for compression."""

    def __init__(self, job: Job, key: str) -> None:
        from edgeml.deploy.fold import fold
        from edgeml.train.inherit import load_weights

        self.job, self.run = job, RunDir(Path(job.run))
        folder = self.run.candidates / key
        self.candidate = Candidate.from_dict(read_json(folder / "candidate.json"), key)
        self.graph = Arch.from_dict(self.candidate.arch).graph
        self.weights = load_weights(str(folder / "weights.safetensors"))
        self.folded = fold(self.graph, self.weights)
        self.float_accuracy = float(self.candidate.accuracy_float or 0.0)
        self.data = open_data(job.run, *self.graph.input_shape[:2])
        self.images = self.data.calibration(IMAGES, self.candidate.seed)

    def calibrated(
        self,
        weights: dict[str, Any],
        known: float | None = None,
        finish: Callable[[bytes], bytes] | None = None,
    ) -> Int8:
        """Weights -> the int8 artifact of the calibration that is best on validation; ties go to the first.

        Args:
            weights: by "place:name".
            known: accuracy with the first calibration, where it is known.
            finish: what is done to every artifact.
        """
        from edgeml.deploy import calibrate, runtime
        from edgeml.deploy.fold import fold

        folded = fold(self.graph, weights)
        quantiser = calibrate.Quantiser(self.graph, folded, self.images[: calibrate.DEFAULT.images])
        observed = calibrate.Observed(self.graph, folded, self.images)
        best: Int8 | None = None
        rows = []
        for choice in calibrate.CHOICES:
            if choice.images > len(self.images) and choice is not calibrate.DEFAULT:
                continue
            artifact = quantiser.artifact(observed.ranges(choice))
            artifact = finish(artifact) if finish else artifact
            first = choice is calibrate.DEFAULT and known is not None
            accuracy = known if first and known is not None else runtime.accuracy(artifact, self.data.val)
            rows.append({**choice.to_dict(), "accuracy": accuracy, "kept": False})
            if best is None or accuracy > best.accuracy:
                best, kept = Int8(artifact, accuracy), len(rows) - 1
        assert best is not None
        rows[kept]["kept"] = True
        return replace(best, rows=rows)

    def variant(self, suffix: str, int8: Int8, weights: dict[str, Any], found: dict[str, Any]) -> Candidate:
        """Measure and store a variant."""
        from safetensors.numpy import save

        began = time.monotonic()
        metrics = self.job.targets.measure(int8.artifact, cost(self.graph))
        plain = {name: figure.to_dict() for name, figure in metrics.items()} | _zip(int8.artifact)
        broken = violations({name: figure.value for name, figure in metrics.items()}, self.job.limits)
        stored = save(weights)
        own = replace(
            self.candidate,
            key=f"{self.candidate.key}-{suffix}",
            status="infeasible" if broken else "complete",
            reason=f"breaks the limit on {', '.join(broken)}" if broken else None,
            accuracy=int8.accuracy,
            test_accuracy=None,
            metrics=plain,
            rungs=[],
            parent=self.candidate.key,
            inherited_fraction=1.0,
            source="compression",
            lineage=f"the same network, {suffix}",
            confirmed=None,
            artifact={
                "format": "tflite",
                "file": "model.tflite",
                "bytes": len(int8.artifact),
                "sha256": hashlib.sha256(int8.artifact).hexdigest(),
                "weights_sha256": hashlib.sha256(stored).hexdigest(),
            },
            history=[],
            time_s={"measure": time.monotonic() - began},
            compression={
                "of": self.candidate.key,
                "method": suffix,
                "calibration": int8.kept,
                "calibrations": int8.rows,
                "drop": points(self.float_accuracy, int8.accuracy),
                **found,
            },
        )
        self.run.store(own, {"model.tflite": int8.artifact, "weights.safetensors": stored})
        return own

    def zipped(self) -> dict[str, dict[str, Any]]:
        """The finalist's metrics with the size of its zipped file."""
        return {**self.candidate.metrics, **_zip(self.run.model(self.candidate.key))}


def _zip(artifact: bytes) -> dict[str, dict[str, Any]]:
    size = len(zlib.compress(artifact, 9))
    tool = "zlib, level 9, of the .tflite file"
    return {"size_zip_bytes": exact("size_zip_bytes", size, "bytes", "measured", tool).to_dict()}
