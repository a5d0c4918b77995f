"""What an exporter gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeml.arch.graph import Graph
from edgeml.data.dataset import Dataset
from edgeml.deploy.fold import Folded, fold
from edgeml.target.targets import Targets
from edgeml.train.build import Weights


@dataclass(frozen=True)
class ExportInput:
    """One candidate of a run and what is known of it.

    Attributes:
        graph: the network.
        weights: trained, by "place:name".
        tflite: the int8 artifact that was scored, byte for byte.
        record: candidate.json.
        run: run.json (settings, dataset, versions).
        targets: the run's device profiles.
        run_path: the run directory.
    """

    graph: Graph
    weights: Weights
    tflite: bytes
    record: Mapping[str, Any]
    run: Mapping[str, Any]
    targets: Targets
    run_path: Path

    @property
    def key(self) -> str:
        """The candidate's."""
        return str(self.record["key"])

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes, in the order of the outputs."""
        return list(self.run["dataset"]["classes"])

    @cached_property
    def folded(self) -> dict[str, Folded]:
        """Weights as deployed: BatchNorm and the input's scale folded in."""
        return fold(self.graph, self.weights)

    @cached_property
    def data(self) -> Dataset:
        """The run's data at the network's resolution."""
        height, width, _ = self.graph.input_shape
        return Dataset.open(self.run_path / "data").resized(height, width)


Exporter = Callable[[ExportInput], dict[str, bytes]]
"""A format: what is known of a candidate -> file name (may name a folder: "savedmodel/x.pb") -> content."""
