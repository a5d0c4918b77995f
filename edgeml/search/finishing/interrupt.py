"""Ctrl-C in what follows a search: it ends a stage, and nothing that is stored is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgeml.search.study import Study
from edgeml.search.workers.executor import Executor


@contextmanager
def ended_by_ctrl_c(study: Study, executor: Executor) -> Iterator[None]:
    """What is inside ends with Ctrl-C, and its workers with it; the study is called interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        study.progress.interrupted = True
        executor.kill()
