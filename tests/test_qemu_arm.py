"""qemu_arm without qemu: the sysroot and what it says, CPUs, options, workers that a script plays."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeml.errors import ConfigError, ModelError, UnknownNameError
from edgeml.target.meter import MeterUnavailableError, options
from edgeml.target.meters import qemu_arm
from edgeml.target.meters.qemu_arm import QemuArmOptions
from edgeml.target.profile import Target
from edgeml.target.qemu import guest, sysroot
from edgeml.target.qemu.cpu import Cpu, cpu_names, load_cpu
from edgeml.target.qemu.guest import Guest, GuestError, GuestRefusedError
from tests.speed import SOON_S

SCRIPT = """
import json, os, sys, time
counts = int(sys.argv[1])
print(json.dumps({"litert": "9", "cpuinfo": "x"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    act = os.pread(asked["descriptor"], asked["bytes"], 0).decode()
    if act == "crash":
        print("LiteRT said this last", file=sys.stderr, flush=True)
        os.abort()
    if act == "leave":
        sys.exit(3)
    if act == "hang":
        time.sleep(600)
    if act == "refuse":
        print(json.dumps({"error": "no kernel for FANCY"}), flush=True)
        continue
    if act == "babble":
        print("not json", flush=True)
        continue
    numbers = [999999, 400] + ([] if act == "short" else [1400, 1400])
    os.write(counts, "".join(f"{n}\\n" for n in numbers).encode())
    print(json.dumps({"digest": act + asked["kernels"]}), flush=True)
"""


def scripted(start: str = SCRIPT) -> Guest:
    return Guest(lambda counts: [sys.executable, "-c", start, str(counts)], {})


def test_counts_are_runs_less_a_marker() -> None:
    worker = scripted()
    for _ in range(2):
        assert worker.count(b"good", "xnnpack", 20) == ([1000, 1000], "goodxnnpack")
    worker.close()
    assert not worker.alive


def test_a_refusal_leaves_the_worker_alive() -> None:
    worker = scripted()
    with pytest.raises(GuestRefusedError, match="no kernel for FANCY"):
        worker.count(b"refuse", "xnnpack", 20)
    assert worker.count(b"good", "reference", 20)[1] == "goodreference"
    worker.close()


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("crash", r"signal SIGABRT: LiteRT said this last$"),
        ("leave", r"exit status 3$"),
        ("hang", r"did not answer in 0.3 s$"),
        ("babble", r"answered b'not json', expected JSON"),
        ("short", r"gave 2 counts, expected 4"),
    ],
)
def test_a_worker_that_fails_is_gone_and_says_why(act: str, says: str) -> None:
    worker = scripted()
    start = time.monotonic()
    with pytest.raises(GuestError, match=says):
        worker.count(act.encode(), "xnnpack", 0.3 if act == "hang" else 20)
    assert not worker.alive
    assert time.monotonic() - start < SOON_S


def test_a_worker_that_died_while_idle_is_noticed() -> None:
    worker = scripted()
    worker._process.kill()
    worker._process.wait()
    with pytest.raises(GuestError, match="signal SIGKILL"):
        worker.count(b"good", "xnnpack", 20)
    worker.close()


def test_a_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GuestError, match=r"exit status 1: ValueError: no LiteRT"):
        scripted("raise ValueError('no LiteRT')")
    with pytest.raises(GuestError, match="/nowhere/qemu cannot be started"):
        Guest(lambda _: ["/nowhere/qemu"], {})
    monkeypatch.setattr(guest, "START_LIMIT_S", 0.2)
    with pytest.raises(GuestError, match=r"did not answer in 0\.2 s"):
        scripted("import time; time.sleep(600)")


@pytest.fixture
def scripted_meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The meter over scripted workers; `.started` counts them."""
    seen = SimpleNamespace(started=0)

    def start(*_: object) -> Guest:
        seen.started += 1
        return scripted()

    found = sysroot.Sysroot(tmp_path, {"ai-edge-litert": "9"})
    monkeypatch.setattr(qemu_arm, "find", lambda: found)
    monkeypatch.setattr(qemu_arm, "start", start)
    monkeypatch.setattr(qemu_arm, "_GUESTS", {})
    yield seen
    qemu_arm.close_all()


def test_the_meter_starts_a_fresh_worker_after_a_crash(scripted_meter: Any) -> None:
    wanted = QemuArmOptions()
    assert qemu_arm.count(b"good", wanted)[0] == [1000, 1000]
    assert qemu_arm.count(b"good", wanted)[0] == [1000, 1000]
    assert scripted_meter.started == 1
    with pytest.raises(
        ModelError, match=r"cpu cortex-a53, kernels xnnpack\) failed: it ended with signal SIGABRT"
    ):
        qemu_arm.count(b"crash", wanted)
    with pytest.raises(ModelError, match=r"cannot run the model: no kernel for FANCY"):
        qemu_arm.count(b"refuse", wanted)
    assert qemu_arm.count(b"good", wanted)[0] == [1000, 1000]
    assert scripted_meter.started == 2


def test_a_worker_that_died_between_models_is_not_the_models_fault(scripted_meter: Any) -> None:
    wanted = QemuArmOptions()
    qemu_arm.count(b"good", wanted)
    process = qemu_arm._GUESTS["cortex-a53"].guest._process
    process.kill()
    process.wait()
    assert qemu_arm.count(b"good", wanted)[0] == [1000, 1000]
    assert scripted_meter.started == 2


def test_ctrl_c_ends_the_worker(scripted_meter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the answer of the interrupted model would be taken for the next one's."""
    wanted = QemuArmOptions()
    qemu_arm.count(b"good", wanted)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Guest, "_answer", interrupted)
        qemu_arm.count(b"good", wanted)
    assert qemu_arm.count(b"good", wanted)[0] == [1000, 1000]
    assert scripted_meter.started == 2


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    scripted().close()
    with pytest.raises(GuestError):
        Guest(lambda _: ["/nowhere/qemu"], {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_root_of_a_cpu_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "root" / "lib").mkdir(parents=True)
    found = sysroot.Sysroot(tmp_path, {})
    cpu = load_cpu("cortex-a53")
    root = found.root_of(cpu)
    assert (root / "proc" / "cpuinfo").read_text() == cpu.proc_cpuinfo
    assert (root / "lib").resolve() == tmp_path / "root" / "lib"
    assert found.root_of(cpu) == root
    assert found.root_of(load_cpu("cortex-a76")) != root
    assert len(list((tmp_path / "cpus").iterdir())) == 2


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EDGEML_ARM_SYSROOT": "/a/b", "XDG_DATA_HOME": "/x"}, "/a/b"),
        ({"XDG_DATA_HOME": "/x"}, "/x/edgeml/arm-sysroot"),
        ({"HOME": "/h"}, "/h/.local/share/edgeml/arm-sysroot"),
    ],
)
def test_where_the_sysroot_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("EDGEML_ARM_SYSROOT", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert sysroot.location() == Path(expected)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no aarch64 sysroot in"),
        ("{", "versions.json cannot be read"),
        ("[]", "versions.json cannot be read"),
        ('{"layout": 1}', "versions.json cannot be read"),
        (json.dumps(sysroot.wanted() | {"ai-edge-litert": "0.1"}), "has ai-edge-litert 0.1, expected"),
        (json.dumps(sysroot.wanted() | {"plugin": "old"}), "has plugin old, expected"),
    ],
)
def test_a_sysroot_that_cannot_be_used(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "versions.json").write_text(content)
    said = sysroot.made(tmp_path)
    assert isinstance(said, str)
    assert says in said
    assert str(tmp_path) in said
    assert said.endswith("run `make arm-sysroot`.")


def test_a_sysroot_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "versions.json").write_text(json.dumps(sysroot.wanted() | {"debs": []}))
    assert isinstance(sysroot.made(tmp_path), sysroot.Sysroot)


def test_without_qemu_the_meter_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = qemu_arm.missing(a_target())
    assert said == (
        "qemu-aarch64 is not on PATH; install Debian's package qemu-user "
        "(qemu-user-static has no plugins) and run `make arm-sysroot`."
    )
    monkeypatch.setattr(qemu_arm, "_GUESTS", {})
    with pytest.raises(MeterUnavailableError) as caught:
        qemu_arm.count(b"", QemuArmOptions())
    assert str(caught.value) == said


def a_target(**settings: Any) -> Target:
    return Target(
        name="arm",
        description="A test's.",
        objectives=["instructions"],
        meters=["qemu_arm"],
        options={"qemu_arm": settings},
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"cpu": "pentium"}, r"target arm: options\.qemu_arm\.cpu: .*cortex-a53.*'pentium'"),
        ({"kernels": "fast"}, r"options\.qemu_arm\.kernels: .*'xnnpack' or 'reference'"),
        ({"time_limit_s": 0}, r"options\.qemu_arm\.time_limit_s: .*greater than 0"),
    ],
)
def test_options_that_do_not_fit(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        options(a_target(**settings), "qemu_arm", QemuArmOptions)


def test_every_cpu_has_all_files_that_litert_reads() -> None:
    assert {"cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "kryo-385-gold"} <= set(cpu_names())
    for name in cpu_names():
        files = load_cpu(name).files()
        assert f"CPU part\t: {load_cpu(name).cpuinfo.part}\n" in files["proc/cpuinfo"]
        assert files["sys/devices/system/cpu/possible"] == "0\n"
        assert files["sys/devices/system/cpu/cpu0/cache/index2/level"] == "2\n"
        assert all(text.endswith("\n") for text in files.values())


def test_unknown_cpu() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown cpu 'cortex-a7x'\. Did you mean 'cortex-a7"):
        load_cpu("cortex-a7x")


def test_only_cpus_with_the_dot_product_say_so() -> None:
    with_dot = {name for name in cpu_names() if "asimddp" in load_cpu(name).cpuinfo.features}
    assert with_dot == {"cortex-a55", "cortex-a76"}
    assert {load_cpu(name).emulated_as for name in with_dot} == {"cortex-a76"}


def test_a_cpu_is_frozen() -> None:
    cpu: Cpu = load_cpu("cortex-a53")
    with pytest.raises(ValueError, match="frozen"):
        cpu.name = "other"  # type: ignore[misc]
