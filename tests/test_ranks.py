"""Rank correlation."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.ranks import spearman


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 0.9486832980505138),  # scipy.stats.spearmanr
        ([1, 1, 1, 1], [1, 2, 3, 4], None),
        ([], [], None),
    ],
)
def test_rank_correlation_by_hand(one, other, expected):
    found = spearman(one, other)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_rank_correlation_is_scipys():
    from scipy.stats import spearmanr

    one, other = np.random.default_rng(0).integers(0, 6, (2, 30))
    assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)
