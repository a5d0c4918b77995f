"""Samples of one person or recording stay in one split, which is as stratified as that allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeml.data.source import Split
from edgeml.data.split import divide
from edgeml.errors import DataError

FRACTIONS = {"val": 0.15, "test": 0.15}


def split_of(labels, groups, seed=0, task="classification", parts=None, classes=None):
    labels = np.asarray(labels, np.float32 if task == "regression" else np.int64)
    train = Split(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
    names = [] if task == "regression" else [f"c{i}" for i in range(classes or labels.max() + 1)]
    given_parts = {"train": train, **(parts or {})}
    found = divide(given_parts, names, FRACTIONS, seed, "here", task, np.asarray(groups, np.int64))
    return {name: positions for name, (_, positions) in found.items()}


def check(found, labels, groups):
    groups = np.asarray(groups)
    together = np.concatenate(list(found.values()))
    assert sorted(together) == list(range(len(labels)))
    sets = [set(groups[positions]) for positions in found.values()]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])


def test_equal_groups_are_divided_exactly():
    labels, groups = np.tile(np.arange(4), 200), np.repeat(np.arange(20), 40)
    found = split_of(labels, groups)
    check(found, labels, groups)
    assert [len(found[name]) for name in ("train", "val", "test")] == [560, 120, 120]
    for positions in found.values():
        assert len(set(np.bincount(labels[positions]))) == 1


def test_classes_of_few_groups_reach_every_split():
    """Two classes, three recordings each: one choice of recordings alone has both in every split."""
    labels, groups = np.repeat([0, 1], 90), np.repeat(np.arange(6), 30)
    for seed in range(5):
        found = split_of(labels, groups, seed)
        check(found, labels, groups)
        assert all(len(np.unique(labels[positions])) == 2 for positions in found.values())


def test_the_seed_alone_decides():
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 3, 300), rng.integers(0, 25, 300)
    first, again, other = (split_of(labels, groups, seed) for seed in (3, 3, 4))
    assert all((first[name] == again[name]).all() for name in first)
    assert any(len(first[name]) != len(other[name]) or (first[name] != other[name]).any() for name in first)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 90), st.integers(2, 5))
def test_groups_are_never_cut(seed, count, classes):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(count), rng.integers(classes, 9, count))
    labels = np.concatenate([np.arange(size) % classes for size in np.bincount(groups)])
    found = split_of(labels, groups, seed)
    check(found, labels, groups)
    assert len(np.unique(labels[found["train"]])) == classes
    assert all(len(positions) for positions in found.values())


def test_regression_and_anomalies():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    check(split_of(rng.normal(size=300), groups, task="regression"), range(300), groups)
    labels = np.repeat((np.arange(30) % 5 == 0).astype(int), 10)
    found = split_of(labels, groups, task="anomaly")
    assert (labels[found["train"]] == 0).all()
    assert all(set(labels[found[name]]) == {0, 1} for name in ("val", "test"))


def test_a_given_part_stays_as_it_is():
    test = Split(np.zeros((6, 1, 1, 1), np.uint8), np.arange(6) % 3)
    found = split_of(np.arange(90) % 3, np.repeat(np.arange(9), 10), parts={"test": test})
    assert sorted(found["test"]) == list(range(6))
    assert len(found["train"]) + len(found["val"]) == 90


@pytest.mark.parametrize(
    ("labels", "groups", "words"),
    [
        (np.arange(60) % 2, np.zeros(60), "found 1 group "),
        (np.arange(60) % 2, np.arange(60) % 2, "found 2 groups"),
        (np.repeat([0, 1], [50, 10]), np.r_[np.arange(50) % 5, np.full(10, 7)], "'c1' comes from one group"),
    ],
)
def test_impossible_groups(labels, groups, words):
    with pytest.raises(DataError, match=words):
        split_of(labels, groups)
