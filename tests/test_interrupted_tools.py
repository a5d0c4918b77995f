"""Ctrl-C while Vela or tflite-micro works on a model: the next model is not told what the last one was."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgeml.target.ethosu import process as vela_process
from edgeml.target.mcu import process as tflm_process

ECHO = """
import json, os, sys
print('{"version": "5"}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    size = os.path.getsize(asked["model"]) if "model" in asked else asked["size"]
    print(json.dumps({"size": size}), flush=True)
"""


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Call it, and the next wait for an answer ends by Ctrl-C."""
    pending: list[bool] = []
    wait = select.select

    def waiting(*arguments: Any) -> Any:
        if pending:
            pending.clear()
            raise KeyboardInterrupt
        return wait(*arguments)

    monkeypatch.setattr(select, "select", waiting)
    monkeypatch.setattr(tflm_process, "COMMAND", [sys.executable, "-c", ECHO])
    tflm_process.close()
    yield lambda: pending.append(True)
    tflm_process.close()


def test_vela_interrupted_is_ended(interrupt: Callable[[], None]) -> None:
    worker = vela_process.Worker([sys.executable, "-c", ECHO])
    assert worker.ask({"size": 1}, 20)[0] == {"size": 1}
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        worker.ask({"size": 2}, 20)
    assert not worker.alive  # else the next model would be told of 2


def test_tflite_micro_interrupted_starts_anew(interrupt: Callable[[], None]) -> None:
    assert tflm_process.ask(b"1", 20, 1 << 30) == {"size": 1}
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        tflm_process.ask(b"22", 20, 1 << 30)
    assert tflm_process.ask(b"333", 20, 1 << 30) == {"size": 3}
