"""Guardrails on labels: balance, too few samples, absent classes, names that look like typing errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeml.data.guardrails.alike import Alike
from edgeml.data.guardrails.finding import Finding
from edgeml.data.source import Source, shown

FEW = 20
"""Fewer samples of a class are too few to measure its accuracy: 3 of 20 are in each of val and test."""

UNBALANCED = 10.0
"""The largest class has so many times the samples of the smallest."""

RARE = 0.2
"""A class with at most so many times the samples of the one it resembles may be a misspelling of it."""


def label_findings(source: Source, alike: Alike) -> Iterator[Finding]:
    """Findings on classes and their counts; of regression, on the target values."""
    if source.task == "regression":
        yield from _targets(source)
        return
    counts = sum(np.bincount(part.labels, minlength=len(source.classes)) for part in source.parts.values())
    assert isinstance(counts, np.ndarray)
    yield from _one_class(source, counts)
    yield from _absent(source)
    if source.task == "classification":
        yield from _few(source)
        yield from _balance(source, counts)
        yield from _typing(source.classes, counts)


def _one_class(source: Source, counts: NDArray[np.int64]) -> Iterator[Finding]:
    present = [name for name, count in zip(source.classes, counts, strict=True) if count]
    if len(present) == 1:
        yield Finding(
            "error",
            "one-class",
            int(counts.sum()),
            "all samples are of one class, so there is nothing to tell apart.",
            "stops; add samples of another class.",
            (shown(present[0]),),
        )


def _absent(source: Source) -> Iterator[Finding]:
    for name, part in source.parts.items():
        counts = np.bincount(part.labels, minlength=len(source.classes))
        absent = [shown(of) for of, count in zip(source.classes, counts, strict=True) if not count]
        if absent and len(absent) < len(source.classes) - 1 + (name != "train"):
            expected = source.task == "anomaly" and name == "train"
            yield Finding(
                "note" if expected else "warning",
                "class-absent",
                len(absent),
                f"the {name} part has no sample of {len(absent)} of {len(source.classes)} classes.",
                "scores the others; says nothing about these."
                if name != "train"
                else "learns the others; these are never predicted.",
                tuple(absent),
            )


def _few(source: Source) -> Iterator[Finding]:
    counts = np.bincount(source.parts["train"].labels, minlength=len(source.classes))
    few = [
        f"{shown(name)} ({count})"
        for name, count in zip(source.classes, counts, strict=True)
        if 0 < count < FEW
    ]
    if few:
        yield Finding(
            "warning",
            "few-samples",
            len(few),
            f"{len(few)} classes have fewer than {FEW} samples to learn from, too few to score well.",
            "trains all the same; the accuracy of these classes is uncertain.",
            tuple(few),
        )


def _balance(source: Source, counts: NDArray[np.int64]) -> Iterator[Finding]:
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return
    most, least = (int(present[one(counts[present])]) for one in (np.argmax, np.argmin))
    ratio = counts[most] / counts[least]
    if ratio >= UNBALANCED:
        share = counts[most] / counts.sum()
        yield Finding(
            "warning",
            "class-balance",
            len(present),
            f"the largest class has {ratio:.0f} times the samples of the smallest; always guessing it "
            f"would be right {100 * share:.0f} % of the time.",
            "stratifies the splits and trains all the same; --metric balanced_accuracy or macro_f1 counts "
            "every class alike.",
            tuple(f"{shown(source.classes[index])} ({counts[index]})" for index in (most, least)),
        )


def _typing(classes: Sequence[str], counts: NDArray[np.int64]) -> Iterator[Finding]:
    """Dog and dog, "dog " and dog; and dgo among many dogs."""
    alike = defaultdict(list)
    for name, count in zip(classes, counts, strict=True):
        alike[" ".join(name.casefold().split()).strip("._- ")].append(f"{shown(name)!r} ({count})")
    groups = [" and ".join(names) for names in alike.values() if len(names) > 1]
    if groups:
        yield Finding(
            "warning",
            "label-case",
            len(groups),
            "class names differ in case, blanks or punctuation only and are probably one class.",
            "keeps them apart; rename one if they mean the same.",
            tuple(groups),
        )
    pairs = []
    for rare, few in zip(classes, counts, strict=True):
        for common, many in zip(classes, counts, strict=True):
            if 0 < few <= RARE * many and _misspelt(rare, common):
                pairs.append(f"{shown(rare)!r} ({few}) for {shown(common)!r} ({many})")
    if pairs:
        yield Finding(
            "warning",
            "label-typing",
            len(pairs),
            "rare class names are one letter away from a common one and may be misspelt.",
            "keeps them apart; rename one if they mean the same.",
            tuple(pairs),
        )


def _misspelt(rare: str, common: str) -> bool:
    """Edit distance 1 (one letter more, less, changed, or two exchanged), of words of four letters and more.

    Numbers are never misspellings of each other: class10 and class11 are neighbours.
    """
    rare, common = rare.casefold().strip(), common.casefold().strip()
    if rare == common or min(len(rare), len(common)) < 4 or abs(len(rare) - len(common)) > 1:
        return False
    start = 0
    while start < min(len(rare), len(common)) and rare[start] == common[start]:
        start += 1
    a, b = rare[start:], common[start:]
    if any(letter.isdigit() for letter in a[:2] + b[:2]):
        return False
    exchanged = len(a) > 1 and len(b) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:]
    return exchanged or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def _targets(source: Source) -> Iterator[Finding]:
    values = source.parts["train"].labels.astype(np.float64)
    middle = float(np.median(values))
    spread = float(np.median(np.abs(values - middle)))
    far = np.flatnonzero(np.abs(values - middle) > 50 * spread) if spread > 0 else np.zeros(0, np.int64)
    if len(far) and len(far) <= max(1, len(values) // 100):
        yield Finding(
            "warning",
            "target-outliers",
            len(far),
            "target values lie more than 50 median deviations from the median; they may be mistakes, and the "
            "squared error is mostly theirs.",
            "trains on them all the same.",
            tuple(f"{values[index]:g}" for index in far),
        )
