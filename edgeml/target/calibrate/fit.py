"""Amounts and latencies of a few models -> coefficients, with the error of models left out.

The fit is a ridge towards a prior in log space: coefficient k is prior_k * exp(scale + u_k), the scale is
free and u is pulled to 0. So coefficients stay positive, few samples change little but the scale, and
terms that the samples say nothing about keep their ratio to the others. Residuals are relative (log of
predicted over measured) and count linearly beyond HUBER of their expected size: timings have outliers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.ranks import spearman

Array = NDArray[np.float64]

NOISE = 0.08
"""Expected relative residual."""
FREEDOM = 1.0
"""Expected deviation of a coefficient from the prior's shape, in log units (a factor of e). 0.7 to 2 do alike
on the published phone tables and on NAS-Bench-201 cells (bench/truth_arm.py)."""
HUBER = 1.5
STEPS = 100
SETTLED = 1e-8
SMALLEST = 1e-12
"""A prior of 0 could not grow; it counts as this share of the largest contribution."""


@dataclass(frozen=True)
class Errors:
    """How far predictions of left-out models are from the measured values.

    Attributes:
        mape_pct: mean absolute percentage error.
        within10_pct, within20_pct: share of models within that many percent.
        spearman: rank correlation; None where all values are equal.
        rms_log: root mean square of log(predicted / measured).
    """

    mape_pct: float
    within10_pct: float
    within20_pct: float
    spearman: float | None
    rms_log: float


def fit(
    amounts: Array, latency_ms: Array, prior: Array, freedom: float = FREEDOM, least: Array | None = None
) -> Array:
    """Amounts (n, k), latencies (n,), prior coefficients (k,) -> coefficients (k,), all positive.

    Args:
        amounts: of work, a row for each model.
        latency_ms: of each.
        prior: coefficients whose ratios are kept where nothing speaks against it.
        freedom: how far from them; with 0 only the scale is fitted.
        least: what a coefficient cannot fall below, for example by a core's peak rate; 0 when None.
    """
    shape = np.maximum(prior, SMALLEST * max(float(prior.max()), SMALLEST))
    target, floor = np.log(latency_ms), np.zeros(len(shape)) if least is None else least
    fixed = amounts @ floor
    state = np.zeros(len(shape) + 1)
    state[0] = np.median(np.log(np.maximum(latency_ms - fixed, 0.1 * latency_ms) / (amounts @ shape)))
    if freedom == 0:
        return floor + _coefficients(state, shape)
    pull = np.diag([0.0, *[1 / freedom**2] * len(shape)])
    damping, loss = 1e-3, _loss(state, amounts, fixed, target, shape, pull)
    for _ in range(STEPS):
        terms = amounts * _coefficients(state, shape)
        predicted = fixed + terms.sum(1)
        residual = (np.log(predicted) - target) / NOISE
        slope = np.c_[terms.sum(1), terms] / predicted[:, None] / NOISE
        weighted = slope * np.minimum(1, HUBER / np.maximum(np.abs(residual), 1e-9))[:, None]
        curvature = weighted.T @ slope + pull
        gradient = weighted.T @ residual + pull @ state
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
        tried = _loss(state - step, amounts, fixed, target, shape, pull)
        if not tried <= loss:
            damping *= 10
            continue
        settled = loss - tried <= SETTLED * loss
        state, loss, damping = state - step, tried, damping / 10
        if settled:
            break
    return floor + _coefficients(state, shape)


def _coefficients(state: Array, shape: Array) -> Array:
    found: Array = shape * np.exp(np.clip(state[0] + state[1:], -60, 60))
    return found


def _loss(state: Array, amounts: Array, fixed: Array, target: Array, shape: Array, pull: Array) -> float:
    residual = np.abs(np.log(fixed + amounts @ _coefficients(state, shape)) - target) / NOISE
    linear = 2 * HUBER * residual - HUBER**2
    return float(np.where(residual < HUBER, residual**2, linear).sum() + state @ pull @ state)


def left_out(
    count: int, predict: Callable[[NDArray[np.intp], int], float], groups: list[str] | None = None
) -> Array:
    """Prediction of every model by a fit that has not seen it.

    Args:
        count: number of models.
        predict: (indices to fit on, index to predict) -> prediction.
        groups: models of one group are left out together.
    """
    names = np.array(groups if groups is not None else range(count))
    return np.array([predict(np.flatnonzero(names != names[i]), i) for i in range(count)])


def held_out(amounts: Array, latency_ms: Array, prior: Array, freedom: float = FREEDOM) -> Array:
    """Prediction of every model by a fit on the others."""

    def predict(others: NDArray[np.intp], one: int) -> float:
        return float(amounts[one] @ fit(amounts[others], latency_ms[others], prior, freedom))

    return left_out(len(latency_ms), predict)


def errors(predicted: Array, latency_ms: Array) -> Errors:
    """Predictions and measured values -> Errors."""
    off = np.abs(predicted / latency_ms - 1)
    return Errors(
        mape_pct=float(100 * off.mean()),
        within10_pct=float(100 * (off <= 0.1).mean()),
        within20_pct=float(100 * (off <= 0.2).mean()),
        spearman=spearman(predicted, latency_ms),
        rms_log=float(np.sqrt(np.mean(np.log(predicted / latency_ms) ** 2))),
    )


def macs_prior(amounts: Array) -> Array:
    """Amounts of the baseline, (MACs, 1) of every model -> a prior in which both matter alike."""
    found: Array = 1 / amounts.mean(0)
    return found
