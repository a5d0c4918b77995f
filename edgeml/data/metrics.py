"""METRICS: how predictions are compared with labels, by name; one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OfCounts = Callable[[NDArray[np.float64]], float]
"""How often each sample was drawn (n,) -> a metric of that resample."""


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
        of_counts: (predictions, labels) -> what gives the metric of resamples, in its own unit.
        higher_is_better: False for errors.
        unit: "%" for shares that are shown as per cent, "" for other figures in 0..1, "target" for the
            label's own unit.
    """

    title: str
    says: str
    tasks: tuple[str, ...]
    of_counts: Callable[[NDArray[Any], NDArray[Any]], OfCounts]
    higher_is_better: bool = True
    unit: str = "%"

    def measure(self, given: NDArray[Any], truth: NDArray[Any]) -> float:
        """Predictions, labels -> value in its own unit."""
        return self.of_counts(given, truth)(np.ones(len(truth)))


def _accuracy(given: NDArray[Any], truth: NDArray[Any]) -> OfCounts:
    right = _called(given) == truth
    return lambda counts: float(counts[right].sum() / counts.sum())


def _of_confusion(value: Callable[[NDArray[Any]], float]) -> Callable[..., OfCounts]:
    """What a metric makes of the matrix of confusion (rows truth, columns called) -> of resamples."""

    def of_counts(given: NDArray[Any], truth: NDArray[Any]) -> OfCounts:
        called = _called(given)
        size = int(max(called.max(initial=0), truth.max(initial=0))) + 1
        cell = truth.astype(np.int64) * size + called
        return lambda counts: value(np.bincount(cell, counts, size * size).reshape(size, size))

    return of_counts


def _balanced_accuracy(confusion: NDArray[Any]) -> float:
    """Mean over the classes that occur of the share found of each (recall)."""
    of_class = confusion.sum(1)
    there = of_class > 0
    return float((np.diag(confusion)[there] / of_class[there]).mean())


def _macro_f1(confusion: NDArray[Any]) -> float:
    """Mean over the classes that occur or are called of 2 * hits / (samples of it + calls of it)."""
    both = confusion.sum(0) + confusion.sum(1)
    return float((2 * np.diag(confusion)[both > 0] / both[both > 0]).mean())


def _auc(given: NDArray[Any], truth: NDArray[Any]) -> OfCounts:
    """Area under the ROC curve.

    Of anomaly scores (n,), that of telling 1 from 0; of outputs a class (n, classes), the mean over the
    classes of each against all others: the chance that a random sample of the class scores above a random
    other one, ties counting half (Mann & Whitney 1947). Samples are sorted once for all resamples.

    Returns:
        NaN for a resample of one class; of outputs a class, .5 where all samples are of one.
    """
    columns = [given] if given.ndim == 1 else list(given.T)
    numbers = [1] if given.ndim == 1 else range(given.shape[1])
    prepared = [_sorted(scores, truth == number) for scores, number in zip(columns, numbers, strict=True)]
    one_class = given.ndim > 1 and len(np.unique(truth)) < 2

    def area(counts: NDArray[np.float64]) -> float:
        found, total = [], counts.sum()
        for of_class, its_place, others, place, common, size in prepared:
            right = np.bincount(its_place, counts[of_class], size)
            there = np.bincount(place, counts[others], size)
            there[common] = total - there.sum()
            wrong = there - right
            pairs = right.sum() * wrong.sum()
            if pairs:
                found.append(float((np.cumsum(wrong) - wrong / 2) @ right / pairs))
        return float(np.mean(found)) if found else 0.5 if one_class else float("nan")

    return area


def _sorted(scores: NDArray[Any], positive: NDArray[np.bool_]) -> tuple[Any, ...]:
    """Positive samples and their places among the scores; those beside the commonest score, and theirs."""
    _, place, number = np.unique(scores, return_inverse=True, return_counts=True)
    common = int(number.argmax())  # most samples of an int8 network score 0 for most classes
    of_class, others = np.flatnonzero(positive), np.flatnonzero(place != common)
    return of_class, place[of_class], others, place[others], common, len(number)


def _mae(given: NDArray[Any], truth: NDArray[Any]) -> OfCounts:
    away = np.abs(given - truth)
    return lambda counts: float(counts @ away / counts.sum())


def _rmse(given: NDArray[Any], truth: NDArray[Any]) -> OfCounts:
    squared = np.square(given - truth)
    return lambda counts: float(np.sqrt(counts @ squared / counts.sum()))


METRICS = {
    "accuracy": Metric("accuracy", "share of samples whose class is right", ("classification",), _accuracy),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        "mean share found of each class, for classes of unequal size",
        ("classification",),
        _of_confusion(_balanced_accuracy),
    ),
    "macro_f1": Metric(
        "macro F1",
        "mean over classes of the harmonic mean of precision and recall",
        ("classification",),
        _of_confusion(_macro_f1),
    ),
    "auc": Metric("AUC", "area under the ROC curve", ("classification", "anomaly"), _auc, unit=""),
    "mae": Metric("mean absolute error", "mean absolute error", ("regression",), _mae, False, "target"),
    "rmse": Metric("RMSE", "root of the mean squared error", ("regression",), _rmse, False, "target"),
}
DEFAULT = {"classification": "accuracy", "regression": "rmse", "anomaly": "auc"}


def known_for(task: str) -> list[str]:
    """Names of the metrics of a task."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]
