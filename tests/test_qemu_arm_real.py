"""qemu_arm with qemu: the plugin counts right, LiteRT's counts repeat, workers end when they must."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeml.errors import ModelError
from edgeml.target.meter import Figures, Subject
from edgeml.target.meters import qemu_arm
from edgeml.target.meters.qemu_arm import QemuArmOptions
from edgeml.target.profile import Target
from edgeml.target.qemu import sysroot, worker
from tests.make_tflite import ModelSpec, make

FOUND = sysroot.find()
pytestmark = pytest.mark.skipif(isinstance(FOUND, str), reason=str(FOUND) if isinstance(FOUND, str) else "")


def network(filters: int = 16) -> bytes:
    spec = ModelSpec()
    image = spec.tensor(1, 16, 16, 8)
    hidden = spec.conv(image, filters, kernel=3)
    spec.conv(hidden, 8, kernel=1)
    return runnable(make(spec))


def runnable(content: bytes) -> bytes:
    """The same with weights and biases quantised as LiteRT demands: zero point 0, bias scale 0.5 * 0.5."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for tensor in model.subgraphs[0].tensors:
        if tensor.buffer:
            tensor.quantization.zeroPoint = [0]
            tensor.quantization.scale = [0.25 if tensor.type == schema.TensorType.INT32 else 0.5]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def custom() -> bytes:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 4)], (1, 4), custom="FANCY")
    return make(spec)


def measured(model: bytes, cpu: str = "cortex-a53", kernels: str = "xnnpack") -> Figures:
    target = Target(
        name="arm",
        description="A test's.",
        objectives=["instructions"],
        meters=["qemu_arm"],
        options={"qemu_arm": {"cpu": cpu, "kernels": kernels}},
    )
    return qemu_arm.measure({"it": Subject.of(model)}, target)["it"]


def test_the_plugin_counts_every_instruction_between_markers(tmp_path: Path) -> None:
    """A program of our own: mark, then 1 + 2 * ROUNDS + 1 instructions up to the next mark, then exit."""
    rounds = 1000
    word = {"svc": 0xD4000001, "subs x0, x0, #1": 0xF1000400, "b.ne -4": 0x54FFFFE1}
    move = 0xD2800000  # movz: the value from bit 5, the register from bit 0
    program = [move | 173 << 5 | 8, word["svc"]]
    program += [move | rounds << 5, word["subs x0, x0, #1"], word["b.ne -4"], word["svc"]]
    program += [move | 93 << 5 | 8, move, word["svc"]]
    binary = tmp_path / "marks"
    binary.write_bytes(aarch64_elf(struct.pack(f"<{len(program)}I", *program)))
    binary.chmod(0o755)
    assert isinstance(FOUND, sysroot.Sysroot)
    read, write = os.pipe()
    plugin = f"{FOUND.plugin},fd={write},parent={os.getpid()}"
    subprocess.run([sysroot.QEMU, "-plugin", plugin, str(binary)], pass_fds=[write], check=True, timeout=300)
    os.close(write)
    with os.fdopen(read) as counts:
        assert [int(line) for line in counts] == [2, 1 + 2 * rounds + 1]


def aarch64_elf(code: bytes) -> bytes:
    """Machine code -> a static executable: ELF header, one loadable segment, the code."""
    address, header = 0x400000, 64 + 56
    size = header + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, address + header, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, address, address, size, size, 0x1000)
    return elf + code


def test_twice_the_same_and_no_interval() -> None:
    first = measured(network())["instructions"]
    measured(network(filters=64))
    again = measured(network())["instructions"]
    assert first == again
    assert first.low == first.value == first.high
    assert first.kind == "measured"
    assert first.conditions["cpu"] == "cortex-a53"
    assert first.conditions["threads"] == 1


def test_a_fresh_worker_counts_the_same() -> None:
    first = measured(network())["instructions"].value
    qemu_arm.close_all()
    assert measured(network())["instructions"].value == first


def test_more_filters_and_older_cpus_cost_more() -> None:
    small, large = network(), network(filters=64)
    a53, a76 = measured(large)["instructions"].value, measured(large, "cortex-a76")["instructions"].value
    assert a53 > 2 * measured(small)["instructions"].value
    assert a53 > 1.5 * a76
    assert measured(large, kernels="reference")["instructions"].value > 3 * a53


def test_reference_kernels_give_the_outputs_of_this_computer() -> None:
    _, digest = qemu_arm.count(network(), QemuArmOptions(kernels="reference"))
    assert digest == worker.run(network(), "reference")


def test_a_refused_model_and_a_late_one_leave_the_next_unharmed() -> None:
    expected = measured(network())["instructions"].value
    with pytest.raises(ModelError, match=r"LiteRT for aarch64 cannot run the model: .*FANCY"):
        measured(custom())
    assert measured(network())["instructions"].value == expected
    with pytest.raises(ModelError, match=r"did not answer in 0\.001 s"):
        qemu_arm.count(network(), QemuArmOptions(time_limit_s=0.001))
    assert measured(network())["instructions"].value == expected


def test_a_model_too_large_for_the_memory_limit_is_refused() -> None:
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 40000, 40000, 1, dtype="FLOAT32")], (1, 40000, 40000, 1), dtype="FLOAT32")
    with pytest.raises(ModelError, match=r"cannot run the model: .* 4 GiB of memory\."):
        measured(make(spec))


def test_published_counts_do_not_drift(shared_data: object) -> None:
    """Keyword spotting of MLPerf Tiny, LiteRT 2.3.0; another LiteRT has other kernels."""
    folder = shared_data("mlperf_tiny")  # type: ignore[operator]
    assert isinstance(FOUND, sysroot.Sysroot)
    if FOUND.versions["ai-edge-litert"] != "2.3.0":
        pytest.skip("the counts are those of LiteRT 2.3.0")
    model = (folder / "models" / "kws_ref_model.tflite").read_bytes()
    assert measured(model)["instructions"].value == pytest.approx(1_337_349, rel=1e-3)
    assert measured(model, "cortex-a76")["instructions"].value == pytest.approx(712_350, rel=1e-3)


HOLD = """
import sys, time
from edgeml.target.meters import qemu_arm
qemu_arm.count(open(sys.argv[1], "rb").read(), qemu_arm.QemuArmOptions())
print(qemu_arm._GUESTS["cortex-a53"].guest._process.pid, flush=True)
if sys.argv[2] == "wait":
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["wait", "leave"])
def test_the_worker_dies_with_its_process(tmp_path: Path, end: str) -> None:
    """Killed without a chance to clean up, and at an ordinary exit."""
    file = tmp_path / "model.tflite"
    file.write_bytes(network())
    with subprocess.Popen([sys.executable, "-c", HOLD, str(file), end], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        guest = int(holder.stdout.readline())
        if end == "wait":
            assert running(guest)
            holder.send_signal(signal.SIGKILL)
        holder.wait(60)
        deadline = time.monotonic() + 60
        while running(guest) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not running(guest)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
