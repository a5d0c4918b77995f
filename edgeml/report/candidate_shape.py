"""What a candidate.json must look like where the report, `export` and `check` read it (see run_json.py)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from edgeml.report.run_json import Count, Flag, Plain, Real, Score, Shape, Text


class _Conditions(Shape):
    notes: list[Text] | None = None
    rounds: Count | None = None
    calm_rounds: Count | None = None
    waited_s: Real | None = None


class _Figure(Shape):
    value: Real | None = None
    unit: Text | None = None
    low: Real | None = None
    high: Real | None = None
    n: Count | None = None
    kind: Text | None = None
    tool: Text | None = None
    conditions: _Conditions | None = None


class _Share(Shape):
    value: Score
    low: Real
    high: Real
    n: Count | None = None


class _Training(Shape):
    rung: Count | None = None
    epochs: Real | None = None
    accuracy: Score | None = None
    accuracy_float: Score | None = None
    cost: Real | None = None
    share: Score | None = None
    expected: Score | None = None
    curve: list[Score | None] | None = None
    stopped: Plain = None


class _Tried(Shape):
    method: Text | None = None
    failure: Text | None = None


class _Calibration(Shape):
    images: Count | None = None
    rule: Text | None = None
    percentile: Real | None = None
    accuracy: Score | None = None
    kept: Flag | None = None


class _Compression(Shape):
    of: Text | None = None
    method: Text | None = None
    failure: Text | None = None
    pattern: Plain = None
    clusters: Count | None = None
    sparsity: Real | None = None
    drop: Real | None = None
    max_drop: Real | None = None
    warning: Plain = None
    compress_s: Real | None = None
    seconds: Real | None = None
    tried: list[_Tried] | None = None
    calibration: _Calibration | None = None
    calibrations: list[_Calibration] | None = None


class _Further(Shape):
    epochs: Real | None = None
    before: Score
    kept: Flag
    accuracy: Score | None = None
    failure: Text | None = None

    @model_validator(mode="after")
    def _ended(self) -> _Further:
        if self.kept and self.accuracy is None:
            raise ValueError("it is kept and has no accuracy")
        return self


class _Confirmed(Shape):
    accuracy: Score | None = None
    failure: Text | None = None
    test_accuracy: _Share | None = None


class _Artifact(Shape):
    sha256: Text | None = None
    weights_sha256: Text | None = None


class _Epoch(Shape):
    epoch: Real | None = None
    loss: Real | None = None
    accuracy: Real | None = None


class _Amount(Shape):
    epochs: Real | None = None


class CandidateShape(Shape):
    """candidates/KEY/candidate.json."""

    key: Text
    number: Annotated[int, Field(strict=True, ge=-1, le=2**53)]
    status: Literal["complete", "stopped", "infeasible", "failed"]
    reason: Text | None = None
    accuracy: Score | None = None
    accuracy_float: Score | None = None
    test_accuracy: _Share | None = None
    metrics: dict[Text, _Figure | None] | None = None
    arch: dict[Text, Any] | None = None
    fidelity: _Amount | None = None
    parent: Text | None = None
    inherited_fraction: Real | None = None
    source: Text | None = None
    lineage: Text | None = None
    history: list[_Epoch] | None = None
    rung: Count | None = None
    rungs: list[_Training] | None = None
    further: list[_Further] | None = None
    confirmed: _Confirmed | None = None
    compression: _Compression | None = None
    artifact: _Artifact | None = None
    choices: dict[Text, Plain] | None = None
    recipe: dict[Text, Plain] | None = None
    finished_at_s: Real | None = None
