"""What a full training takes, by the network's MACs: a search that ends by time gains most per second."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeml.search.candidate import Candidate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ENOUGH = 4
"""Trainings before they say something."""
LATEST = 500
"""Trainings that are looked at."""


class Hurry(Protocol):
    """What a search that time ends says of networks (search/pace.py)."""

    def weight(self, macs: Floats) -> Floats:
        """MACs, (n,) -> what gains are divided by, (n,)."""

    def affordable(self, macs: Floats, times: float = 1.0) -> Bools:
        """MACs, (n,) -> whether such networks are looked for, or take so many times longer at most, (n,)."""


class Spending:
    """Seconds of a full training as a line over MACs, fitted to a run's trainings so far."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=LATEST)
        self._line: tuple[float, float] | None = None

    def count(self, candidate: Candidate, rows: Iterable[Mapping[str, Any]]) -> None:
        """Trainings of a candidate are done; these are their rows."""
        known = [
            figure["value"] for name, figure in candidate.metrics.items() if name.split("@")[0] == "macs"
        ]
        macs = float(known[0]) if known else 0.0
        for row in rows if macs else ():
            if "train_s" in row:
                self._seen.append((macs, row["train_s"] / max(row["cost"], 1e-9) + row["besides_s"]))
                self._line = None

    def __call__(self, macs: Floats) -> Floats:
        """MACs, (n,) -> seconds, (n,); ones while too little is known."""
        if len(self._seen) < ENOUGH:
            return np.ones(len(macs))
        if self._line is None:
            self._line = _line(np.array(self._seen))
        constant, slope = self._line
        return np.asarray(constant + slope * macs)


def _line(seen: Floats) -> tuple[float, float]:
    """(MACs, seconds), (n, 2) -> seconds of nothing and of a MAC, neither negative, least relative error."""
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    seconds = np.maximum(seen[:, 1], 1e-6)
    unit = max(float(seen[:, 0].max()), 1.0)
    (constant, slope), _ = nnls(
        np.column_stack([1 / seconds, seen[:, 0] / unit / seconds]), np.ones(len(seen))
    )
    return max(float(constant), 1e-6), float(slope) / unit
