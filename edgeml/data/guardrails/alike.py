"""Guardrails on samples whose bytes are equal: within a part, across parts, with other labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.data.guardrails.finding import SHOWN_EXAMPLES, Finding
from edgeml.data.source import Source, as_bytes, kind_of, shown

COPIED = 0.5
"""A given val or test part of which so much is in train says nothing."""


@dataclass(frozen=True, eq=False)
class Alike:
    """Which samples are equal.

    Attributes:
        numbers: by part, (n,) int64; samples of any parts have equal numbers where their bytes are equal.
    """

    numbers: Mapping[str, NDArray[np.int64]]


def find_alike(source: Source) -> Alike:
    """Source -> which of its samples are equal, by a 128-bit hash of their bytes."""
    hashes = [
        hashlib.blake2b(as_bytes(sample), digest_size=16).digest()
        for part in source.parts.values()
        for sample in part.inputs
    ]
    numbers = np.unique(np.array(hashes, "V16").view("S16"), return_inverse=True)[1].astype(np.int64)
    ends = np.cumsum([len(part) for part in source.parts.values()])
    return Alike(dict(zip(source.parts, np.split(numbers, ends[:-1]), strict=True)))


def sample_name(source: Source, part: str, index: int) -> str:
    """A file or a row as a finding names it."""
    names = source.names.get(part)
    return shown(names[index]) if names else f"{part} {index}"


def pair_name(source: Source, one: tuple[str, int], other: tuple[str, int]) -> str:
    """Two samples as a finding names them."""
    return f"{sample_name(source, *one)} = {sample_name(source, *other)}"


def alike_findings(source: Source, alike: Alike) -> Iterator[Finding]:
    """Equal samples; a table's rows with few columns are equal by nature, which is a note."""
    kind = kind_of(source.preprocessing)
    copies = kind in ("image", "audio")
    yield from _within(source, alike, copies)
    yield from _across(source, alike, "note" if kind == "table" else "warning")
    if source.task != "regression":
        yield from _conflicts(source, alike, "warning" if copies else "note")


def _within(source: Source, alike: Alike, copies: bool) -> Iterator[Finding]:
    for part, numbers in alike.numbers.items():
        extra, pairs = _repeats(numbers)
        if extra:
            together = copies and part == "train" and not {"val", "test"} <= set(source.parts)
            yield Finding(
                "warning" if copies else "note",
                "duplicates",
                extra,
                f"{extra} of {len(numbers)} samples of the {part} part are exact copies of others; they add "
                "nothing, and across a split they would leak."
                if copies
                else f"{extra} of {len(numbers)} samples of the {part} part equal others for the network.",
                "keeps copies together in one split." if together else "leaves them as they are.",
                tuple(pair_name(source, (part, a), (part, b)) for a, b in pairs),
            )


def _repeats(numbers: NDArray[np.int64]) -> tuple[int, list[tuple[int, int]]]:
    """(samples that repeat an earlier one, some of them with that one)."""
    _, first, back = np.unique(numbers, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[back] != np.arange(len(numbers)))
    return len(repeats), [(int(first[back[index]]), int(index)) for index in repeats[:SHOWN_EXAMPLES]]


def _across(source: Source, alike: Alike, severity: str) -> Iterator[Finding]:
    for part, known in (("val", "train"), ("test", "train"), ("test", "val")):
        if part not in alike.numbers or known not in alike.numbers:
            continue
        numbers, values = alike.numbers[part], alike.numbers[known]
        leaked = np.flatnonzero(np.isin(numbers, values))
        if len(leaked):
            share = len(leaked) / len(numbers)
            copied = severity == "warning" and share >= COPIED
            examples = [
                (int(np.flatnonzero(values == numbers[i])[0]), int(i)) for i in leaked[:SHOWN_EXAMPLES]
            ]
            yield Finding(
                "error" if copied else severity,
                "duplicates-across-splits",
                len(leaked),
                f"{len(leaked)} of {len(numbers)} samples of the {part} part ({100 * share:.1f} %) are exact "
                f"copies of samples in {known}: a leak, their scores are too good.",
                f"stops; remove them from {known} or let edgeml split."
                if copied
                else "leaves given parts as they are; remove the copies from one of them.",
                tuple(pair_name(source, (known, a), (part, b)) for a, b in examples),
            )


def _conflicts(source: Source, alike: Alike, severity: str) -> Iterator[Finding]:
    numbers = np.concatenate(list(alike.numbers.values()))
    labels = np.concatenate([source.parts[part].labels for part in alike.numbers])
    where = [(part, index) for part, found in alike.numbers.items() for index in range(len(found))]
    order = np.lexsort((labels, numbers))
    same = numbers[order][1:] == numbers[order][:-1]
    clash = np.flatnonzero(same & (labels[order][1:] != labels[order][:-1]))
    if not len(clash):
        return
    examples = []
    for index in clash[:SHOWN_EXAMPLES]:
        a, b = order[index], order[index + 1]
        names = (shown(source.classes[int(labels[one])]) for one in (a, b))
        examples.append(f"{pair_name(source, where[a], where[b])} ({' and '.join(names)})")
    yield Finding(
        severity,
        "conflicting-labels",
        len(clash),
        "equal samples have different labels, so one of them is wrong or the input cannot tell them apart.",
        "trains on both; correct or remove one.",
        tuple(examples),
    )
