"""Steps -> which way each is run and where every tensor lies in the arena."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgeml.deploy.c99.arena import Block, aligned, plan
from edgeml.deploy.c99.step import Step

SHARE = 1.02
"""What faster kernels may cost: scratch beside the rest of the arena, buffers of their own instead of one in
place."""


@dataclass(frozen=True)
class Program:
    """Steps as they are run, and where each tensor and each step's scratch lies in the arena."""

    steps: tuple[Step, ...]
    offsets: Mapping[int, int]
    scratch: tuple[int, ...]
    arena_bytes: int
    blocks: tuple[Block, ...]


def placed(
    steps: Sequence[Step], root: Mapping[int, int], sizes: Mapping[int, int], given: int, taken: int
) -> Program:
    """Steps -> Program with the smallest arena, or nearly so where that is faster.

    Args:
        steps: in execution order.
        root: by tensor: the one whose bytes it is (itself, or what a RESHAPE reads).
        sizes: bytes by tensor.
        given: input of the model.
        taken: its output.
    """

    def laid_out(compact: Collection[int]) -> Program:
        return _laid_out(steps, root, sizes, given, taken, compact)

    plain, tight = laid_out(()), laid_out(range(len(steps)))
    if plain.arena_bytes <= SHARE * tight.arena_bytes:
        return plain
    needed = [
        at
        for at, step in enumerate(plain.steps)
        if _alive(plain.blocks, at + 1) + aligned(step.scratch_bytes) > SHARE * tight.arena_bytes
    ]
    some = laid_out(needed)
    return some if some.arena_bytes <= SHARE * tight.arena_bytes else tight


def _alive(blocks: Sequence[Block], at: int) -> int:
    return sum(block.nbytes for block in blocks if block.first <= at <= block.last)


def _laid_out(
    steps: Sequence[Step],
    root: Mapping[int, int],
    sizes: Mapping[int, int],
    given: int,
    taken: int,
    compact: Collection[int],
) -> Program:
    """Steps, those in `compact` in place where their input ends there, with offsets."""
    first, last = {given: 0}, {given: 0}
    for at, step in enumerate(steps, 1):
        for tensor in step.inputs:
            last[root[tensor]] = at
        first[step.output] = last[step.output] = at
    last[root[taken]] = len(steps) + 1
    home, chosen = dict(root), list(steps)
    for at, step in enumerate(steps, 1):
        tried = step.compact if step.compact and at - 1 in compact else step
        for tensor in tried.over:
            owner = home[root[tensor]]
            if last[owner] == at and sizes[owner] >= sizes[step.output]:
                home[step.output] = owner
                last[owner] = last[step.output]
                chosen[at - 1] = tried
                break
    owners = sorted({home[root[tensor]] for tensor in first})
    blocks = [Block(aligned(sizes[owner]), first[owner], last[owner]) for owner in owners]
    chosen = _leaner(blocks, chosen)
    places, size = plan([*blocks, *_scratch(chosen)])
    by_owner = dict(zip(owners, places, strict=False))
    rest = iter(places[len(owners) :])
    scratch = tuple(next(rest) if step.scratch_bytes else 0 for step in chosen)
    offsets = {tensor: by_owner[home[root[tensor]]] for tensor in root}
    return Program(tuple(chosen), offsets, scratch, size, tuple(blocks))


def _scratch(steps: Sequence[Step]) -> list[Block]:
    return [Block(aligned(s.scratch_bytes), at, at) for at, s in enumerate(steps, 1) if s.scratch_bytes]


def _leaner(blocks: Sequence[Block], steps: list[Step]) -> list[Step]:
    """Steps, those without scratch instead where theirs would cost more than SHARE allows."""
    bare = [block for block, step in zip(_scratch(steps), [s for s in steps if s.scratch_bytes], strict=True)
            if step.lean is None]  # fmt: skip
    limit = int(plan([*blocks, *bare])[1] * SHARE)
    if plan([*blocks, *_scratch(steps)])[1] <= limit:
        return steps
    return [
        step.lean if step.lean and _alive(blocks, at) + step.scratch_bytes > limit else step
        for at, step in enumerate(steps, 1)
    ]
