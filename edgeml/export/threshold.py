"""Anomaly scores -> a threshold chosen on validation, and what it gives on the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Dataset
from edgeml.data.goal import wilson


@dataclass(frozen=True)
class Threshold:
    """Above `value` a sample is called anomalous.

    Attributes:
        value: of the mean squared difference between input / 255 and output.
        balanced_accuracy: on validation, where it was chosen: mean share of normal and of
            anomalous samples that are called right.
        recall: share of the test split's anomalous samples that are called so: value, low, high, n.
        false_alarms: share of its normal samples that are called anomalous: value, low, high, n.
    """

    value: float
    balanced_accuracy: float
    recall: dict[str, float]
    false_alarms: dict[str, float]


def of_model(model: bytes, data: Dataset) -> tuple[float, float]:
    """An int8 autoencoder and its data as it reads them -> threshold and balanced accuracy, see `choose`.

    Raises:
        ModelError: LiteRT cannot run it.
    """
    from edgeml.deploy.runtime import predict

    outputs = predict(model, data.val.inputs)
    return choose(data.goal.predictions(outputs, data.val.inputs), data.val.labels)


def choose(scores: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """Anomaly scores and labels (1: anomalous) -> the threshold of the best balanced accuracy, and that.

    Of several equally good ones, that in the middle of the widest gap between two samples' scores.
    """
    found = np.unique(scores.astype(np.float64))
    if len(found) < 2:
        return float(found[0]), 0.5
    middles, gaps = (found[1:] + found[:-1]) / 2, np.diff(found)
    shares = [
        np.searchsorted(np.sort(scores[labels == label]), middles, side="right") / (labels == label).sum()
        for label in (0, 1)
    ]
    balanced = (shares[0] + 1.0 - shares[1]) / 2
    best = np.flatnonzero(balanced >= balanced.max() - 1e-12)
    at = best[np.argmax(gaps[best])]
    return float(middles[at]), float(balanced[at])


def judge(value: float, balanced_accuracy: float, scores: NDArray[Any], labels: NDArray[Any]) -> Threshold:
    """A chosen threshold and the test split's anomaly scores and labels -> Threshold."""
    called = scores > value
    return Threshold(value, balanced_accuracy, _share(called[labels == 1]), _share(called[labels == 0]))


def _share(called: NDArray[np.bool_]) -> dict[str, float]:
    n, hits = len(called), int(called.sum())
    low, high = wilson(hits, n) if n else (0.0, 1.0)
    return {"value": hits / n if n else 0.0, "low": max(0.0, low), "high": min(1.0, high), "n": n}
