"""spec.json: what is needed to train an exported model again, and to describe it; its layout has a version.

Architecture, recipe, amount of training, seed, which data (by hash), what it scored, how it was found, with
which versions.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgeml.arch.cell import Arch
from edgeml.arch.recipe import Recipe
from edgeml.data.goal import Goal
from edgeml.data.metrics import METRICS
from edgeml.data.options import ReadOptions
from edgeml.data.source import kind_of
from edgeml.errors import DisconnectedArchError, EdgemlError, ModelError
from edgeml.export.search_spec import SearchSpec
from edgeml.export.threshold import Threshold
from edgeml.train.fidelity import Fidelity

LAYOUT = 1
NAME = "spec.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSpec(_Part):
    """Which data, and how they were read and split.

    Attributes:
        name, kind: of the source.
        source: name or path that `edgeml search` was given.
        saved: the folder of the run where the split data lie.
        image_size, strict, seed: as they were read and split.
        asked: the other options of reading (data/options.py) that the user gave.
        split_from: by split, the part of the source that it was taken from ("train": by us).
        hash: of classes and all three splits; split_hash and content_hash of the split and the source alone.
        classes: names in the order of the outputs; none for regression.
        task, preprocessing, goal: of the Dataset.
        input_shape: (height, width, channels) of the data; the network may take a smaller resolution.
        counts: samples by split.
        value_scale, value_offset: the source's values are uint8 * scale + offset.
        skipped: how many files could not be read.
        warnings: what was said about the data.
    """

    name: str
    kind: str
    source: str
    saved: str | None = None
    image_size: int | None = None
    strict: bool = False
    seed: int = Field(0, ge=0)
    asked: dict[str, str | int | None] = {}
    split_from: dict[str, str] = {}
    hash: str
    split_hash: str | None = None
    content_hash: str | None = None
    classes: list[str]
    task: Literal["classification", "regression", "anomaly"] = "classification"
    preprocessing: dict[str, Any] = {}
    goal: Goal = Goal()
    input_shape: tuple[int, int, int]
    counts: dict[str, int]
    value_scale: float = 1.0
    value_offset: float = 0.0
    skipped: int = 0
    warnings: list[str] = []

    @field_validator("classes")
    @classmethod
    def _enough(cls, classes: list[str]) -> list[str]:
        if len(classes) == 1:
            raise ValueError("found one class, expected at least 2, or none for regression")
        return classes

    @property
    def options(self) -> ReadOptions:
        """How the source is read as it was."""
        known: dict[str, Any] = {**self.asked}
        return ReadOptions(image_size=self.image_size, strict=self.strict, seed=self.seed, **known)


class Share(_Part):
    """A score on `n` samples and its 95 % interval, 0..1; what a score is, `DataSpec.goal` says."""

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=-1e-9, le=1)
    high: float = Field(ge=0, le=1 + 1e-9)
    n: int = Field(ge=1)


class Scored(_Part):
    """Scores: of the int8 artifact on validation and test, of the float network on validation.

    Attributes:
        metrics: every metric of the task on the test split, by name: value, low and high in its own unit.
        threshold: of an anomaly detector.
    """

    validation: Share
    test: Share
    validation_float: float | None = None
    artifact_sha256: str
    metrics: dict[str, dict[str, float]] = {}
    threshold: Threshold | None = None


class Calibration(_Part):
    """A Clipping of deploy/calibrate.py: training samples, and how ranges are taken from them."""

    images: int = Field(ge=1)
    rule: Literal["converter", "minmax", "percentile", "mse"] = "converter"
    percentile: float | None = Field(None, gt=50, le=100)


class Origin(_Part):
    """What a model was rebuilt from: the folder, and what the model in it scored."""

    folder: str
    scored: Scored


class Spec(_Part):
    """A whole spec.json.

    Attributes:
        layout: LAYOUT.
        edgeml, created: which edgeml wrote it, and when the search began; "" where that was --deterministic.
        key: of the candidate.
        arch, recipe, fidelity: plain data of Arch, Recipe and Fidelity; `fidelity.epochs` is all the training
            the candidate had, over all rungs.
        seed: of weights, order of samples and augmentation.
        calibration: how the int8 ranges were fixed: training images, rule, percentile (deploy/calibrate.py).
        data: which.
        scored: what this model gets.
        search: how it was found.
        rebuilt: of a model that `edgeml rebuild` made: where from, and what the original scored.
        versions, host: of what trained it.
    """

    layout: int
    edgeml: str
    created: str
    key: str
    arch: dict[str, Any]
    recipe: dict[str, Any]
    fidelity: dict[str, Any]
    seed: int = Field(ge=0)
    calibration: Calibration
    data: DataSpec
    scored: Scored
    search: SearchSpec
    rebuilt: Origin | None = None
    versions: dict[str, str] = {}
    host: dict[str, Any] = {}

    @property
    def architecture(self) -> Arch:
        """The network."""
        return Arch.from_dict(self.arch)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How raw input becomes the network's: that of the data, and its audio front end."""
        front = self.architecture.front
        return {**self.data.preprocessing, "front": front} if front else self.data.preprocessing

    @property
    def kind(self) -> str:
        """Of data: "image", "audio", "sensor" or "table"."""
        return kind_of(self.data.preprocessing)

    def to_json(self) -> bytes:
        """The bytes of spec.json."""
        return (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode()


def read_spec(path: Path) -> Spec:
    """spec.json -> Spec, architecture, recipe and fidelity looked at as well.

    Raises:
        ModelError: missing, damaged or of another layout; the message says what and where.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); expected the folder that `edgeml export` wrote."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"not valid JSON ({error})") from error
    layout = value.get("layout") if isinstance(value, dict) else None
    if type(layout) is int and layout > LAYOUT:
        raise ModelError(f"{path} has layout {layout}, this edgeml reads layout {LAYOUT}: upgrade edgeml.")
    if type(layout) is not int or layout != LAYOUT:
        raise _damaged(path, f"its layout is {layout!r}, not {LAYOUT}")
    try:
        spec = Spec.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
    _check(path, spec)
    return spec


def _check(path: Path, spec: Spec) -> None:
    """Plain data that no schema of ours describes must still be an architecture and a training."""
    try:
        what = "arch"
        graph = spec.architecture.graph
        what = "recipe"
        Recipe(**spec.recipe)
        what = "fidelity"
        Fidelity(**spec.fidelity)
    except (AttributeError, KeyError, TypeError, ValueError, LookupError) as error:
        raise _damaged(path, f"{what}: {type(error).__name__}: {error}") from error
    except (EdgemlError, DisconnectedArchError) as error:
        raise _damaged(path, f"{what}: {error}") from error
    data = spec.data
    if data.task != data.goal.task or data.goal.metric not in METRICS:
        raise _damaged(path, f"its task is {data.task}, its goal {data.goal.task} by {data.goal.metric}")
    task = spec.architecture.task
    if task != data.task:
        raise _damaged(path, f"the network is for {task}, the data for {data.task}")
    wanted = {"regression": 1, "anomaly": prod(graph.input_shape)}.get(task, len(data.classes))
    if graph.output_shape[2] != wanted or graph.input_shape[2] != data.input_shape[2]:
        raise _damaged(
            path,
            f"the network has {graph.output_shape[2]} outputs and {graph.input_shape[2]} channels, "
            f"the data {wanted} {'classes' if task == 'classification' else 'outputs'} and "
            f"{data.input_shape[2]} channels",
        )


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(f"{path} is damaged: {what.rstrip('.')}; export the model again.")
