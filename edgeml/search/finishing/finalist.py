"""A stored candidate, opened to be compressed: its weights, its data, what its variants are made with."""

from __future__ import annotations

import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.cost import cost
from edgeml.arch.recipe import Recipe
from edgeml.search.candidate import Candidate, artifact_record
from edgeml.search.evaluate import Job, open_data
from edgeml.search.finishing.compression import points
from edgeml.search.finishing.trained import Int8, Trained
from edgeml.search.run_dir import RunDir
from edgeml.target.limits import violations
from edgeml.target.measurement import exact


class Finalist(Trained):
    """A stored candidate, opened to be compressed."""

    def __init__(self, job: Job, key: str) -> None:
        from edgeml.train.inherit import load_weights

        self.job, self.run = job, RunDir(Path(job.run))
        folder = self.run.candidates / key
        self.candidate = self.run.load(key)
        arch = Arch.from_dict(self.candidate.arch)
        graph = arch.graph
        super().__init__(
            graph,
            load_weights(str(folder / "weights.safetensors")),
            open_data(job.run, graph.input_shape, arch.front),
            self.candidate.seed,
            Recipe(**self.candidate.recipe),
            float(self.candidate.accuracy_float or 0.0),
            float(self.candidate.accuracy or 0.0),
        )

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
            further=[],
            parent=self.candidate.key,
            inherited_fraction=1.0,
            source="compression",
            lineage=f"the same network, {suffix}",
            confirmed=None,
            artifact=artifact_record(int8.artifact, stored),
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

    def int8_accuracies(self) -> list[float]:
        """Of its complete variants that are the whole network at int8, those of earlier sessions included."""
        keys = [f"{self.candidate.key}-{suffix}" for suffix in ("ptq", "qat")]
        known = [self.run.load(key) for key in keys if (self.run.candidates / key).exists()]
        return [one.accuracy or 0.0 for one in known if one.status == "complete"]

    def zipped(self) -> dict[str, dict[str, Any]]:
        """The finalist's metrics with the size of its zipped file."""
        return {**self.candidate.metrics, **_zip(self.run.model(self.candidate.key))}


def _zip(artifact: bytes) -> dict[str, dict[str, Any]]:
    size = len(zlib.compress(artifact, 9))
    tool = "zlib, level 9, of the .tflite file"
    return {"size_zip_bytes": exact("size_zip_bytes", size, "bytes", "measured", tool).to_dict()}
