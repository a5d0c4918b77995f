"""Labels -> which sample goes to train, val and test: stratified, shuffled, decided by the seed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.group_split import assign_groups, check_groups
from edgeml.data.source import Split, some
from edgeml.errors import DataError

Indices = NDArray[np.int64]
PARTS = ("train", "val", "test")
FRACTION = 0.15
"""Share of each class for val and for test, where the source brings no such part."""


def stratified_order(labels: NDArray[np.int64], rng: np.random.Generator) -> Indices:
    """A random order of which every prefix is stratified.

    The j-th sample of a class of m comes at j / m, so the first n samples hold each class in proportion,
    and every class as soon as n reaches the number of classes. Taking the head of a split is a fair subset.

    Args:
        labels: (n,) class of each sample, 0..k-1.
        rng: only `random` is drawn from it: NumPy keeps that stream, shuffling may change (NEP 19).

    Returns:
        (n,) positions into `labels`.
    """
    by_class, counts, jitter = _shuffled_by_class(labels, rng)
    sorted_labels = labels[by_class]
    rank = np.arange(len(labels)) - (np.cumsum(counts) - counts)[sorted_labels]
    order: Indices = by_class[np.lexsort((jitter[by_class], rank / counts[sorted_labels]))]
    return order


def strata(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Labels -> what to stratify by: classes themselves, target values by tenths of their distribution."""
    if labels.dtype.kind != "f":
        return np.asarray(labels, np.int64)
    edges = np.quantile(labels, np.linspace(0, 1, 11)[1:-1]) if len(labels) else []
    return np.unique(np.searchsorted(edges, labels, side="right"), return_inverse=True)[1].astype(np.int64)


def _shuffled_by_class(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    jitter = rng.random(len(labels))
    return np.lexsort((jitter, labels)), np.bincount(labels), jitter


def divide(
    parts: Mapping[str, Split],
    classes: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    where: str,
    task: str = "classification",
    groups: NDArray[np.int64] | None = None,
    together: NDArray[np.int64] | None = None,
) -> dict[str, tuple[str, Indices]]:
    """Parts of a source -> for each split, the part it comes from and the positions in it.

    A part the source brings is used whole; one that is missing is taken from "train".

    Args:
        parts: "train" and any of "val" and "test".
        classes: the class names.
        fractions: share of each class to take for "val" and "test" where missing.
        seed: decides the assignment and the order.
        where: shown path, for messages.
        task: one of source.TASKS; an autoencoder is trained on normal samples only.
        groups: (n,) group of each sample of "train"; none is in two splits.
        together: (n,) equal numbers for copies in "train", which go where the first of them goes.

    Raises:
        DataError: fewer than two classes, too few samples of a class, an empty or alien given part, or groups
            that cannot be divided.
    """
    missing = [name for name in ("val", "test") if name not in parts]
    _check(parts, classes, 1 + len(missing), where, task)
    rng = np.random.default_rng(seed)
    labels = strata(parts["train"].labels)
    wanted = {name: fractions[name] for name in missing}
    if groups is not None and missing:
        check_groups(labels, groups, classes, ("train", *missing), where)
        taken = assign_groups(labels, groups, wanted, rng, task)
    else:
        assign = _assign_normal if task == "anomaly" else _assign
        taken = (
            assign(labels, wanted, rng) if together is None else _whole(assign, labels, wanted, rng, together)
        )
    result: dict[str, tuple[str, Indices]] = {}
    for name in PARTS:
        origin = name if name in parts else "train"
        members = taken[name] if name in taken else np.arange(len(parts[origin]))
        result[name] = (origin, members[stratified_order(strata(parts[origin].labels[members]), rng)])
    return result


def train_positions(
    labels: Mapping[str, NDArray[Any]],
    classes: Sequence[str],
    seed: int,
    where: str,
    task: str,
    groups: NDArray[np.int64] | None = None,
) -> Indices:
    """Labels by part -> the samples of "train" that `load` will train on, with its usual fractions.

    For readers that choose a map of values: nothing of it may come from what is only to be scored.

    Raises:
        DataError: as `divide`.
    """
    parts = {part: Split(np.zeros((len(found), 1, 1, 1), np.uint8), found) for part, found in labels.items()}
    shares = dict.fromkeys(("val", "test"), FRACTION)
    return np.sort(divide(parts, classes, shares, seed, where, task, groups)["train"][1])


def _assign_normal(
    labels: NDArray[np.int64], fractions: Mapping[str, float], rng: np.random.Generator
) -> dict[str, Indices]:
    """Normal samples (0) as ever; anomalous ones in equal shares to what is taken from train."""
    normal, anomalous = (np.flatnonzero(labels == kind) for kind in (0, 1))
    found = {name: normal[part] for name, part in _assign(labels[normal], fractions, rng).items()}
    shares = np.array_split(anomalous[np.argsort(rng.random(len(anomalous)))], max(1, len(fractions)))
    return found | {name: np.r_[found[name], share] for name, share in zip(fractions, shares, strict=False)}


def _whole(
    assign: Callable[..., dict[str, Indices]],
    labels: NDArray[np.int64],
    fractions: Mapping[str, float],
    rng: np.random.Generator,
    together: NDArray[np.int64],
) -> dict[str, Indices]:
    """Assign the first of each set of copies; the others follow it."""
    _, first, back = np.unique(together, return_index=True, return_inverse=True)
    found = {}
    for name, members in assign(labels[first], fractions, rng).items():
        chosen = np.zeros(len(first), np.bool_)
        chosen[members] = True
        found[name] = np.flatnonzero(chosen[back])
    return found


def _assign(
    labels: NDArray[np.int64], fractions: Mapping[str, float], rng: np.random.Generator
) -> dict[str, Indices]:
    by_class, counts, _ = _shuffled_by_class(labels, rng)
    found: dict[str, list[Indices]] = {name: [] for name in ("train", *fractions)}
    for members in np.split(by_class, np.cumsum(counts)[:-1]):
        start = 0
        for name, size in _sizes(len(members), fractions).items():
            found[name].append(members[start : start + size])
            start += size
        found["train"].append(members[start:])
    return {name: np.concatenate(chunks) for name, chunks in found.items()}


def _sizes(count: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Samples of one class for each split besides train: at least one each, and one left for train."""
    sizes = {name: max(1, round(count * fraction)) for name, fraction in fractions.items()}
    while sum(sizes.values()) >= count:
        sizes[max(sizes, key=lambda name: sizes[name])] -= 1
    return sizes


def _check(
    parts: Mapping[str, Split], classes: Sequence[str], needed: int, where: str, task: str = "classification"
) -> None:
    if task == "regression":
        _check_sizes(parts, 10 * needed, where)
        return
    if len(classes) < 2:
        raise DataError(
            f"{where}: found one class only ({some(classes)}), expected at least 2; "
            "add samples of another class."
        )
    _check_sizes(parts, 1, where)
    if task == "anomaly":
        _check_anomalies(parts, where)
        return
    counts = np.bincount(parts["train"].labels, minlength=len(classes))
    if counts.min() < needed:
        few = [name for name, count in zip(classes, counts, strict=True) if count == counts.min()]
        raise DataError(
            f"{where}: too few samples to split, found {counts.min()} of class {some(few)}, expected "
            f"at least {needed} of each; add samples or remove the class."
        )


def _check_sizes(parts: Mapping[str, Split], needed: int, where: str) -> None:
    for name, part in parts.items():
        if len(part) == 0:
            raise DataError(f"{where}: the {name} part is empty, expected samples; fill it or leave it out.")
    if len(parts["train"]) < needed:
        raise DataError(
            f"{where}: too few samples to split, found {len(parts['train'])}, expected at least {needed}; "
            "add samples."
        )


def _check_anomalies(parts: Mapping[str, Split], where: str) -> None:
    """There must be normal samples to learn from, and of both kinds in what is scored."""
    missing = [name for name in ("val", "test") if name not in parts]
    normal = int((parts["train"].labels == 0).sum())
    anomalous = int((parts["train"].labels == 1).sum())
    if normal < 10 * (1 + len(missing)) or anomalous < len(missing):
        raise DataError(
            f"{where}: found {normal} normal and {anomalous} anomalous samples to learn from, expected at "
            f"least {10 * (1 + len(missing))} normal and {len(missing)} anomalous (used for scores only); "
            "add samples."
        )
    for name in set(parts) - {"train"}:
        if len(np.unique(parts[name].labels)) < 2:
            raise DataError(
                f"{where}: the {name} part has one kind of sample only, expected normal and anomalous ones "
                "to tell apart; add the other kind, or leave the part out."
            )


def absent_classes(
    parts: Mapping[str, Split], classes: Sequence[str], given: Mapping[str, Split]
) -> list[str]:
    """Warning sentences for classes that a val or test split lacks; `given` are parts of the source."""
    sentences = []
    for name in ("val", "test"):
        if name in parts and classes:
            counts = np.bincount(parts[name].labels, minlength=len(classes))
            absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
            if absent:
                which = "given " if name in given else ""
                sentences.append(f"the {which}{name} part has no sample of {some(absent)}.")
    return sentences
