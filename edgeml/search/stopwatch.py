"""Seconds by stage, of a training or of a whole search."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from edgeml.train import awake


class Stopwatch:
    """Adds up seconds by stage, without those in which this process was stopped."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.began_cpu_s = time.process_time()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done inside `with`."""
        began = awake.now()
        try:
            yield
        finally:
            self.seconds[stage] += awake.now() - began

    def added_to(self, before: dict[str, float]) -> dict[str, float]:
        """Seconds by stage, those of earlier trainings included."""
        return {stage: before.get(stage, 0.0) + self.seconds.get(stage, 0.0)
                for stage in {**before, **self.seconds}}  # fmt: skip
