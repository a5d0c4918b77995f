"""Learning curves: predictions of final accuracies, rungs, stopping. Real curves: bench/curve_record.py."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from scipy import stats

from bench.curve_record import load_curves
from bench.curves import accuracy_of, curves, simulate
from edgeml.search.archive import pareto
from edgeml.train import curve_shapes
from edgeml.train.curve_known import regress
from edgeml.train.curve_rungs import RungModel
from edgeml.train.curve_shapes import extrapolate, to_accuracy, to_angle
from edgeml.train.curves import LATEST, Extrapolator, needed_accuracy, should_stop
from tests.speed import assert_within

SHARES = [round(0.1 * (i + 1), 1) for i in range(10)]


def saturating(final, rise=0.4, rate=4.0, noise=0.0, seed=0):
    """An accuracy curve of ten checkpoints that ends near `final`."""
    rng = np.random.default_rng(seed)
    values = final - rise * (np.exp(-rate * np.array(SHARES)) - math.exp(-rate))
    return np.clip(values + noise * rng.normal(size=10), 0, 1).tolist()


def begun(values, count):
    return list(zip(SHARES, values, strict=False))[:count]


def population(count, seed=1):
    rng = np.random.default_rng(seed)
    return [
        saturating(rng.uniform(0.7, 0.95), rng.uniform(0.2, 0.5), rng.uniform(2, 8), 0.006, i)
        for i in range(count)
    ]


# -- the ensemble ---------------------------------------------------------------------------------------


def test_members_are_weighted_by_their_exact_marginal_likelihood():
    """Against scipy's multivariate normal: y ~ N(X m, X V X' + noise), the rise cut off at zero."""
    progress, angles = np.array([0.1, 0.2, 0.3]), to_angle(np.array([0.5, 0.62, 0.7]))
    mixture = extrapolate(progress, angles[None])
    shapes = curve_shapes._shapes(tuple(progress.tolist()))
    (m1, d1), (m2, d2) = curve_shapes.FINAL_PRIOR, curve_shapes.RISE_PRIOR
    logs, means, deviations = [], [], []
    for member, shape in enumerate(shapes):
        design = np.column_stack([np.ones(3), -shape])
        for factor, chance in zip(curve_shapes.NOISE_FACTORS, curve_shapes.NOISE_CHANCES, strict=True):
            sigma2 = (curve_shapes.NOISE * factor) ** 2
            noise = np.diag(sigma2 * curve_shapes.noise_variance(progress))
            prior = np.diag([d1**2, d2**2])
            joint = design @ prior @ design.T + noise
            gain = prior @ design.T @ np.linalg.inv(joint)
            mean = np.array([m1, m2]) + gain @ (angles - design @ [m1, m2])
            left = prior - gain @ design @ prior
            evidence = stats.multivariate_normal.logpdf(angles, design @ [m1, m2], joint)
            positive = stats.norm.logcdf(mean[1] / math.sqrt(left[1, 1]))
            logs.append(evidence + positive + math.log(chance) + curve_shapes._member_chances()[member])
            means.append(mean[0])
            deviations.append(math.sqrt(left[0, 0] + sigma2))
    weights = np.exp(np.array(logs) - max(logs))
    assert mixture.means[0] == pytest.approx(means, abs=1e-6)
    assert mixture.deviations[0] == pytest.approx(deviations, rel=1e-5)
    assert mixture.weights[0] == pytest.approx(weights / weights.sum(), abs=1e-6)


def test_leaving_out_a_row_is_fitting_without_it():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(9, 2)), rng.normal(size=9)
    prior = np.array([1.0, 4.0])
    density = regress(rows, targets, prior, np.zeros(2), 1.0, 8.0).left_out_density()
    for i in range(9):
        rest = np.arange(9) != i
        fitted = regress(rows[rest], targets[rest], prior, np.zeros(2), 1.0, 8.0)
        centre, scale, degrees = fitted.predict(rows[i])
        assert density[i] == pytest.approx(stats.t.pdf(targets[i], degrees, centre, scale))


@pytest.mark.parametrize("known", [0, 5, 20])
def test_intervals_hold_and_errors_shrink_on_curves_of_real_trainings(known):
    pool = curves("digits-20")
    found = accuracy_of(pool, list(range(len(pool))), known, 0.5, 1)
    assert found is not None
    assert found["coverage_90"] >= 0.8
    assert found["mae"] <= found["mae_last_value"] / 2
    assert found["spearman"] >= 0.9


def test_a_simulated_search_saves_training_and_keeps_its_front():
    found = simulate(curves("digits-20")[:16], 0.05, True, 1)
    assert found["saved_training"] > 0.05
    assert found["hypervolume_kept"] > 0.99


def test_recorded_curves_are_whole():
    for row in load_curves("digits-20") + load_curves("fashion-2"):
        shares = [t for t, _ in row["points"]]
        assert shares == sorted(shares) and shares[-1] == 1.0
        assert all(0 <= a <= 1 for _, a in row["points"])


def test_a_prediction_is_fast_with_few_and_with_hundreds_of_known_curves():
    for known in (0, 300):
        model = Extrapolator(population(known))
        model.predict(begun(saturating(0.9), 4))  # imports and the table of shapes
        counts = itertools.cycle((5, 6, 7))
        assert_within(0.02, lambda: model.predict(begun(saturating(0.9), next(counts))))  # noqa: B023


def test_what_is_known_narrows_the_interval_and_old_curves_are_forgotten():
    curve = begun(saturating(0.85), 4)
    alone, few, many = (Extrapolator(population(n)).predict(curve) for n in (0, 5, 60))
    widths = [p.high - p.low for p in (alone, few, many)]
    assert widths[0] > widths[1] > widths[2]
    assert all(p.low < 0.85 < p.high for p in (alone, few, many))
    assert len(Extrapolator(population(LATEST + 9))) == LATEST


def test_more_of_a_curve_narrows_the_interval():
    values = saturating(0.85, noise=0.003)
    predictions = [Extrapolator().predict(begun(values, count)) for count in (0, 2, 5, 9)]
    widths = [p.high - p.low for p in predictions]
    assert widths == sorted(widths, reverse=True)
    assert predictions[-1].mean == pytest.approx(0.85, abs=0.02)


# -- curves that went wrong -----------------------------------------------------------------------------

ODD = {
    "constant": [0.8] * 6,
    "at chance": [0.1] * 6,
    "all right": [1.0] * 6,
    "all wrong": [0.0] * 6,
    "diverging": [0.3, 0.6, 0.8, 0.1, 0.1, 0.1],
    "saw-tooth": [0.3, 0.8] * 3,
    "one point": [0.4],
    "no point": [],
    "not numbers": [math.nan] * 6,
    "one not a number": [0.3, 0.4, math.nan, 0.6, 0.65, 0.7],
    "ends in not a number": [0.3, 0.4, 0.5, 0.6, 0.65, math.nan],
}


@pytest.mark.parametrize("known", [0, 1, 2, 30])
@pytest.mark.parametrize("name", ODD)
def test_odd_curves_get_a_prediction_that_is_a_distribution(name, known):
    for completed in (population(known), [ODD["constant"] + [0.8] * 4] * known):
        found = Extrapolator(completed).predict(begun(ODD[name], len(ODD[name])))
        assert 0 <= found.low <= found.high <= 1
        assert 0 <= found.mean <= 1
        chances = [found.chance_above(t) for t in np.linspace(-0.01, 1.0, 60)]
        assert chances == sorted(chances, reverse=True)
        assert chances[0] == 1 and chances[-1] == 0


def test_a_curve_still_at_chance_early_may_yet_become_anything():
    found = Extrapolator().predict(begun([0.1, 0.1], 2))
    assert found.chance_above(0.8) > 0.05
    late = Extrapolator().predict(begun([0.1] * 9, 9))
    assert late.chance_above(0.8) < 0.01


def test_a_saw_tooth_is_less_certain_than_a_steady_curve():
    saw, steady = (Extrapolator().predict(begun(ODD[n], 6)) for n in ("saw-tooth", "constant"))
    assert saw.high - saw.low > 2 * (steady.high - steady.low)


def test_the_end_of_training_is_known():
    found = Extrapolator(population(3)).predict(begun(saturating(0.9), 10))
    assert (found.low, found.mean, found.high) == pytest.approx((0.9, 0.9, 0.9))
    assert found.chance_above(0.88) == 1 and found.chance_above(0.92) == 0


def test_completed_curves_that_are_not_complete_are_left_out():
    assert len(Extrapolator([[], [0.5], [0.5, math.nan], [math.nan, 0.5], [0.4, 0.5]])) == 1
    assert len(Extrapolator([[0.4, 0.5]], [0.25, 0.5])) == 0


@pytest.mark.parametrize("curve", [[(0.5, 0.4), (0.2, 0.5)], [(1.2, 0.4)], [(-0.1, 0.4)], [(0.5, 1.4)]])
def test_impossible_curves_are_refused(curve):
    with pytest.raises(ValueError, match="expected"):
        Extrapolator().predict(curve)
    with pytest.raises(ValueError, match="2 checkpoints and 3"):
        Extrapolator([[0.1, 0.2, 0.3]], [0.5, 1.0])


# -- rungs ----------------------------------------------------------------------------------------------


def test_rungs_learn_the_runs_own_line():
    rng = np.random.default_rng(0)
    low = rng.uniform(0.4, 0.8, 80)
    full = to_accuracy(1.1 + 0.6 * to_angle(low) + rng.normal(0, 0.03, 80))
    alone, many = RungModel(), RungModel(list(zip(low[:40], full[:40], strict=True)))
    found = [(alone.predict(a), many.predict(a), b) for a, b in zip(low[40:], full[40:], strict=True)]
    assert np.mean([abs(p.mean - b) for _, p, b in found]) < 0.02
    assert np.mean([p.low <= b <= p.high for _, p, b in found]) >= 0.8
    assert np.mean([p.low <= b <= p.high for p, _, b in found]) >= 0.9
    assert all(p.high - p.low < q.high - q.low for q, p, _ in found)
    assert alone.predict(0.5).mean > 0.5


@pytest.mark.parametrize(
    "pairs", [[], [(0.5, 0.8)], [(0.5, 0.8)] * 9, [(math.nan, 0.5)] * 3, [(0.0, 1.0), (1.0, 0.0)]]
)
def test_rungs_predict_whatever_the_pairs(pairs):
    model = RungModel(pairs)
    for accuracy in (0.0, 0.1, 0.5, 1.0, math.nan):
        found = model.predict(accuracy)
        assert 0 <= found.low <= found.mean <= found.high <= 1
    assert len(model) == sum(math.isfinite(a + b) for a, b in pairs)
    assert model.predict(math.nan).high > 0.95 and model.predict(math.nan).low < 0.05


# -- stopping -------------------------------------------------------------------------------------------


def test_the_reason_to_stop_holds_the_figures():
    found = Extrapolator(population(30)).predict(begun(saturating(0.75), 5))
    reason = should_stop(found, 0.93, at="1.2 MMACs")
    assert reason is not None
    for part in (
        "50 % of training done",
        f"{100 * found.last:.1f} % so far",
        f"expected {100 * found.mean:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})",
        "93.0 % needed to join the front at 1.2 MMACs",
        "chance below 1 %",
    ):
        assert part in reason
    assert "\n" not in reason


def test_training_goes_on_where_it_may_join_or_is_over():
    found = Extrapolator(population(30)).predict(begun(saturating(0.75), 5))
    assert should_stop(found, 0.0) is None
    assert should_stop(found, 0.7) is None
    assert should_stop(found, 0.93, threshold=0.0) is None
    over = Extrapolator().predict(begun(saturating(0.75), 10))
    assert should_stop(over, 0.93) is None
    unknown = Extrapolator().predict([])
    assert should_stop(unknown, 0.9) is None
    assert should_stop(unknown, 1.0) is not None


def test_the_accuracy_needed_is_where_the_front_begins():
    assert needed_accuracy([], [1.0]) == 0
    assert needed_accuracy([(0.1, 5.0)], [1.0]) == 0
    assert needed_accuracy([(0.1, 5.0)], [5.0]) == pytest.approx(0.9)
    assert needed_accuracy([(0.1, 5.0, 2.0), (0.2, 1.0, 9.0)], [6.0, 1.0]) == 0
    with pytest.raises(ValueError, match="a front of 1 costs and a candidate of 2"):
        needed_accuracy([(0.1, 5.0)], [1.0, 2.0])
    rng = random.Random(0)
    for _ in range(100):
        points = [(rng.random(), rng.random(), rng.random()) for _ in range(12)]
        members = [points[i] for i in pareto.front(points)]
        costs = (rng.random(), rng.random())
        needed = needed_accuracy(members, costs)
        assert pareto.front([*members, (1 - (needed + 1e-6), *costs)])[-1] == len(members)
        if needed > 0:
            assert pareto.front([*members, (1 - needed + 1e-6, *costs)])[-1] != len(members)
