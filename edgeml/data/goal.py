"""Goal: what a network is to do with a sample, and how well its outputs do it, as one number in 0..1.

Inside, every goal is a score in 0..1, higher is better, called accuracy: the search, its rungs and its
learning curves know nothing else. For errors the score is 1 - error / error of the best constant.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.metrics import DEFAULT, METRICS, OfCounts, known_for
from edgeml.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from edgeml.data.source import Split

RESAMPLES, LEAST_RESAMPLES, WORK = 1000, 100, 300_000_000
"""Bootstrap samples of an interval (Efron & Tibshirani 1993: 1,000 for 95 % percentile intervals); fewer, at
least LEAST_RESAMPLES, where samples times outputs times resamples would be more than WORK."""


@dataclass(frozen=True)
class Goal:
    """What a split's labels mean, and how outputs are scored.

    Attributes:
        task: "classification", "regression" or "anomaly".
        metric: name in METRICS that the search maximises (or whose error it makes small).
        mean, std: of the training part's target values; networks learn (value - mean) / std.
        baseline: error of the best constant on the training part; 0 for metrics that are no errors.
    """

    task: str = "classification"
    metric: str = "accuracy"
    mean: float = 0.0
    std: float = 1.0
    baseline: float = 0.0

    def predictions(self, outputs: NDArray[Any], inputs: NDArray[Any]) -> NDArray[Any]:
        """What a network gives (n, outputs) -> what is compared with labels.

        Returns:
            Classification: the outputs, one a class. Regression: (n,) values in the label's unit. Anomaly:
            (n,) mean squared differences between input / 255 and output, the larger the stranger.
        """
        if self.task == "regression":
            return outputs[:, 0].astype(np.float64) * self.std + self.mean
        if self.task == "anomaly":
            return reconstruction_errors(outputs, inputs)
        return outputs

    def score(self, outputs: NDArray[Any], split: Split) -> float:
        """Outputs on a split -> 0..1, higher is better."""
        found = METRICS[self.metric].measure(self.predictions(outputs, split.inputs), split.labels)
        return self.score_of(found)

    def score_of(self, value: float) -> float:
        """A value of the metric -> 0..1, higher is better."""
        if METRICS[self.metric].higher_is_better:
            return value
        return max(0.0, 1.0 - value / self.baseline) if self.baseline else 0.0

    def value_of(self, score: float) -> float:
        """A score -> the metric in its own unit."""
        return score if METRICS[self.metric].higher_is_better else (1.0 - score) * self.baseline

    @property
    def title(self) -> str:
        """What a score is, in a sentence: "accuracy", "RMSE"."""
        return METRICS[self.metric].title

    def said(self, score: float | None, digits: int = 1) -> str:
        """A score in the metric's own unit, for people: "97.3 %", "0.973" or "12.3"; None is "-"."""
        if score is None:
            return "-"
        unit = METRICS[self.metric].unit
        if unit == "%":
            return f"{100 * score:.{digits}f} %"
        if unit == "":
            return f"{score:.{digits + 2}f}"
        return f"{self.value_of(score):.{digits + 2}g}"

    def gap(self, difference: float, sign: bool = False, digits: int = 1) -> str:
        """A difference of scores in words: "1.2 points", "0.012 of AUC", "0.31 of RMSE" (label's unit).

        Args:
            difference: of scores, 0..1; above 0 is better.
            sign: say plus or minus; an error that becomes smaller has a minus.
            digits: after the point of points; two more for 0..1, and as many significant ones for errors.
        """
        plus = "+" if sign else ""
        if METRICS[self.metric].unit == "%":
            number = 100 * difference
            return (
                f"{number:{plus}.{digits if not number or abs(number) >= 0.095 else max(2, digits)}f} points"
            )
        if METRICS[self.metric].higher_is_better:
            return f"{difference:{plus}.{digits + 2}f} of {self.title}"
        error = (-1 if sign else 1) * difference * self.baseline
        return f"{error:{plus}.{digits + 2}g} of {self.title}"

    def intervals(
        self, outputs: NDArray[Any], split: Split, seed: int = 0, metrics: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Outputs on a split -> the score with its 95 % interval, and every metric of the task with its own.

        Args:
            outputs: (n, outputs) of the network.
            split: the samples.
            seed: of the resamples.
            metrics: names of those wanted beside the goal's own; all when None.

        The interval of accuracy is Wilson's (1927); all others are percentiles of up to RESAMPLES
        bootstrap samples.

        Returns:
            {"value", "low", "high", "n", "metrics": {name: {"value", "low", "high"}}}; the first three are
            scores, those of `metrics` in the metric's own unit.
        """
        given, truth = self.predictions(outputs, split.inputs), split.labels
        wanted = {
            name: metric.of_counts(given, truth)
            for name, metric in METRICS.items()
            if self.task in metric.tasks and (metrics is None or name == self.metric or name in metrics)
        }
        resamples = max(LEAST_RESAMPLES, min(RESAMPLES, WORK // max(1, given.size)))
        found = _intervals(wanted, len(truth), resamples, np.random.default_rng(seed))
        ends = [self.score_of(found[self.metric][name]) for name in ("low", "high")]
        value = self.score_of(found[self.metric]["value"])
        return {"value": value, "low": min(ends), "high": max(ends), "n": len(split), "metrics": found}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; Goal(**values) is its inverse."""
        return asdict(self)

    def described(self) -> dict[str, Any]:
        """What run.json says of the metric."""
        metric = METRICS[self.metric]
        return {
            "name": self.metric,
            "unit": metric.unit,
            "higher_is_better": metric.higher_is_better,
            "baseline": self.baseline,
        }


ACCURACY = Goal()
"""The share of samples whose class is right."""


def goal_of(task: str, metric: str | None, labels: NDArray[Any]) -> Goal:
    """Task, metric (None: the task's own), labels of the training part -> Goal.

    Raises:
        UnknownNameError: no such metric.
        ConfigError: the metric is none of this task's.
    """
    name = metric or DEFAULT[task]
    if name not in METRICS:
        raise UnknownNameError("--metric", name, METRICS)
    if task not in METRICS[name].tasks:
        raise ConfigError(
            f"--metric {name}: the data are for {task}, expected one of {', '.join(known_for(task))}; "
            "choose one of these, or say with --task what the data are."
        )
    if task != "regression":
        return Goal(task, name)
    values = labels.astype(np.float64)
    std = float(values.std()) or 1.0
    best = float(np.median(values)) if name == "mae" else float(values.mean())
    baseline = METRICS[name].measure(np.full(len(values), best), values)
    return Goal(task, name, float(values.mean()), std, 0.0 if METRICS[name].higher_is_better else baseline)


def reconstruction_errors(outputs: NDArray[Any], inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Autoencoder outputs (n, values) and raw inputs (n, h, w, c), uint8 -> mean squared differences (n,)."""
    step = max(1, 2**22 // max(1, outputs.shape[1]))
    parts = [np.zeros(0)]
    for start in range(0, len(outputs), step):
        given = outputs[start : start + step]
        wanted = inputs[start : start + step].reshape(given.shape) / 255.0
        parts.append(np.square(wanted - given).mean(1))
    return np.concatenate(parts)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / n
    centre, spread = share + z * z / (2 * n), z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    scale = 1 + z * z / n
    return (centre - spread) / scale, (centre + spread) / scale


def _intervals(
    metrics: dict[str, OfCounts], n: int, resamples: int, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Metrics of n samples with their 95 % intervals, all of the same resamples."""
    values = {name: of_counts(np.ones(n)) for name, of_counts in metrics.items()}
    drawn: dict[str, list[float]] = {name: [] for name in metrics if name != "accuracy"}
    for _ in range(resamples if drawn else 0):
        counts = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        for name, those in drawn.items():
            those.append(metrics[name](counts))
    found = {}
    for name, value in values.items():
        if name == "accuracy":
            low, high = wilson(round(value * n), n)
        else:
            ends = np.nanpercentile(drawn[name], [2.5, 97.5])  # a resample of one class has no AUC
            low, high = min(float(ends[0]), value), max(float(ends[1]), value)
        found[name] = {"value": value, "low": low, "high": high}
    return found
