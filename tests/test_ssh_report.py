"""What a board answers is input from outside: only what validates becomes a figure."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeml.errors import DeviceError, ModelError
from edgeml.target.board import report, runner
from edgeml.target.board.address import SshAddress
from edgeml.target.board.failure import explain
from edgeml.target.board.process import Finished, converse
from tests.loopback_sshd import SMALL

STATE: dict[str, Any] = {
    "governors": ["performance"],
    "mhz_low": 600.0,
    "mhz_high": 1800.0,
    "mhz_limit": 1800.0,
    "celsius": 51.5,
    "throttled_bits": "0x0",
    "load": 0.1,
}
BOARD: dict[str, Any] = {
    "event": "board",
    "runtime": "tflite_runtime 2.14.0",
    "device": "Raspberry Pi 4 Model B Rev 1.4",
    "cpu": "",
    "cpu_parts": ["0x41:0xd03", "0x41:0xd08", "0x51:0x805"],
    "cores": 4,
    "machine": "aarch64",
    "system": "Linux",
    "python": "3.9.2",
}


def result(**model: Any) -> dict[str, Any]:
    timed = {"readings_s": [0.001] * 9, "n": 90, "outputs": [], **model}
    return {"event": "result", "before": STATE, "after": STATE, "models": [timed]}


def said(*events: dict[str, Any]) -> bytes:
    return b"Welcome!\n" + b"".join(runner.MARK + json.dumps(event).encode() + b"\n" for event in events)


def measured(answer: dict[str, Any]) -> Any:
    board, given = report.read_events(said(BOARD, answer), "board b")
    assert isinstance(board, report.Board) and isinstance(given, report.Result)
    return report.measurements({"m": SMALL}, board, given, {"threads": 1})["m"]


def test_a_good_answer() -> None:
    found = measured(result())
    assert found.value == pytest.approx(1.0) and (found.low, found.high) == pytest.approx((0.95, 1.05))
    conditions = found.conditions
    assert (
        conditions["device"] == "Raspberry Pi 4 Model B Rev 1.4"
        and conditions["cpu"] == "Cortex-A53 + Cortex-A72 + ARM part 0x51:0x805"
    )
    assert conditions["governor"] == "performance" and conditions["mhz_after"] == 1800.0
    assert "slowed_down" not in conditions and "throttled_bits_after" not in conditions
    assert conditions["output_check"].startswith("not compared")


def test_signs_of_throttling_are_told() -> None:
    slower = result(readings_s=[0.001] * 4 + [0.0012] * 5)
    slower["after"] = {**STATE, "throttled_bits": "0x50005", "mhz_high": 1000.0}
    conditions = measured(slower).conditions
    assert conditions["slowed_down"] == "by 20% from first to last third"
    assert conditions["throttled_bits_after"] == "0x50005" and conditions["mhz_after"] == 1000.0


@pytest.mark.parametrize(
    "answer",
    [
        {"event": "other"},
        {},
        [1],
        result(readings_s=[]),
        result(readings_s=[-0.001]),
        result(readings_s=["0.001"]),
        result(readings_s=[1e9]),
        result(n=0),
        result(extra=1),
        result(outputs=[{"dtype": "int8", "shape": [1], "sha256": "0", "base64": ""}]),
        {**BOARD, "device": "x" * 3000},
        {**result(), "before": {}},
        {"event": "error", "kind": "model", "model": -5, "text": ""},
    ],
    ids=range(13),
)
def test_an_answer_that_does_not_validate(answer: Any) -> None:
    with pytest.raises(DeviceError, match="board b: its answer does not validate") as caught:
        report.read_events(said(answer), "board b")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", '{"event": "result"', "", '"\\ud800"'])
def test_an_answer_that_is_no_json(text: str) -> None:
    with pytest.raises(DeviceError, match="does not validate"):
        report.read_events(runner.MARK + text.encode() + b"\n", "board b")


def test_a_number_that_is_none() -> None:
    answer = said(result()).replace(b"0.001", b"NaN", 1)
    with pytest.raises(DeviceError, match="does not validate"):
        report.read_events(answer, "board b")


def test_what_a_board_says_cannot_steer_the_terminal() -> None:
    failure = {"event": "error", "kind": "model", "model": 0, "text": "bad\x1b[2J\r\nmodel"}
    events = report.read_events(said(failure), "board b")
    finished = Finished(1, b"", b"\x1b]0;x\x07oops\n", False, False, 1.0)
    error = explain(events, ["m"], finished, SshAddress("b", python="python3"), 9.0)
    assert isinstance(error, ModelError) and "bad [2J  model" in str(error)
    silent = explain([], ["m"], finished, SshAddress("b", python="python3"), 9.0)
    assert str(silent).isprintable()


def outputs(model: bytes) -> list[dict[str, Any]]:
    """The runner's own answer for a model, run here."""
    _, make = runner.runtime("auto")
    request = {"threads": 1, "rounds": 5, "round_s": 0.0, "warm_up_runs": 0, "seed": 0, "limit_s": 60.0}
    found = runner.timed([model], make, request | {"stop": float("inf")}, lambda *_, **__: None)
    return list(found[0]["outputs"])


def test_the_outputs_are_compared_in_steps() -> None:
    good = outputs(SMALL)
    assert measured(result(outputs=good)).conditions["output_difference_steps"] == 0
    values = np.frombuffer(base64.b64decode(good[0]["base64"]), np.int8).copy()
    values[0] += 2 if values[0] < 100 else -2
    content = values.tobytes()
    other = dict(
        good[0], base64=base64.b64encode(content).decode(), sha256=hashlib.sha256(content).hexdigest()
    )
    assert measured(result(outputs=[other])).conditions["output_difference_steps"] == 2
    for damaged in (
        {"base64": "!"},
        {"base64": ""},
        {"base64": "AAAA"},
        {"dtype": "object"},
        {"shape": [2**60]},
    ):
        conditions = measured(result(outputs=[{**other, **damaged}])).conditions
        assert "not compared" in conditions["output_check"]


def test_a_command_that_prints_too_much() -> None:
    began = converse(
        [sys.executable, "-c", "while True: print('x' * 9999)"], time_limit_s=20, size_limit=100_000
    )
    assert began.too_long and not began.timed_out and len(began.stdout) <= 100_000 and began.seconds < 10


def test_the_runner_is_plain_python_37() -> None:
    source = Path(runner.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {str(name).partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_the_runner_says_what_it_is_doing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_stop_with_host", lambda source, limit_s: None)
    request = {"sizes": [len(SMALL)], "threads": 1, "rounds": 5, "round_s": 0.0, "warm_up_runs": 1, "seed": 0}
    request |= {"limit_s": 60.0, "runtime": "auto"}
    sink = io.BytesIO()
    assert runner.main(io.BytesIO(json.dumps(request).encode() + b"\n" + SMALL), sink) == 0
    events = report.read_events(sink.getvalue(), "board b")
    assert [event.event for event in events] == ["board", "loading", "timing", "result"]
