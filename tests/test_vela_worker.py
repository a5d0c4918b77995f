"""Vela's process: a model is not told what an earlier one left behind, limits hold for one model only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeml.errors import ModelError
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu import worker as ethosu_worker
from edgeml.target.ethosu.process import Worker
from edgeml.target.ethosu.vela import VelaOptions, compile_model
from tests.test_vela import needs_vela, small

ENDS_AT = """
import json, sys
print('{"version": "5"}', flush=True)
for count, line in enumerate(sys.stdin, 1):
    if count == %d:
        raise SystemExit("full of the last model")
    print(json.dumps({"error": "no operator", "kind": "VelaError"}), flush=True)
"""
REAL = [sys.executable, "-P", ethosu_worker.__file__]


@pytest.fixture(autouse=True)
def _no_worker_stays() -> Iterator[None]:
    ethosu_vela.close()
    yield
    ethosu_vela.close()


def started_as(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> list[Worker]:
    """Workers are started by that command; the list has those that were."""
    found: list[Worker] = []

    def start() -> Worker:
        found.append(Worker(command))
        return found[-1]

    monkeypatch.setattr(ethosu_vela, "Worker", start)
    return found


def said(content: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        compile_model(content, VelaOptions())
    return str(caught.value)


def test_what_ends_it_after_another_model_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = started_as(monkeypatch, [sys.executable, "-c", ENDS_AT % 2])
    assert "no operator" in said(b"a") and len(started) == 1
    assert "no operator" in said(b"b") and len(started) == 2


def test_what_ends_a_fresh_process_is_the_models_own_doing(monkeypatch: pytest.MonkeyPatch) -> None:
    started = started_as(monkeypatch, [sys.executable, "-c", ENDS_AT % 1])
    assert "it ended with exit status 1 (full of the last model)" in said(b"a") and len(started) == 1


@needs_vela
def test_its_memory_limit_is_for_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    started = started_as(monkeypatch, REAL)
    compile_model(small()[0], VelaOptions())
    assert address_space(started[0])[0] == "unlimited"


@needs_vela
def test_a_lower_limit_of_the_system_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    started = started_as(monkeypatch, ["bash", "-c", f"ulimit -v 3000000; exec {' '.join(REAL)}"])
    assert compile_model(small()[0], VelaOptions()).cycles > 0
    assert address_space(started[0]) == ["3072000000", "3072000000"]


def address_space(worker: Worker) -> list[str]:
    """Soft and hard limit of its process, in bytes."""
    limits = Path(f"/proc/{worker._process.pid}/limits").read_text(encoding="utf-8")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
    return line.split()[3:5]
