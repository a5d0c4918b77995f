"""What an exporter gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Shape
from edgeml.data.dataset import Dataset
from edgeml.data.goal import Goal
from edgeml.data.source import kind_of
from edgeml.deploy.fold import Folded, fold
from edgeml.errors import ModelError
from edgeml.export.threshold import of_model
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
        """Names of the classes, in the order of the outputs; of "anomaly", those of normal and anomalous."""
        return list(self.run["dataset"]["classes"])

    @property
    def goal(self) -> Goal:
        """What the outputs mean and how they are scored; runs older than other goals have accuracy."""
        return Goal(**(self.run["dataset"].get("goal") or {}))

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """How raw input becomes the network's uint8 input: that of the data, and the network's front end."""
        about = dict(self.run["dataset"].get("preprocessing") or {})
        return {**about, "front": self.front} if self.front else about

    @property
    def front(self) -> str:
        """Name of the audio front end that the network reads; "" for none."""
        return str((self.record.get("arch") or {}).get("front") or "")

    @cached_property
    def threshold(self) -> tuple[float, float]:
        """Of an anomaly detector, and its balanced accuracy: chosen once for all formats."""
        return of_model(self.tflite, self.data)

    @property
    def kind(self) -> str:
        """Of data: "image", "audio", "sensor" or "table"."""
        return kind_of(self.preprocessing)

    @property
    def classifies_images(self) -> bool:
        """Whether a picture goes in and class probabilities come out, as image platforms expect."""
        return self.kind == "image" and self.goal.task == "classification"

    @cached_property
    def folded(self) -> dict[str, Folded]:
        """Weights as deployed: BatchNorm and the input's scale folded in."""
        return fold(self.graph, self.weights)

    @cached_property
    def data(self) -> Dataset:
        """The run's data as the network reads them: behind its front end, at its resolution."""
        return as_read(Dataset.open(self.run_path / "data"), self.front, self.graph.input_shape)


def check_images(given: ExportInput, form: str, takes: str) -> None:
    """Refuse a format that is for classifiers of images.

    Args:
        given: the candidate.
        form: name of the format.
        takes: beginning of a sentence that says why.

    Raises:
        ModelError: the network reads something else, or gives no classes.
    """
    if not given.classifies_images:
        what = {"classification": "a classifier", "anomaly": "an anomaly detector"}.get(
            given.goal.task, "a regressor"
        )
        raise ModelError(
            f"--format {form}: {takes} images and gives classes, this network is {what} whose data are "
            f"of kind {given.kind}; choose tflite, onnx, c or c99."
        )


def as_read(data: Dataset, front: str, shape: Shape) -> Dataset:
    """A data set -> what a network of an audio front end ("" for none) and an input shape reads of it."""
    return (data.fronted(front) if front else data).resized(*shape[:2])


Exporter = Callable[[ExportInput], dict[str, bytes]]
"""A format: what is known of a candidate -> file name (may name a folder: "savedmodel/x.pb") -> content."""
