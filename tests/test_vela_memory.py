"""Vela at its memory limit, where its process ends before it can say so."""

from __future__ import annotations

import pytest

from edgeml.errors import ModelError
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.process import WorkerError
from edgeml.target.ethosu.vela import VelaOptions


class _EndsAtTheLimit:
    """A worker whose process the dynamic loader ends, which depends on what is in memory already."""

    version = "5"
    alive = True

    def ask(self, asked: object, limit_s: float) -> None:
        raise WorkerError(
            "it ended with exit status 127 (cannot allocate memory for thread-local data: ABORT)"
        )

    def close(self) -> None:
        pass


def test_process_that_ends_for_want_of_memory_is_the_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethosu_vela, "_WORKERS", [_EndsAtTheLimit()])
    with pytest.raises(ModelError, match="needs more than 1 MiB of memory"):
        ethosu_vela.compile_to_file(b"", VelaOptions().model_copy(update={"memory_limit_mib": 1}))
