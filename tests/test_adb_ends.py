"""What an end from outside leaves on a phone (scripted_adb.py plays it), and an adb that does not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from edgeml.target.meters import adb
from edgeml.target.profile import Target
from tests import scripted_adb
from tests.make_tflite import ModelSpec, make

SPEC = ModelSpec()
SPEC.conv(SPEC.tensor(1, 8, 8, 4), 4)
MODEL = make(SPEC)
METER = "from edgeml.target.meters import adb; adb.time_models({'m': open('m.tflite', 'rb').read()})"
COMMAND = "from edgeml.cli import main; main(['measure', 'm.tflite', '--device', 'adb'])"


@pytest.mark.parametrize(("program", "by"), [(METER, signal.SIGKILL), (COMMAND, signal.SIGINT)])
def test_a_process_that_is_ended_leaves_nothing_on_the_phone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, by: signal.Signals
) -> None:
    """Ctrl-C kills the process that loads models, as a crash would."""
    monkeypatch.delenv("EDGEML_BENCHMARK_MODEL", raising=False)
    monkeypatch.setenv(
        "PATH", f"{scripted_adb.write(tmp_path, mode='hang', bad=len(MODEL))}:{os.environ['PATH']}"
    )
    (tmp_path / "m.tflite").write_bytes(MODEL)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL)
    waits_for((tmp_path / "runs.log").exists)  # the tool runs
    assert len(list(tmp_path.glob("phone/edgeml-*/model-0.tflite"))) == 1
    process.send_signal(by)
    waits_for(lambda: not list(tmp_path.glob("phone/edgeml-*")))
    assert process.wait(10) != 0
    tool = str(tmp_path / "phone" / "benchmark_model")
    running = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if tool in words]


def waits_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_adb_of_another_processor_is_one_sentence(
    cli: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "m.tflite").write_bytes(MODEL)
    (tmp_path / "adb").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = cli("measure", "m.tflite", "--device", "adb")
    assert code == 2 and len(err.splitlines()) == 1
    assert f"{tmp_path}/adb cannot be started (Exec format error); install Android's platform tools" in err
    assert "Exec format error" in adb.missing(Target(name="mine", description="d", objectives=["latency_ms"]))
