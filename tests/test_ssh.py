"""The ssh meter against a real sshd on this machine; the board's Python is this one."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeml.errors import ConfigError, ModelError
from edgeml.target.board.address import parse_address
from edgeml.target.board.turn import turn
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meters import ssh
from edgeml.target.profile import Target
from tests import loopback_sshd
from tests.loopback_sshd import LARGE, SMALL, fails, settings
from tests.speed import SOON_S

Wrapper = Callable[..., Path]


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopback_sshd.Loopback]:
    board = loopback_sshd.start(tmp_path_factory.mktemp("sshd"))
    yield board
    board.stop()


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    """A shell script that stands for the board's Python."""

    def write(script: str, name: str = "python") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.mark.alone
def test_real_milliseconds_of_two_models_in_one_session(loopback: loopback_sshd.Loopback) -> None:
    found = ssh.time_models(loopback.url(sys.executable), {"small": SMALL, "large": LARGE}, threads=1)
    small, large = found["small"], found["large"]
    assert 0 < small.low <= small.value <= small.high < large.low
    assert large.kind == "measured" and large.unit == "ms" and large.metric == "latency_ms"
    assert large.tool.startswith("ai_edge_litert 2")
    conditions = large.conditions
    assert len(conditions["readings_ms"]) == conditions["rounds"] == ssh.ROUNDS
    assert large.n >= 3 * ssh.ROUNDS
    assert conditions["threads"] == 1 and conditions["interleaved_with"] == 1
    assert conditions["output_difference_steps"] == 0  # board and host are one machine
    assert conditions["device"] and conditions["cores"] >= 1 and conditions["board"].endswith("@127.0.0.1")


def test_the_meter_takes_its_board_from_the_profile(
    loopback: loopback_sshd.Loopback, wrapper: Wrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = wrapper(f"exec {shutil.which('ssh')} -F '{loopback.client()}' \"$@\"", "programs/ssh")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")  # what ~/.ssh/config would say
    own = {"url": loopback.url(sys.executable).partition("&config=")[0], "rounds": 5}
    target = Target(name="mine", description="d", objectives=["latency_ms"], options={"ssh": own})
    assert ssh.missing(target) == ""
    found = ssh.measure({"small": Subject.of(SMALL)}, target)
    assert found["small"]["latency_ms"].value > 0


def test_a_profile_does_not_choose_the_configuration(tmp_path: Path) -> None:
    """One from elsewhere could bring a file with a ProxyCommand, which ssh runs on this computer."""
    (tmp_path / "evil.config").write_text(f"Host *\n  ProxyCommand touch {tmp_path / 'ran'}\n")
    own = {"url": f"ssh://board?config={tmp_path / 'evil.config'}"}
    target = Target(name="mine", description="d", objectives=["latency_ms"], options={"ssh": own})
    for use in (ssh.missing, lambda target: ssh.measure({"small": Subject.of(SMALL)}, target)):
        with pytest.raises(
            ConfigError, match=r"must not choose ssh's configuration.*--device or [$]EDGEML_SSH"
        ):
            use(target)
    assert not (tmp_path / "ran").exists()


def test_without_a_board_the_next_meter_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEML_SSH", raising=False)
    target = Target(name="mine", description="d", objectives=["latency_ms"])
    assert "EDGEML_SSH" in ssh.missing(target) and "--device" in ssh.missing(target)
    with pytest.raises(MeterUnavailableError, match="no board given"):
        ssh.measure({"small": Subject.of(SMALL)}, target)
    monkeypatch.setenv("EDGEML_SSH", "ssh://pi@board")
    assert ssh.missing(target) == ""


def test_without_an_ssh_program_it_says_which_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MeterUnavailableError, match="openssh-client"):
        ssh.time_models("ssh://pi@board", {"small": SMALL})


def test_a_board_without_a_runtime(loopback: loopback_sshd.Loopback, wrapper: Wrapper) -> None:
    message = fails(loopback.url(wrapper(f'exec {sys.executable} -S "$@"')))
    assert "has no TFLite runtime" in message and "pip install ai-edge-litert" in message
    for runtime in ("ai_edge_litert", "tflite_runtime", "tensorflow"):
        assert f"{runtime}: No module named" in message


def test_the_runtime_can_be_named(loopback: loopback_sshd.Loopback) -> None:
    message = fails(loopback.url(sys.executable), runtime="tflite_runtime")
    assert "tflite_runtime: No module named" in message and "tensorflow" not in message


def test_a_board_without_that_python(loopback: loopback_sshd.Loopback) -> None:
    message = fails(loopback.url("/no/such/python"))
    assert "cannot run '/no/such/python'" in message and "?python=" in message


def test_a_python_that_is_none(loopback: loopback_sshd.Loopback, wrapper: Wrapper) -> None:
    message = fails(loopback.url(wrapper("echo Segmentation fault >&2; exit 3")))
    assert "ended with status 3 before it said anything (Segmentation fault)" in message


def test_names_a_shell_could_misread(
    loopback: loopback_sshd.Loopback, wrapper: Wrapper, tmp_path: Path
) -> None:
    odd = wrapper(
        f'exec {sys.executable} "$@"', f'it\'s "odd" $(touch {tmp_path.name}) `id`; a+b & c*/py thon'
    )
    found = ssh.time_models(loopback.url(odd), {"$(touch x)'\"; é": SMALL}, settings=settings())
    assert found["$(touch x)'\"; é"].value > 0
    assert not (Path.home() / tmp_path.name).exists()


def test_what_a_login_shell_prints_is_skipped(loopback: loopback_sshd.Loopback, wrapper: Wrapper) -> None:
    python = wrapper(f'echo Welcome; echo "You have new mail"; exec {sys.executable} "$@"')
    assert ssh.time_models(loopback.url(python), {"small": SMALL}, settings=settings())["small"].value > 0


def test_a_hang_ends_at_the_time_limit(loopback: loopback_sshd.Loopback, wrapper: Wrapper) -> None:
    began = time.monotonic()
    message = fails(loopback.url(wrapper("exec sleep 600")), timeout_s=1.5)
    assert "no result within 1.5 s" in message
    assert time.monotonic() - began < SOON_S


def running(mark: bytes) -> bool:
    """A process with that environment exists."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_sshd_killed_half_way(tmp_path: Path, wrapper: Wrapper) -> None:
    board = loopback_sshd.start(tmp_path)
    python = wrapper(f"""echo 'EDGEML-BOARD {{"event": "timing"}}'; touch {tmp_path}/timing; exec sleep 99""")

    def kill() -> None:
        within(60, (tmp_path / "timing").exists)
        board.kill_connections()

    killer = threading.Thread(target=kill)
    killer.start()
    began = time.monotonic()
    try:
        message = fails(board.url(python))
    finally:
        killer.join()
        board.stop()
    assert "went away half way" in message and "closed by remote host" in message
    assert time.monotonic() - began < SOON_S


FAKE_RUNTIME = """
import os, signal, time
import numpy
class Interpreter:
    def __init__(self, model_content, num_threads): self.model = model_content
    def allocate_tensors(self): pass
    def get_input_details(self): return []
    def get_output_details(self): return []
    def invoke(self): {does}
"""


@pytest.fixture
def scripted_runtime(wrapper: Wrapper, tmp_path: Path) -> Callable[[str], Path]:
    """A Python whose LiteRT is scripted: what `invoke` does."""

    def make_python(does: str) -> Path:
        package = tmp_path / "fake" / "ai_edge_litert"
        shutil.rmtree(package, ignore_errors=True)
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(FAKE_RUNTIME.format(does=does))
        return wrapper(f'PYTHONPATH={package.parent} exec {sys.executable} "$@"')

    return make_python


def test_a_model_that_brings_the_runtime_down(
    loopback: loopback_sshd.Loopback, scripted_runtime: Callable[[str], Path]
) -> None:
    python = scripted_runtime(f"os.kill(os.getpid(), {int(signal.SIGSEGV)}) if len(self.model) > 999 else 0")
    with pytest.raises(ModelError, match=r"runtime crashed on model 'bad'"):
        ssh.time_models(loopback.url(python), {"good": b"0" * 9, "bad": b"0" * 1000}, settings=settings())


def test_a_model_the_runtime_refuses(loopback: loopback_sshd.Loopback) -> None:
    with pytest.raises(ModelError, match=r"refuses model 'bad'"):
        ssh.time_models(loopback.url(sys.executable), {"good": SMALL, "bad": b"\0\0\0\0TFL3" + bytes(64)})


def test_a_board_that_is_too_slow(
    loopback: loopback_sshd.Loopback, scripted_runtime: Callable[[str], Path]
) -> None:
    message = fails(loopback.url(scripted_runtime("time.sleep(0.3)")), timeout_s=6)
    assert "too slow for its time limit" in message and "of at least 5 rounds" in message


def test_nothing_to_measure_needs_no_board() -> None:
    assert ssh.time_models("ssh://pi@board", {}) == {}


def test_the_runner_ends_with_the_connection(
    loopback: loopback_sshd.Loopback, scripted_runtime: Callable[[str], Path]
) -> None:
    python = scripted_runtime("time.sleep(600)")
    mark = f"PYTHONPATH={python.parent}/fake".encode()
    thread = threading.Thread(target=lambda: fails(loopback.url(python), timeout_s=6))
    thread.start()
    assert within(6, lambda: running(mark))
    thread.join()
    assert within(60, lambda: not running(mark))


def test_one_session_at_a_time_on_a_board(loopback: loopback_sshd.Loopback) -> None:
    url = loopback.url(sys.executable)
    place = f"board {parse_address(url).name}"
    with turn(place, 300):  # tests of another process may be at it
        began = time.monotonic()
        assert "another edgeml process has been timing there for 0.3 s" in fails(url, timeout_s=0.3)
        assert time.monotonic() - began < SOON_S
        with turn("board other", 60):
            pass
    with turn(place, 60):
        pass
