"""Near copies among many pictures: what the short cuts find is what comparing all with all finds."""

from __future__ import annotations

import tracemalloc

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


@pytest.mark.parametrize("apart", [0.0, 1e-4])
def test_memory_of_many_copies_does_not_grow_with_their_square(apart):
    """3,000 copies, or frames of a still scene, are 4.5 million pairs, of which each picture needs one."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.repeat(rng.normal(size=(1, 64)), 3000, axis=0), rng.normal(size=(5000, 64))])
    rows += apart * rng.normal(size=rows.shape)
    rows -= rows.mean(axis=1, keepdims=True)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    numbers = np.r_[np.zeros(3000, np.int64) if apart == 0 else np.arange(3000), 3000 : len(rows)]
    tracemalloc.start()
    found = near.near_pairs(rows, numbers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bool(found) == (apart > 0) and peak < 64 << 20


def test_copies_have_the_partner_of_the_first_of_them():
    rows, numbers = thumbnails(0, 1, 200, 1.0)
    whole = near.near_pairs(rows, numbers)
    again = np.concatenate([rows, rows[:50]])
    found = near.near_pairs(again, np.r_[numbers, numbers[:50]])
    added = {pair for pair in found if pair[1] >= len(rows)}
    assert set(found) - added == set(whole)
    assert {one for one in range(50) if any(one in pair for pair in whole)} == {
        b - len(rows) for _, b in added
    }
