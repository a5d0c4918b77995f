"""The adb meter against a scripted adb (scripted_adb.py: no phone is here) and the real adb without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeml.errors import ConfigError, DeviceError, ModelError
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meters import adb
from edgeml.target.profile import Target
from tests import scripted_adb
from tests.loopback_sshd import free_port
from tests.make_tflite import ModelSpec, make
from tests.speed import SOON_S

SMALL, LARGE = bytes(400), bytes(9000)  # the scripted tool takes a microsecond a byte
Phone = Callable[..., Path]


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """Puts a scripted adb first on PATH; returns the folder of everything."""
    for name in ("ANDROID_SERIAL", "EDGEML_BENCHMARK_MODEL"):
        monkeypatch.delenv(name, raising=False)

    def connect(**plan: Any) -> Path:
        programs = scripted_adb.write(tmp_path, **plan)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        return tmp_path

    return connect


def settings(**values: object) -> adb.AdbOptions:
    return adb.AdbOptions.model_validate({"rounds": 3, "timeout_s": 60.0, **values})


def fails(kind: type[Exception], models: dict[str, bytes] | None = None, **values: object) -> str:
    with pytest.raises(kind) as caught:
        adb.time_models(models or {"small": SMALL}, settings=settings(**values))
    message = str(caught.value)
    assert "\n" not in message
    return message


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in (folder / "phone").iterdir() if path.name.startswith("edgeml")]


def test_milliseconds_of_two_models_in_shuffled_rounds(phone: Phone) -> None:
    folder = phone()
    found = adb.time_models({"small": SMALL, "large": LARGE}, threads=4, settings=settings(rounds=5))
    small, large = found["small"], found["large"]
    assert small.value == pytest.approx(0.4) and large.value == pytest.approx(9.0)
    assert small.low < 0.4 * 0.95 and small.high > 0.4 * 1.05  # widened by half the tool's microsecond too
    assert (small.kind, small.unit, small.n) == ("measured", "ms", 250)
    assert large.conditions["mean_ms"] == pytest.approx(9.0255, abs=1e-3)
    assert large.conditions["device"] == "Google Pixel 4" and large.conditions["android"] == "13"
    assert large.conditions["board"] == "msmnile" and "soc" not in large.conditions
    assert large.conditions["thermal_status_before"] == 1
    assert large.conditions["battery_celsius_after"] == 30.5
    assert large.conditions["statistic"] == "median over rounds of the minimum"
    assert len(large.tool) == len("benchmark_model sha256 0123456789ab")
    runs = (folder / "runs.log").read_text().splitlines()
    sizes = [run.split()[0] for run in runs]
    assert all(sorted(sizes[i : i + 2]) == ["400", "9000"] for i in range(0, 10, 2))
    assert sizes != sizes[:2] * 5  # the order changes
    assert all("--num_threads=4 --warmup_runs=2" in run and "xnnpack" not in run for run in runs)
    assert left_behind(folder) == []


def test_a_newer_tool_gives_percentiles(phone: Phone) -> None:
    phone(mode="percentiles")
    found = adb.time_models({"small": SMALL}, settings=settings())["small"]
    assert found.value == pytest.approx(0.402)
    assert found.conditions["statistic"] == "median over rounds of the 5th percentile"


def test_a_shell_that_gives_no_status(phone: Phone) -> None:
    phone(old_shell=True)
    assert adb.time_models({"small": SMALL}, settings=settings())["small"].value == pytest.approx(0.4)


def test_flags_and_cores(phone: Phone) -> None:
    folder = phone()
    adb.time_models({"small": SMALL}, settings=settings(use_xnnpack=False, cpu_mask="f0", num_runs=7))
    assert "--num_runs=7" in (folder / "runs.log").read_text()
    assert "--use_xnnpack=false" in (folder / "runs.log").read_text()
    assert "taskset f0 /data/local/tmp/benchmark_model" in (folder / "bin" / "calls.json").read_text()


def test_the_tool_is_copied_from_here(phone: Phone, tmp_path: Path) -> None:
    folder = phone()
    odd = tmp_path / 'it\'s a $(touch pwned) "tool"; é'
    (folder / "phone" / "benchmark_model").rename(odd)
    found = adb.time_models({"$(touch x)'": SMALL}, settings=settings(benchmark_model=str(odd)))
    assert found["$(touch x)'"].value == pytest.approx(0.4)
    assert left_behind(folder) == [] and not list(tmp_path.rglob("pwned"))


def test_an_odd_path_on_the_phone_is_quoted(phone: Phone) -> None:
    folder = phone()
    odd = folder / "phone" / "it's a $(touch pwned) `id`; tool"
    (folder / "phone" / "benchmark_model").rename(odd)
    found = adb.time_models(
        {"small": SMALL}, settings=settings(benchmark_model=f"{scripted_adb.TMP}/{odd.name}")
    )
    assert found["small"].value == pytest.approx(0.4)
    assert not list(folder.rglob("pwned")) and not Path("pwned").exists()


def test_the_meter_takes_its_phone_from_the_profile(phone: Phone) -> None:
    phone(devices={"A": "device", "B": "device"})
    own = {"serial": "B", "benchmark_model": adb.TOOL, "rounds": 3}
    target = Target(name="mine", description="d", objectives=["latency_ms"], options={"adb": own})
    assert adb.missing(target) == ""
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 4), 4)
    found = adb.measure({"m": Subject.of(make(spec))}, target)
    assert found["m"]["latency_ms"].conditions["serial"] == "B"


def test_without_adb_or_tool_the_next_meter_is_tried(
    phone: Phone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = Target(name="mine", description="d", objectives=["latency_ms"])
    phone()
    assert "EDGEML_BENCHMARK_MODEL" in adb.missing(target)
    with pytest.raises(MeterUnavailableError, match="no benchmark_model given"):
        adb.measure({}, target)
    monkeypatch.setenv("EDGEML_BENCHMARK_MODEL", adb.TOOL)
    assert adb.missing(target) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no `adb` program" in adb.missing(target)
    with pytest.raises(MeterUnavailableError, match="platform tools"):
        adb.time_models({"small": SMALL})


@pytest.mark.parametrize(
    "devices, words",
    [
        ({}, "lists no phone; connect one"),
        ({"A": "device", "B": "offline"}, "several phones are connected: A (device), B (offline); name one"),
        ({"A": "unauthorized"}, "phone A does not trust this computer; unlock it"),
        ({"A": "offline"}, "phone A is offline; reconnect it"),
        ({"A": "no permissions (missing udev rules?); see [http://x]"}, "add the udev rules"),
        ({"A": "recovery"}, "phone A is in state 'recovery'; start Android on it"),
    ],
)
def test_no_phone_that_can_be_used(phone: Phone, devices: dict[str, str], words: str) -> None:
    phone(devices=devices)
    assert words in fails(DeviceError)


def test_a_serial_that_is_not_connected(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone()
    monkeypatch.setenv("ANDROID_SERIAL", "-x; reboot")
    assert "phone -x; reboot is not connected; `adb devices` lists 9A2B (device)" in fails(DeviceError)


@pytest.mark.parametrize("number", [2, 5, 7, 9])
def test_a_phone_that_vanishes(phone: Phone, number: int) -> None:
    phone(vanish_at=number)
    message = fails(DeviceError, {"small": SMALL, "large": LARGE})
    assert "went away half way (closed)" in message and "reconnect it" in message


def test_a_phone_that_no_longer_answers(phone: Phone) -> None:
    phone(silent_at=3)
    began = time.monotonic()
    assert "not done within 2 s" in fails(DeviceError, timeout_s=2)
    assert time.monotonic() - began < SOON_S


def test_a_model_that_hangs_is_ended_on_the_phone(phone: Phone) -> None:
    folder = phone(mode="hang", bad=len(SMALL))
    assert "not done within 2.5 s" in fails(DeviceError, timeout_s=2.5)
    assert left_behind(folder) == []
    tool = str(folder / "phone" / "benchmark_model")
    running = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if tool in words]


def test_a_full_phone(phone: Phone) -> None:
    folder = phone(
        push_error="failed to copy 'm' to '/data/local/tmp/x': remote write failed: No space left on device"
    )
    message = fails(DeviceError)
    assert "files cannot be copied to it" in message and "No space left" in message
    assert left_behind(folder) == []


def test_a_model_the_tool_refuses(phone: Phone) -> None:
    folder = phone(bad=len(SMALL))
    message = fails(ModelError, {"large": LARGE, "small": SMALL})
    assert "refuses model 'small' (status 1): Didn't find op for builtin opcode" in message
    assert left_behind(folder) == []


def test_a_model_that_crashes_the_tool(phone: Phone) -> None:
    phone(mode="crash", bad=len(SMALL))
    assert "crashed on model 'small' (signal 11)" in fails(ModelError)


def test_a_tool_that_stops_before_its_summary(phone: Phone) -> None:
    phone(mode="cut")
    assert "refuses model 'small' (status 0)" in fails(ModelError)


def test_no_tool_on_the_phone(phone: Phone) -> None:
    folder = phone()
    (folder / "phone" / "benchmark_model").unlink()
    message = fails(DeviceError)
    assert "no program /data/local/tmp/benchmark_model there" in message and "docs/devices.md" in message


def test_a_tool_that_is_nowhere(phone: Phone) -> None:
    phone()
    assert "no file here and no absolute path on the phone" in fails(ConfigError, benchmark_model="bench")


def test_a_tool_for_another_processor(phone: Phone) -> None:
    folder = phone()
    (folder / "phone" / "benchmark_model").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    message = fails(DeviceError)
    assert "does not run there" in message and "is it built for the phone's processor (arm64-v8a)?" in message


def test_nothing_to_measure_needs_no_phone() -> None:
    assert adb.time_models({}) == {}


def test_every_call_names_the_phone(phone: Phone) -> None:
    folder = phone()
    adb.time_models({"small": SMALL}, settings=settings())
    calls = [json.loads(line) for line in (folder / "bin" / "calls.json").read_text().splitlines()]
    assert calls[:2] == [["version"], ["devices"]]
    assert all(call[:2] == ["-s", "9A2B"] and call[2] in ("shell", "push") for call in calls[2:])
    assert all(len(call) == 4 for call in calls if call[2:3] == ["shell"])  # one word: quoted once, by us


@pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb (Debian: adb)")
def test_the_real_adb_without_a_phone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free_port()))  # a server of our own
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    try:
        assert "`adb devices` lists no phone" in fails(DeviceError)
    finally:
        subprocess.run(["adb", "kill-server"], capture_output=True, check=False, timeout=20)
