"""The ssh meter with an aarch64 board: LiteRT for ARM behind a real sshd, the processor emulated by qemu.

Its milliseconds are the emulator's and mean nothing; its outputs and what it tells of itself are real.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeml.target.meters import ssh
from edgeml.target.qemu import sysroot
from edgeml.target.qemu.cpu import load_cpu
from tests import loopback_sshd
from tests.loopback_sshd import LARGE, SMALL

FILES = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
    "sys/class/thermal/thermal_zone0/temp": "48199\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
}
"""What a Raspberry Pi 4 shows in these places."""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A script that is an aarch64 Python with LiteRT, on a Cortex-A72."""
    found = sysroot.find()
    if isinstance(found, str):
        pytest.skip(found)
    root = tmp_path / "root"
    for name, text in {**load_cpu("cortex-a72").files(), **FILES}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for part in found.root.iterdir():
        (root / part.name).symlink_to(part)
    command = [sysroot.QEMU, "-L", str(root), "-cpu", "cortex-a72", f"{found.root}/usr/bin/python3.11"]
    script = tmp_path / "python"
    site = shlex.quote(str(found.site))
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={site} OPENBLAS_NUM_THREADS=1 exec {shlex.join(command)} "$@"\n'
    )
    script.chmod(0o755)
    return script


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[loopback_sshd.Loopback]:
    board = loopback_sshd.start(tmp_path)
    yield board
    board.stop()


@pytest.mark.slow
def test_an_arm_board(python: Path, loopback: loopback_sshd.Loopback) -> None:
    settings = ssh.SshOptions.model_validate({"timeout_s": 100.0, "rounds": 5})
    found = ssh.time_models(loopback.url(python), {"small": SMALL, "large": LARGE}, settings=settings)
    conditions = found["large"].conditions
    assert found["small"].value < found["large"].value
    assert found["large"].tool.startswith("ai_edge_litert 2")
    assert conditions["device"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert conditions["cpu"] == "Cortex-A72" and "aarch64" in conditions["system"]
    assert conditions["governor"] == "ondemand" and conditions["throttled_bits_before"] == "50000"
    assert (conditions["mhz_before"], conditions["mhz_limit"]) == (1500.0, 1800.0)
    assert conditions["celsius_after"] == pytest.approx(48.199)
    assert conditions["xnnpack"] == "announced"
    assert conditions["output_difference_steps"] <= 1
