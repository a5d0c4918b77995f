"""Front: the non-dominated points of a run, and how its hypervolume has grown, kept up point by point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeml.search.archive import pareto
from edgeml.search.archive.row import Row

MOST_ROWS = 1_000
"""Rows of a history at most. Up to so many points each has one; then those that changed the front."""
MOST_VOLUMES = 100
"""The same with more than two objectives, where a hypervolume takes milliseconds."""

Volume = tuple[int, float, float]
"""Points so far, seconds, hypervolume."""


class Front:
    """Non-dominated rows; of equal points the one with the lowest trial number."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._points = np.zeros((0, 0))
        self._keys: set[str] = set()

    def add(self, row: Row, point: Sequence[float]) -> bool:
        """Whether the point changes the front."""
        new = np.array(point, float)
        if not self._rows:
            self._put(row, new.reshape(1, -1))
            return True
        no_worse = np.asarray((self._points <= new).all(axis=1))
        if no_worse.any():
            self._take_turns(row, no_worse & np.asarray((self._points >= new).all(axis=1)))
            return False
        stays = ~np.asarray((new <= self._points).all(axis=1))
        if not stays.all():
            self._keys -= {one.key for one, stay in zip(self._rows, stays, strict=True) if not stay}
            self._rows = [one for one, stay in zip(self._rows, stays, strict=True) if stay]
            self._points = self._points[stays]
        self._put(row, np.vstack([self._points, new]))
        return True

    def _put(self, row: Row, points: np.ndarray) -> None:
        self._rows.append(row)
        self._keys.add(row.key)
        self._points = points

    def _take_turns(self, row: Row, equal: np.ndarray) -> None:
        if equal.any():
            at = int(equal.argmax())
            if row.number < self._rows[at].number:
                self._keys.remove(self._rows[at].key)
                self._keys.add(row.key)
                self._rows[at] = row

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def replace(self, row: Row) -> None:
        """The same candidate with the same point, known anew."""
        if row.key in self._keys:
            self._rows = [row if one.key == row.key else one for one in self._rows]

    @property
    def points(self) -> list[tuple[float, ...]]:
        """Points of the members."""
        return [tuple(point) for point in self._points.tolist()]

    @property
    def rows(self) -> list[Row]:
        """Members, the most accurate first."""
        return sorted(self._rows, key=lambda row: row.scores or ())


class History:
    """How the hypervolume has grown: which points changed the front, when, after how many."""

    def __init__(self) -> None:
        self.count = 0
        self._last_s = 0.0
        self._seconds: list[float] = []
        self._changes: list[tuple[int, float, Row, tuple[float, ...]]] = []
        self._volumes: dict[int, float] = {}
        self._reference: tuple[float, ...] = ()

    def add(self, row: Row, point: tuple[float, ...], changes: bool) -> None:
        """One more point; `changes` says whether it changed the front."""
        self.count += 1
        self._last_s = max(self._last_s, row.finished_at_s)
        if self.count <= MOST_ROWS:
            self._seconds.append(self._last_s)
        if changes:
            self._changes.append((self.count, self._last_s, row, point))

    def volumes(self, reference: tuple[float, ...]) -> list[Volume]:
        """The history for one reference point, in order."""
        if not self.count:
            return []
        shown = self._shown(MOST_ROWS if len(reference) < 3 else MOST_VOLUMES)
        self._measure(reference, shown)
        if self.count > MOST_ROWS or len(shown) < len(self._changes):
            rows = [(*self._changes[i][:2], self._volumes[i]) for i in shown]
            last = (self.count, self._last_s, rows[-1][2])
            return rows if rows[-1][0] == self.count else [*rows, last]
        found, at = [], -1
        for place, seconds in enumerate(self._seconds, start=1):
            if at + 1 < len(self._changes) and self._changes[at + 1][0] == place:
                at += 1
            found.append((place, seconds, self._volumes[at]))
        return found

    def _shown(self, most: int) -> list[int]:
        """Changes that have a row: all, or every 2nd, 4th, ... and the last."""
        count, step = len(self._changes), 1
        while count > most * step:
            step *= 2
        return sorted({*range(0, count, step), count - 1})

    def _measure(self, reference: tuple[float, ...], shown: list[int]) -> None:
        if reference != self._reference:
            self._reference, self._volumes = reference, {}
        missing = set(shown) - self._volumes.keys()
        if not missing:
            return
        front = Front()
        for index, (_, _, row, point) in enumerate(self._changes):
            front.add(row, point)
            if index in missing:
                self._volumes[index] = pareto.hypervolume(front.points, reference)
