"""The device meter without a device: what is missing, how it is connected, and the child process on the CPU.

Nothing here runs on an Edge TPU: the machines edgeml is made on have none.
"""

from __future__ import annotations

import ctypes.util
import sys
import time
from pathlib import Path

import pytest

from edgeml.errors import DeviceError, ModelError
from edgeml.target.board import process as board_process
from edgeml.target.coral.compile import Compiler
from edgeml.target.measure import measure as measure_target
from edgeml.target.measure import metrics_of_clock, passed_over
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meters import coral_compiler, coral_device
from edgeml.target.meters.coral_device import connection, measure, missing, run_child
from edgeml.target.profile import load_target
from tests.make_tflite import ModelSpec, make
from tests.speed import SOON_S

CORAL = load_target("coral")
needs_no_library = pytest.mark.skipif(
    ctypes.util.find_library("edgetpu") is not None, reason="this machine has libedgetpu"
)


def relu(filters: int = 4) -> bytes:
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 8, 8, filters)], (1, 8, 8, filters))
    return make(spec)


def compiled() -> bytes:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 8)], (1, 8), custom="edgetpu-custom-op")
    return make(spec)


def connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Edge TPU that answers what is made up here."""
    child_prints(monkeypatch, 'print(\'{"times_ms": [2.0, 1.0, 3.0], "first_ms": 30.0}\')')
    monkeypatch.setattr(coral_device, "_installed", lambda: True)
    monkeypatch.setattr(coral_device, "connection", lambda: "PCIe")


def child_prints(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let another program run in the child's place."""

    def instead(command: list[str], **limits: float) -> board_process.Finished:
        return board_process.converse([sys.executable, "-c", program], **limits)

    monkeypatch.setattr(coral_device, "converse", instead)


@needs_no_library
def test_without_the_library_the_next_meter_is_tried() -> None:
    assert missing(CORAL).startswith("libedgetpu.so.1 is not installed")
    with pytest.raises(MeterUnavailableError, match="not installed"):
        measure({"a": Subject.of(relu())}, CORAL)


def test_without_a_device_the_next_meter_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coral_device, "_installed", lambda: True)
    monkeypatch.setattr(coral_device, "connection", lambda: connection(tmp_path))
    assert "no Edge TPU is connected" in missing(CORAL)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert missing(CORAL).startswith(
        "only files that are compiled already can be timed: edgetpu_compiler is not"
    )
    monkeypatch.setattr(coral_device.coral_compiler, "missing", lambda target: "")
    assert missing(CORAL) == ""


@pytest.mark.parametrize(("vendor", "product"), [("1a6e", "089a"), ("18d1", "9302")])
def test_the_connection_is_read_from_the_system(tmp_path: Path, vendor: str, product: str) -> None:
    assert connection(tmp_path) == ""
    for name, values in (("1-0", None), ("1-1", ("046d", "c31c", "12")), ("2-1", (vendor, product, "5000"))):
        folder = tmp_path / "sys/bus/usb/devices" / name
        folder.mkdir(parents=True)
        for file, value in zip(("idVendor", "idProduct", "speed"), values or (), strict=False):
            (folder / file).write_text(value + "\n")
    assert connection(tmp_path) == "USB at 5000 Mbit/s"


def test_the_child_times_and_compares() -> None:
    found = run_child(relu(), relu(), "", 1, 60)
    assert 20 <= len(found["times_ms"]) <= 1000
    assert min(found["times_ms"]) > 0
    assert found["first_ms"] > 0
    assert (found["same"], found["largest_difference"]) == (1.0, 0.0)


def test_other_outputs_are_told() -> None:
    spec = ModelSpec()
    x = spec.tensor(1, 8, 8, 4)
    spec.op("ADD", [x, x], (1, 8, 8, 4), options=("Add", {}))
    found = run_child(make(spec), relu(), "", 1, 60)
    assert found["same"] < 0.5
    assert found["largest_difference"] > 1


def test_a_library_that_is_no_delegate_is_no_device() -> None:
    with pytest.raises(
        MeterUnavailableError, match=r"^libnothing\.so\.1 is there but does not open an Edge TPU"
    ):
        run_child(relu(), None, "libnothing.so.1", 1, 60)


def test_a_model_the_interpreter_refuses_is_the_models_fault() -> None:
    with pytest.raises(ModelError, match="unresolved custom op: edgetpu-custom-op"):
        run_child(compiled(), None, "", 1, 60)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.abort()", "was ended by signal 6"),
        ("import os; os.kill(os.getpid(), 11)", "was ended by signal 11"),
        ("print('F driver/usb hello')", "ended with status 0"),
        ("print('[1, 2]')", "ended with status 0"),
        ("", "ended with status 0"),
    ],
)
def test_a_runtime_that_crashes_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    child_prints(monkeypatch, program)
    with pytest.raises(DeviceError, match=words):
        run_child(relu(), None, "libedgetpu.so.1", 1, 60)


def test_a_device_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    child_prints(monkeypatch, "import time; time.sleep(600)")
    began = time.monotonic()
    with pytest.raises(DeviceError, match="did not answer within 1 s"):
        run_child(relu(), None, "libedgetpu.so.1", 1, 1)
    assert time.monotonic() - began < SOON_S


def test_figures_say_how_they_were_got(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled model; the child's answer is made up here."""
    connect(monkeypatch)
    found = measure({"a": Subject.of(compiled())}, CORAL)["a"]["latency_ms"]
    assert (found.value, found.n, found.kind) == (2.0, 3, "measured")
    assert found.conditions["connection"] == "PCIe"
    assert found.conditions["first_run_ms"] == 30.0
    assert found.low < found.value < found.high


@pytest.mark.parametrize("compiler", [True, False])
def test_a_compiled_file_is_timed_with_or_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, compiler: bool
) -> None:
    """Compiler and estimate cannot look into it, and say nothing of it."""
    connect(monkeypatch)
    if compiler:
        monkeypatch.setattr(coral_compiler, "find_compiler", lambda: Compiler(Path("absent"), "16.0"))
    found = measure_target(compiled(), None, CORAL)
    assert (found["latency_ms"].value, found["latency_ms"].kind) == (2.0, "measured")
    assert found["host_ops"].value == 0 and "macs" not in found and "parameter_bytes" not in found


def test_a_compiled_file_without_a_device_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coral_device, "_installed", lambda: False)
    with pytest.raises(ModelError) as caught:
        measure_target(compiled(), None, CORAL)
    assert "already compiled for the Edge TPU" in str(caught.value)
    assert "(coral_device: libedgetpu.so.1 is not installed; install libedgetpu1-std" in str(caught.value)


def test_a_plain_file_without_a_compiler_is_estimated_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch)
    found = measure_target(relu(), None, CORAL)
    assert found["latency_ms"].kind == "estimated" and "latency_ms" not in metrics_of_clock(CORAL)
    device, compiling = passed_over(CORAL, found)
    assert device.startswith("latency_ms: estimated, since coral_device cannot be used here (only files that")
    assert "host_ops: estimated, since coral_compiler cannot be used here (edgetpu_compiler is" in compiling
