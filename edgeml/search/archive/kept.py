"""Kept: candidates by key, the latest and the pinned in memory, the others read from their folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from edgeml.search.archive.row import Row
from edgeml.search.candidate import Candidate

RECENT = 100
"""Candidates that stay whole in memory; between sweeps up to three times as many."""

Load = Callable[[str], Candidate]
"""Key -> the candidate as its folder has it."""


class Kept(Mapping[str, Candidate]):
    """Whole candidates of a run, in order of their rows.

    Args:
        rows: of all candidates.
        load: reads one; None where there are no folders and all stay in memory.
        pinned: whether a candidate stays in memory however old it is.
    """

    def __init__(self, rows: Mapping[str, Row], load: Load | None, pinned: Callable[[str], bool]) -> None:
        self._rows, self._load, self._pinned = rows, load, pinned
        self._whole: dict[str, Candidate] = {}

    def put(self, candidate: Candidate) -> None:
        """Add or replace a candidate that has a row; without folders it stays."""
        self._whole.pop(candidate.key, None)
        self._whole[candidate.key] = candidate
        if self._load is not None and len(self._whole) > 3 * RECENT:
            keys = list(self._whole)
            stay = [key for key in keys[:-RECENT] if self._pinned(key)] + keys[-RECENT:]
            self._whole = {key: self._whole[key] for key in stay}

    def __getitem__(self, key: str) -> Candidate:
        whole = self._whole.get(key)
        if whole is not None:
            return whole
        row = self._rows[key]
        assert self._load is not None, "a candidate without a folder was dropped"
        return replace(self._load(key), finished_at_s=row.finished_at_s)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows
