"""The fit finds what made the data, stays near its prior where they are silent, and never goes negative."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arm_cells import HELP, column, draws
from bench.fit_arm import hosted_float32
from edgeml.ranks import spearman
from edgeml.target.calibrate.fit import errors, fit, held_out, macs_prior

TRUE = np.array([0.02, 0.5, 0.004])
PRIOR = np.array([0.01, 0.3, 0.003])


def data(count: int = 30, noise: float = 0.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    amounts = np.exp(rng.normal(size=(count, 3)) * 1.5) * [10, 1, 40]
    return amounts, amounts @ TRUE * np.exp(rng.normal(size=count) * noise)


def test_finds_the_coefficients_that_made_the_data():
    amounts, latency = data()
    assert fit(amounts, latency, PRIOR, freedom=10) == pytest.approx(TRUE, rel=0.01)
    assert fit(amounts, latency, PRIOR) == pytest.approx(TRUE, rel=0.05)


def test_an_outlier_changes_little():
    amounts, latency = data(noise=0.03)
    latency[4] *= 10
    assert fit(amounts, latency, PRIOR) == pytest.approx(TRUE, rel=0.3)


def test_what_no_model_exercises_keeps_its_ratio_to_the_prior():
    amounts, _ = data(12)
    amounts[:, 2] = 0
    found = fit(amounts, amounts @ (7 * PRIOR), PRIOR)
    assert found == pytest.approx(7 * PRIOR, rel=0.02)


def test_scale_only():
    amounts, _ = data(12)
    assert fit(amounts, amounts @ (3 * PRIOR), PRIOR, freedom=0) == pytest.approx(3 * PRIOR)


def test_no_coefficient_falls_below_the_least():
    amounts, latency = data()
    least = np.array([0.03, 0, 0])
    found = fit(amounts, latency, PRIOR, least=least)
    assert (found >= least).all() and (found > 0).all()
    assert (fit(amounts, np.full(30, 5.0), PRIOR) > 0).all()
    assert (fit(amounts, latency, np.array([0.01, 0, 0.003])) > 0).all()


def test_held_out_predictions_have_not_seen_the_model():
    amounts, latency = data(15)
    wrong = latency.copy()
    wrong[3] *= 4
    left = held_out(amounts, wrong, PRIOR)[3]
    assert left == pytest.approx(held_out(amounts, latency, PRIOR)[3])


def test_the_baseline_is_a_line_through_macs():
    line = np.c_[np.linspace(1, 200, 20), np.ones(20)]
    latency = line @ [0.1, 2.0]
    assert fit(line, latency, macs_prior(line), freedom=5) == pytest.approx([0.1, 2.0], rel=0.02)


def test_errors_are_relative_to_the_measured_value():
    found = errors(np.array([1.05, 2.3, 0.6]), np.array([1.0, 2.0, 1.0]))
    assert found.mape_pct == pytest.approx(100 * (0.05 + 0.15 + 0.4) / 3)
    assert found.within10_pct == pytest.approx(100 / 3)
    assert found.within20_pct == pytest.approx(200 / 3)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["pixel3_ms", "raspi4_ms"])
def test_twenty_cells_rank_the_others(device, shared_data):
    shared_data("nb201")
    cells = column(HELP, device, limit=900)
    ranks = []
    for drawn in draws(len(cells.latency_ms), 20):
        others = np.setdiff1d(np.arange(len(cells.latency_ms)), drawn)
        found = fit(cells.amounts[drawn], cells.latency_ms[drawn], hosted_float32())
        ranks.append(spearman(cells.amounts[others] @ found, cells.latency_ms[others]))
    assert np.median(ranks) >= 0.95
