"""Near copies among many pictures: what the short cuts find is what comparing all with all finds."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.data.guardrails import near


def thumbnails(seed: int, groups: int, each: int, apart: float):
    """Rows of mean 0 and length 1 around some centres, and copies of some at several distances."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(groups, 64)), each, axis=0)
    rows = centres + apart * rng.normal(size=centres.shape)
    copies = rows[::7] + 0.003 * rng.integers(0, 8, (len(rows[::7]), 1)) * rng.normal(size=rows[::7].shape)
    rows = np.concatenate([rows, copies, rows[:5]])
    rows -= rows.mean(axis=1, keepdims=True)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    numbers = np.arange(len(rows))
    numbers[-5:] = numbers[:5]  # exact copies, which are no near ones
    order = rng.permutation(len(rows))
    return rows[order], numbers[order]


def all_with_all(rows, numbers):
    distance = np.sqrt(np.maximum(0, 2 - 2 * rows.astype(float) @ rows.T.astype(float)))
    distance[numbers[:, None] == numbers[None]] = np.inf
    nearest, partner = distance.min(axis=1), distance.argmin(axis=1)
    limit = min(near.LIMIT, near.SHARE * float(np.median(nearest)))
    return {(min(a, partner[a]), max(a, partner[a])) for a in np.flatnonzero(nearest < limit)}


@pytest.mark.parametrize(("groups", "apart"), [(1, 1.0), (5, 0.3), (300, 0.8)])
def test_pairs_are_those_of_comparing_all_with_all(monkeypatch, groups, apart):
    monkeypatch.setattr(near, "_BLOCK", 100)
    for seed in range(3):
        rows, numbers = thumbnails(seed, groups, 1500 // groups, apart)
        found = set(near.near_pairs(rows, numbers))
        assert found == all_with_all(rows, numbers) and len(found) > 20


def test_the_limit_of_many_is_that_of_some(monkeypatch):
    rows, numbers = thumbnails(0, 5, 300, 0.3)
    whole = near.near_pairs(rows, numbers)
    monkeypatch.setattr(near, "_ASKED", 200)
    assert len(set(whole) ^ set(near.near_pairs(rows, numbers))) <= 0.1 * len(whole)
