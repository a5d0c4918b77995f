"""The int8 artifact on the test split -> score and metrics with intervals, and what its task has besides.

Classes have precision and recall; an anomaly detector has a threshold, chosen on validation.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Dataset, Split
from edgeml.data.metrics import known_for
from edgeml.export.threshold import Threshold, choose, judge


@dataclass(frozen=True)
class ClassScore:
    """One class on the test split.

    Attributes:
        name: of the class.
        n: samples of it.
        precision: of the samples that were called so, the share that is; None where none was.
        recall: of its samples, the share that was called so; None where there are none.
    """

    name: str
    n: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Scores:
    """What the artifact gets on the test split.

    Attributes:
        accuracy: {value, low, high, n}: the score, 0..1, with its 95 % interval.
        classes: in the order of the outputs; none where these are no classes.
        confusions: (true class, what it was called, how often), the most frequent mistakes first.
        metrics: {value, low, high} of every metric of the task, by name, in its own unit.
        validation: as `accuracy`, on the validation split; None for accuracy, whose interval its value tells.
        threshold: of an anomaly detector.
    """

    accuracy: dict[str, float]
    classes: tuple[ClassScore, ...] = ()
    confusions: tuple[tuple[str, str, int], ...] = ()
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    validation: dict[str, float] | None = None
    threshold: Threshold | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


CONFUSIONS = 5
"""How many of the most frequent mistakes are kept."""
RANKED = 200_000
"""Samples times classes up to which the AUC over all classes, and its interval, is worth an export's time."""


def score(model: bytes, data: Dataset) -> Scores:
    """TFLite bytes and the data as the network reads them -> Scores; one inference a sample.

    Raises:
        ModelError: LiteRT cannot run it, or the inputs are of another shape.
    """
    from edgeml.deploy.runtime import predict

    goal, test, val = data.goal, data.test, data.val
    outputs = predict(model, test.inputs)
    names = [name for name in known_for(goal.task) if name != "auc" or outputs.size <= RANKED]
    found = goal.intervals(outputs, test, metrics=names)
    metrics = found.pop("metrics")
    if goal.metric == "accuracy":
        return Scores(found, *_classes(outputs, data.classes, test), metrics)
    seen = predict(model, val.inputs)
    validation = goal.intervals(seen, val, metrics=())
    del validation["metrics"]
    if goal.task == "classification":
        return Scores(found, *_classes(outputs, data.classes, test), metrics, validation)
    if goal.task == "regression":
        return Scores(found, metrics=metrics, validation=validation)
    chosen = choose(goal.predictions(seen, val.inputs), val.labels)
    threshold = judge(*chosen, goal.predictions(outputs, test.inputs), test.labels)
    return Scores(found, metrics=metrics, validation=validation, threshold=threshold)


def _classes(
    outputs: NDArray[Any], classes: tuple[str, ...], test: Split
) -> tuple[tuple[ClassScore, ...], tuple[tuple[str, str, int], ...]]:
    """Rows of the classes and the most frequent mistakes."""
    called, count = outputs.argmax(-1), len(classes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (test.labels, called), 1)
    hits, of_class, of_call = np.diag(table), table.sum(1), table.sum(0)
    rows = tuple(
        ClassScore(
            name,
            int(of_class[i]),
            float(hits[i] / of_call[i]) if of_call[i] else None,
            float(hits[i] / of_class[i]) if of_class[i] else None,
        )
        for i, name in enumerate(classes)
    )
    wrong = table - np.diag(hits)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    worst = ((int(flat) // count, int(flat) % count) for flat in order)
    confusions = tuple((classes[i], classes[j], int(wrong[i, j])) for i, j in worst if wrong[i, j])
    return rows, confusions
