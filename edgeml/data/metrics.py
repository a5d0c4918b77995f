"""METRICS: how predictions are compared with labels, by name; one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _same(given: NDArray[Any]) -> NDArray[Any]:
    """Predictions as they are."""
    return given


def _called(given: NDArray[Any]) -> NDArray[Any]:
    """The class of each sample; already classes where it has one dimension."""
    return given if given.ndim == 1 else given.argmax(-1)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        title: how it is called in a sentence.
        says: what it is.
        tasks: whose predictions it takes.
        measure: (predictions, labels) -> value in its own unit.
        higher_is_better: False for errors.
        unit: "%" for shares that are shown as per cent, "" for other figures in 0..1, "target" for the
            label's own unit.
        compact: predictions -> the smallest thing `measure` takes as well, for many resamples.
    """

    title: str
    says: str
    tasks: tuple[str, ...]
    measure: Callable[[NDArray[Any], NDArray[Any]], float]
    higher_is_better: bool = True
    unit: str = "%"
    compact: Callable[[NDArray[Any]], NDArray[Any]] = _same


def accuracy(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of samples whose class is right."""
    return float((_called(given) == truth).mean())


def balanced_accuracy(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean over the classes that occur of the share found of each (recall)."""
    hits, of_class, _ = _counts(given, truth)
    there = of_class > 0
    return float((hits[there] / of_class[there]).mean())


def macro_f1(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean over the classes that occur or are called of 2 * hits / (samples of it + calls of it)."""
    hits, of_class, of_call = _counts(given, truth)
    both = of_class + of_call
    return float((2 * hits[both > 0] / both[both > 0]).mean())


def auc(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Area under the ROC curve.

    Of anomaly scores (n,), that of telling 1 from 0; of outputs a class (n, classes), the mean over the
    classes of each against all others: the chance that a random sample of the class scores above a random
    other one, ties counting half (Mann & Whitney 1947).
    """
    found = auc_of_counts(given, truth)(np.ones(len(truth), np.int64))
    return 0.5 if np.isnan(found) and given.ndim > 1 else found


def auc_of_counts(given: NDArray[Any], truth: NDArray[Any]) -> Callable[[NDArray[np.int64]], float]:
    """The AUC of a resample, from how often each sample was drawn (n,): sorted once for all resamples."""
    columns = [given] if given.ndim == 1 else list(given.T)
    numbers = [1] if given.ndim == 1 else range(given.shape[1])
    prepared = []
    for scores, number in zip(columns, numbers, strict=True):
        _, place = np.unique(scores, return_inverse=True)
        prepared.append((place, truth == number, int(place.max()) + 1))

    def area(counts: NDArray[np.int64]) -> float:
        found = []
        for place, positive, size in prepared:
            right = np.bincount(place, counts * positive, size)
            wrong = np.bincount(place, counts * ~positive, size)
            pairs = right.sum() * wrong.sum()
            if pairs:
                found.append(float((np.cumsum(wrong) - wrong / 2) @ right / pairs))
        return float(np.mean(found)) if found else float("nan")

    return area


def mae(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean absolute error."""
    return float(np.abs(given - truth).mean())


def rmse(given: NDArray[Any], truth: NDArray[Any]) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.square(given - truth).mean()))


def _counts(
    given: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """By class: hits, samples of it, times it was called."""
    called = _called(given)
    size = int(max(called.max(initial=0), truth.max(initial=0))) + 1
    hits = np.bincount(truth[called == truth], minlength=size)
    return hits, np.bincount(truth, minlength=size), np.bincount(called, minlength=size)


METRICS = {
    "accuracy": Metric("accuracy", "share of samples whose class is right", ("classification",), accuracy),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        "mean share found of each class, for classes of unequal size",
        ("classification",),
        balanced_accuracy,
        compact=_called,
    ),
    "macro_f1": Metric(
        "macro F1",
        "mean over classes of the harmonic mean of precision and recall",
        ("classification",),
        macro_f1,
        compact=_called,
    ),
    "auc": Metric("AUC", "area under the ROC curve", ("classification", "anomaly"), auc, unit=""),
    "mae": Metric("mean absolute error", "mean absolute error", ("regression",), mae, False, "target"),
    "rmse": Metric("RMSE", "root of the mean squared error", ("regression",), rmse, False, "target"),
}
DEFAULT = {"classification": "accuracy", "regression": "rmse", "anomaly": "auc"}


def known_for(task: str) -> list[str]:
    """Names of the metrics of a task."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]
