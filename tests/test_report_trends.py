"""Trends over size: a planted slope, bend or nothing is found, and few points say nothing."""

import math
import random

import pytest

from edgeml.report.trends import LEAST, fit


def planted(
    n: int, slope: float, bend: float, noise: float, seed: int = 0
) -> tuple[list[float], list[float]]:
    rng = random.Random(seed)
    xs = [10 ** rng.uniform(3, 6) for _ in range(n)]
    ys = [0.97 - slope * max(0.0, math.log2(bend / x)) + rng.gauss(0, noise) for x in xs]
    return xs, ys


@pytest.mark.parametrize("seed", range(3))
def test_a_bend_is_found_where_it_is(seed: int) -> None:
    found = fit(*planted(60, 0.02, 5e4, 0.005, seed))
    assert found is not None
    assert found.form == "bend"
    assert found.low < 0.02 < found.high
    assert found.clear
    assert 2e4 < found.bend < 1.2e5
    assert found.spread == pytest.approx(0.005, rel=0.35)
    assert found.at(1e6) == found.level == pytest.approx(0.97, abs=0.01)
    assert found.at(found.bend / 2) == pytest.approx(found.level - found.slope)


@pytest.mark.parametrize("slope", [0.02, -0.02])
def test_a_line_has_no_bend_whichever_way_it_goes(slope: float) -> None:
    found = fit(*planted(40, slope, 1e6, 0.005))
    assert found is not None
    assert (found.form, found.clear) == ("line", True)
    assert found.low < slope < found.high
    assert found.bend == pytest.approx(found.largest)


def test_noise_is_seldom_called_clear() -> None:
    found = [fit(*planted(20, 0.0, 1e6, 0.01, seed)) for seed in range(60)]
    assert sum(one is not None and one.clear for one in found) <= 9


def test_equal_scores_are_flat() -> None:
    found = fit([1e3 * 2**i for i in range(12)], [0.9] * 12)
    assert found is not None
    assert (found.form, found.slope, found.clear, found.spread) == ("flat", 0.0, False, 0.0)


def test_too_few_points_or_sizes_have_no_trend() -> None:
    xs, ys = planted(LEAST - 1, 0.02, 5e4, 0.001)
    assert fit(xs, ys) is None
    assert fit([1000.0 + i for i in range(30)], [0.9] * 30) is None


def test_a_few_points_on_a_plateau_promise_nothing_beyond() -> None:
    """Ten candidates of a real run on digits: full at 25 k parameters."""
    xs = [882, 1090, 2300, 3950, 23900, 25300, 30100, 31000, 43900, 62600]
    ys = [0.633, 0.587, 0.911, 0.822, 0.993, 0.993, 0.996, 0.985, 0.993, 0.985]
    found = fit([float(x) for x in xs], ys)
    assert found is not None
    assert found.clear
    assert not found.still_rising


def test_only_what_still_rises_above_is_said_to() -> None:
    rising = fit(*planted(40, 0.02, 1e6, 0.005))
    flat = fit(*planted(40, 0.02, 3e4, 0.005))
    assert rising is not None
    assert flat is not None
    assert (rising.still_rising, flat.still_rising) == (True, False)
