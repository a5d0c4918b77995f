"""Lifetimes of tensors -> offsets in one arena."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 4
"""Kernels read words of four values and write int16 columns."""

SHUFFLES = 2000
"""Orders tried after the greedy ones; the count is fixed so that one model always gives one file."""


@dataclass(frozen=True)
class Block:
    """Bytes in use from one step to another, both included."""

    nbytes: int
    first: int
    last: int


def aligned(nbytes: int) -> int:
    """Next multiple of the arena's alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lower_bound(blocks: Sequence[Block]) -> int:
    """Most bytes in use at one step: no plan can be smaller."""
    steps = sorted({block.first for block in blocks})
    return max((sum(b.nbytes for b in blocks if b.first <= step <= b.last) for step in steps), default=0)


def place(blocks: Sequence[Block], order: Sequence[int], rivals: Sequence[Sequence[int]]) -> list[int]:
    """Each block, in this order, in the lowest gap that its living neighbours leave -> offsets."""
    offsets = [-1] * len(blocks)
    for index in order:
        wanted, offset = blocks[index].nbytes, 0
        taken = sorted((offsets[i], blocks[i].nbytes) for i in rivals[index] if offsets[i] >= 0)
        for start, size in taken:
            if start - offset >= wanted:
                break
            offset = max(offset, start + size)
        offsets[index] = offset
    return offsets


def plan(blocks: Sequence[Block]) -> tuple[list[int], int]:
    """Blocks (sizes already aligned) -> offset of each, and the arena's size.

    Greedy by size, by duration and by both, then swaps of the best order so far, until the lower bound is
    met or SHUFFLES orders were tried.
    """
    count = len(blocks)
    rivals = [
        [j for j in range(count) if j != i and b.first <= blocks[j].last and blocks[j].first <= b.last]
        for i, b in enumerate(blocks)
    ]

    def total(offsets: Sequence[int]) -> int:
        return max((o + b.nbytes for o, b in zip(offsets, blocks, strict=True)), default=0)

    def duration(index: int) -> int:
        return blocks[index].last - blocks[index].first + 1

    starts = [
        sorted(range(count), key=lambda i: (-blocks[i].nbytes, i)),
        sorted(range(count), key=lambda i: (-blocks[i].nbytes * duration(i), i)),
        sorted(range(count), key=lambda i: (-duration(i), -blocks[i].nbytes, i)),
    ]
    tried = [(total(place(blocks, order, rivals)), order) for order in starts]
    best, order = min(tried, key=lambda pair: pair[0])
    bound, rng = lower_bound(blocks), random.Random(0)
    for _ in range(SHUFFLES if count > 1 else 0):
        if best == bound:
            break
        attempt = list(order)
        for _ in range(rng.choice((1, 1, 2, 4))):
            source, target = rng.randrange(count), rng.randrange(count)
            attempt.insert(target, attempt.pop(source))
        size = total(place(blocks, attempt, rivals))
        if size <= best:
            best, order = size, attempt
    offsets = place(blocks, order, rivals)
    return offsets, total(offsets)
