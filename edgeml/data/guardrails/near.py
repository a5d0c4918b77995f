"""Guardrail on pictures that are nearly equal: the same photo saved, resized or brightened again.

A perceptual hash that is not cut to bits: a grey thumbnail of at most 16 x 16, its mean taken away, of length
1. The distance of two is sqrt(2 - 2 correlation). What is near depends on how alike the pictures of a set are
anyway, so the limit is a fifth of the median distance to the nearest other picture (of 2,000), at most 0.15
(`bench/guardrails.py` has the figures: distances of copies, and of the nearest in digits, Fashion-MNIST and
CIFAR-10).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgeml.data.guardrails.alike import Alike, pair_name
from edgeml.data.guardrails.finding import SHOWN_EXAMPLES, Finding
from edgeml.data.scratch import rows_at_once
from edgeml.data.source import Source, kind_of

SIDE = 16
LIMIT = 0.15
SHARE = 0.2
COMPARED = 75_000
"""Pictures compared with each other, evenly taken: the work grows with the square."""

_BLOCK, _LOOKED_AT = 512, 128
_ASKED = 2000
"""Pictures whose nearest other is looked for among all, so that it is known how alike the pictures are."""
_DIRECTIONS = 32
_ROUNDING = 1e-3
"""Of distances in float32."""
_PLAIN = 2.0
"""Pictures whose thumbnail deviates less (grey levels) are blank, not alike."""

Floats = NDArray[np.float32]


def near_findings(source: Source, alike: Alike) -> Iterator[Finding]:
    """Near copies across parts, and within what is still to be split."""
    if kind_of(source.preprocessing) != "image":
        return
    where = [(part, index) for part, split in source.parts.items() for index in range(len(split))]
    step = max(1, -(-len(where) // COMPARED))
    numbers = np.concatenate(list(alike.numbers.values()))
    prints, kept = [], []
    start = 0
    for split in source.parts.values():
        chosen = np.arange(-start % step, len(split), step)
        found, contrast = thumbnails(split.inputs, chosen)
        prints.append(found[contrast >= _PLAIN])
        kept.append(start + chosen[contrast >= _PLAIN])
        start += len(split)
    rows, places = np.concatenate(prints), np.concatenate(kept)
    if len(rows) < 10:
        return
    pairs = near_pairs(rows, numbers[places])
    by_kind: dict[str, list[str]] = {"near-duplicates-across-splits": [], "near-duplicates": []}
    for a, b in pairs:
        one, other = where[places[a]], where[places[b]]
        by_kind["near-duplicates" if one[0] == other[0] else "near-duplicates-across-splits"].append(
            pair_name(source, one, other)
        )
    compared = f" ({len(rows):,} of {len(where):,} were compared)" if step > 1 else ""
    for code, names in by_kind.items():
        if names:
            across = code != "near-duplicates"
            yield Finding(
                "warning",
                code,
                len(names),
                f"pictures of different parts are nearly equal{compared}: a leak, scores may be too good."
                if across
                else f"pictures are nearly equal{compared}; in two splits they make scores too good.",
                "leaves them as they are; look at the examples, and name a group column or part by origin if "
                "they are copies.",
                tuple(names[:SHOWN_EXAMPLES]),
            )


def thumbnails(images: NDArray[np.uint8], chosen: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Some of (n, h, w, c) -> (their thumbnails (m, values), of mean 0 and length 1, and deviations (m,))."""
    _, height, width, channels = images.shape
    tall, wide = _means(height), _means(width)
    weights = np.array([0.299, 0.587, 0.114] if channels == 3 else [1 / channels] * channels, np.float32)
    rows = np.empty((len(chosen), len(tall) * len(wide)), np.float32)
    step = rows_at_once(images)
    for start in range(0, len(chosen), step):
        block = images[chosen[start : start + step]].astype(np.float32) @ weights
        rows[start : start + len(block)] = (tall @ block @ wide.T).reshape(len(block), -1)
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1)
    deviation = length / np.sqrt(rows.shape[1])
    rows /= np.maximum(length, 1e-6)[:, None]
    return rows, deviation.astype(np.float32)


def _means(side: int) -> Floats:
    """(m, side): each row the mean of an equal share of `side` pixels."""
    edges = np.linspace(0, side, min(side, SIDE) + 1)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    found = np.maximum(overlap, 0)
    shares: Floats = (found / found.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def near_pairs(rows: Floats, numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Thumbnails -> pairs nearer than the limit, each picture with its nearest; exact copies are no pairs.

    Equal pictures are compared once, and each keeps its nearest only: a set may be copies of a few.

    Args:
        rows: (n, values), of length 1.
        numbers: (n,) equal where the pictures are.
    """
    _, first, own = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)  # by their places in the set, which decide between equally near ones
    different = rows[first[order]]
    asked = np.arange(0, len(different), max(1, -(-len(different) // _ASKED)))
    partner = _nearest_within(different, limit_of(nearest_distances(different, asked)))
    partner_of = np.full(len(first), -1)
    partner_of[order] = np.where(partner < 0, -1, first[order][partner])
    others = partner_of[own]
    near = np.flatnonzero(others >= 0)
    pairs = zip(near.tolist(), others[near].tolist(), strict=True)
    return sorted({(min(pair), max(pair)) for pair in pairs})


def _distance(correlation: Floats) -> Floats:
    found: Floats = np.sqrt(np.maximum(0, 2 - 2 * correlation))
    return found


def limit_of(distances: Floats) -> float:
    """Distances of pictures to their nearest others -> below which of them pictures are near copies."""
    return min(LIMIT, SHARE * float(np.median(distances)))


def nearest_distances(rows: Floats, asked: NDArray[np.int64]) -> Floats:
    """Distance of the rows `asked`, of rows that all differ, to the nearest other, (m,)."""
    best = np.empty(len(asked), np.float32)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        found = rows[block] @ rows.T
        found[np.arange(len(block)), block] = -1
        best[start : start + len(block)] = found.max(axis=1)
    return _distance(best)


def _nearest_within(rows: Floats, limit: float) -> NDArray[np.int64]:
    """Rows -> the position of the nearest other of each, the first of equal ones; -1 beyond the limit.

    What is near is near in every projection too: one on a line leaves few to look at, and one on the
    directions in which the rows differ most fewer still.
    """
    flat = rows @ np.linalg.eigh(rows.T @ rows)[1][:, : -_DIRECTIONS - 1 : -1]
    order = np.argsort(flat[:, 0], kind="stable")
    flat, along = flat[order], flat[order, 0]
    # |a - b|^2 < reach^2 where 2 a b - |a|^2 > |b|^2 - reach^2: one product, and its largest by column.
    length, reach = np.einsum("nv,nv->n", flat, flat), limit + _ROUNDING
    left = np.column_stack([2 * flat, -length])
    right = np.ascontiguousarray(np.column_stack([flat, np.ones_like(length)]).T)
    least = length - np.float32(reach**2)
    best, partner = np.full(len(rows), -np.inf, np.float32), np.full(len(rows), -1)
    for start in range(0, len(rows), _LOOKED_AT):
        stop = min(len(rows), start + _LOOKED_AT)
        end = int(np.searchsorted(along, along[stop - 1] + reach, side="right"))
        close = (left[start:stop] @ right[:, start:end]).max(axis=0) > least[start:end]
        block, known = np.sort(order[start:stop]), np.sort(order[start:end][close])
        alike = rows[block] @ rows[known].T
        alike[(block[:, None] == known[None, :]) | ~(_distance(alike) < limit)] = -np.inf
        _keep_nearer(best, partner, block, known, alike)
        _keep_nearer(best, partner, known, block, alike.T)
    return partner


def _keep_nearer(
    best: Floats,
    partner: NDArray[np.int64],
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    alike: Floats,
) -> None:
    """Note for each of `rows` the most alike of `others`, both sorted, where it beats what is known."""
    if not len(others):
        return
    found, at = alike.max(axis=1), others[alike.argmax(axis=1)]
    better = (found > best[rows]) | ((found == best[rows]) & np.isfinite(found) & (at < partner[rows]))
    best[rows[better]], partner[rows[better]] = found[better], at[better]
