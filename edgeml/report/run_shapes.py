"""What a run's run.json, state.json, front.json and diagnosis.json must look like (see run_json.py)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel, field_validator, model_validator

from edgeml.data.metrics import METRICS
from edgeml.report.run_json import Count, Flag, Plain, Real, Shape, Text

Seconds = Annotated[Real, Field(ge=0, le=1e12)]


class _Settings(Shape):
    data: Text | None = None
    targets: list[Text] | None = None
    space: Text | None = None
    prefer: Text | None = None
    max_drop: Real | None = None
    epochs: Real | None = None
    trials: Count | None = None
    time_s: Real | None = None
    seed: Count | None = None
    limits: dict[Text, Real] | None = None


class _Objective(Shape):
    name: Text


class _Goal(Shape):
    model_config = ConfigDict(extra="forbid")
    task: Literal["classification", "regression", "anomaly"] = "classification"
    metric: Text = "accuracy"
    mean: Real = 0.0
    std: Real = 1.0
    baseline: Real = 0.0

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        if metric not in METRICS:
            raise ValueError(f"unknown metric; known: {', '.join(METRICS)}")
        return metric


class _Dataset(Shape):
    name: Text | None = None
    classes: list[Text] | None = None
    counts: dict[Text, Count] | None = None
    warnings: list[Text] | None = None
    guardrails: list[dict[Text, Any]] | None = None
    goal: _Goal | None = None
    preprocessing: dict[Text, Any] | None = None
    provenance: dict[Text, Any] | None = None
    task: Text | None = None
    hash: Text | None = None


class _Rung(Shape):
    epochs: Real = 1.0
    data: Real = 1.0
    resolution: Real = 1.0
    width: Real = 1.0
    cells: Real = 1.0
    batch: Real = 1.0
    share: Real = 1.0


class _Ladder(Shape):
    name: Text | None = None
    rungs: Annotated[list[_Rung], Field(max_length=20)] | None = None


class _Pruned(Shape):
    reasons: list[Plain] | None = None


class _Target(Shape):
    name: Text
    notes: list[Text] | None = None


class _Host(Shape):
    cpu: Plain = None


class _Space(Shape):
    name: Text | None = None
    decisions: dict[Text, list[Plain]] | None = None


class RunShape(Shape):
    """run.json."""

    edgeml: Text | None = None
    created: Text | None = None
    settings: _Settings | None = None
    objectives: list[_Objective] | None = None
    dataset: _Dataset | None = None
    space: _Space | None = None
    ladder: _Ladder | None = None
    pruned: list[_Pruned] | None = None
    targets: list[_Target] | None = None
    host: _Host | None = None
    versions: dict[Text, Plain] | None = None


class _Counted(Shape):
    rung: Count
    trained: Count | None = None
    cost: Real | None = None
    pairs: Count | None = None
    spearman: Real | None = None
    ranks: Flag | None = None


class StateShape(Shape):
    """state.json."""

    status: Text | None = None
    finished: Text | None = None
    elapsed_s: Seconds | None = None
    time_s: dict[Text, Seconds | None] | None = None
    refused: dict[Text, Count] | None = None
    duplicates_avoided: Count | None = None
    reference_point: list[Real] | None = None
    hypervolume: list[tuple[Count, Seconds, Real | None]] | None = None
    knee: Text | None = None
    rungs: Annotated[list[_Counted], Field(max_length=20)] | None = None


class FrontShape(Shape):
    """front.json."""

    keys: list[Text] | None = None
    knee: Text | None = None


class _Example(Shape):
    index: Count
    form: Text | None = None
    png: Text | None = None
    lines: list[list[Real]] | None = None
    names: list[Plain] | None = None
    seconds: Real | None = None
    values: dict[Text, Plain] | None = None
    left_out: Plain = None


class _Called(_Example):
    truth: Count
    called: Count
    sure: Real
    wrong: Flag


class _Valued(_Example):
    truth: Real
    called: Real


class _Strange(_Example):
    truth: Real
    error: Real
    rank: Real


class _Diagnosis(Shape):
    layout: Count
    key: Text
    n: Count
    of: Count
    classes: list[Text] | None = None


class _OfClasses(_Diagnosis):
    task: Literal["classification"]
    confusion: list[list[Count]] | None = None
    pairs: list[Annotated[list[Count], Field(min_length=3, max_length=3)]]
    errors: Count
    worst: list[_Called] | None = None

    @field_validator("confusion")
    @classmethod
    def _square(cls, rows: list[list[int]] | None) -> list[list[int]] | None:
        if any(len(row) != len(rows or ()) for row in rows or ()):
            raise ValueError("the matrix is not square")
        return rows

    @model_validator(mode="after")
    def _counted(self) -> _OfClasses:
        if self.errors and not self.pairs:
            raise ValueError("there are errors and no pairs")
        return self


Points = list[Annotated[list[Real], Field(min_length=2, max_length=2)]] | None


class _OfValues(_Diagnosis):
    task: Literal["regression"]
    points: Points = None
    mean_error: Real
    worst: list[_Valued] | None = None


class _OfAnomalies(_Diagnosis):
    task: Literal["anomaly"]
    points: Points = None
    worst: list[_Strange] | None = None


class DiagnosisShape(
    RootModel[Annotated[_OfClasses | _OfValues | _OfAnomalies, Field(discriminator="task")]]
):
    """diagnosis.json."""
