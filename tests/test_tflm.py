"""The tflm meter: arena as tflite-micro itself gives it, crashes and hangs as one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from make_tflite import ModelSpec, make

from edgeml.errors import ModelError
from edgeml.target.mcu import process as tflm_process
from edgeml.target.measure import figures_at_rest, known_target, measure
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meter_table import METERS
from edgeml.target.meters import tflm
from edgeml.target.profile import load_target
from tests.speed import SOON_S, assert_within

REPORTED = {
    "kws_ref_model.tflite": 24_272,
    "pretrainedResnet_quant.tflite": 55_984,
    "vww_96_int8.tflite": 103_680,
    "str_ww_ref_model.tflite": 16_640,
    "ad01_int8.tflite": 3_984,
}
"""What print_allocations() of tflite-micro 0.dev20261023182759 says of MLPerf Tiny's models."""

NEEDED = REPORTED | {"ad01_int8.tflite": 4_640}

SHAPE = (1, 4, 4, 16)


@pytest.fixture
def fresh_process():
    """No process runs before the test, and what it started is gone after it."""
    tflm_process.close()
    yield
    tflm_process.close()


def one_op(name, **rest):
    spec = ModelSpec()
    spec.op(name, [spec.tensor(*SHAPE)], SHAPE, **rest)
    return make(spec)


def small_cnn():
    spec = ModelSpec()
    hidden = spec.conv(spec.tensor(1, 16, 16, 3), 8, 3, 2)
    spec.conv(hidden, 16)
    return make(spec)


def figures(model, name="mcu-m4"):
    target = load_target(name)
    return tflm.measure({"": Subject.of(model)}, target)[""]


@pytest.mark.parametrize("file", REPORTED)
def test_the_arena_is_tflite_micros_own_on_mlperf_tiny(shared_data, file):
    model = (shared_data("mlperf_tiny") / "models" / file).read_bytes()
    ram = figures(model)["ram_bytes"]
    assert ram.value == NEEDED[file] and ram.conditions["reported_bytes"] == REPORTED[file]
    assert ram.kind == "measured" and "tflite-micro" in ram.tool


def test_the_arena_is_the_smallest_that_works():
    """Checked against tflite-micro directly: it allocates with the arena, and not with 16 bytes less."""
    model = small_cnn()
    arena = int(figures(model)["ram_bytes"].value)
    script = (
        "import sys; from tflite_micro import runtime; "
        "runtime.Interpreter.from_bytes(open(sys.argv[1], 'rb').read(), arena_size=int(sys.argv[2])).invoke()"
    )
    for size, works in ((arena, True), (arena - 16, False)):
        path = "/proc/self/fd/0"
        run = subprocess.run(
            [sys.executable, "-c", script, path, str(size)], input=model, capture_output=True, timeout=60
        )
        assert (run.returncode == 0) == works, run.stderr


def test_a_model_takes_less_than_a_second():
    """0.05 s on an idle machine, 0.4 s with the start of the process."""
    figures(small_cnn())
    assert_within(1, lambda: figures(small_cnn()), time.perf_counter)


def test_flash_is_model_runtime_and_kernels():
    model = small_cnn()
    flash = figures(model)["flash_bytes"]
    target = load_target("mcu-m4")
    code = target.coefficient("tflm_runtime_flash_bytes")
    code += target.coefficient("tflm_weighted_kernel_flash_bytes")  # one kind of operator: CONV_2D
    assert flash.value == len(model) + code and flash.kind == "estimated"
    assert flash.low < flash.value < flash.high and flash.conditions["kernels"] == ["CONV_2D"]


def test_measured_wins_over_estimated():
    found = measure(small_cnn(), None, known_target("mcu-m4"))
    assert found["ram_bytes"].kind == "measured" and found["latency_ms"].kind == "estimated"
    assert found["host_ops"].value == 0


@pytest.mark.parametrize("name", ["mcu-m4", "mcu-m7", "mcu-m33"])
def test_profiles_state_every_figure(name):
    target = known_target(name)
    assert target.limits.ram_bytes and target.limits.flash_bytes and target.limits.host_ops == 0
    found = figures_at_rest(Subject.of(small_cnn()), target)
    assert set(found) >= {"ram_bytes", "flash_bytes", "latency_ms", "cycles", "host_ops"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (one_op("TILE"), "Didn't find op for builtin opcode 'TILE'"),
        (one_op("CUSTOM", custom="Mine"), "Failed to get registration from op code CUSTOM"),
        (one_op("CEIL"), "failed to prepare"),
    ],
)
def test_a_refusal_is_in_tflite_micros_words(model, words):
    with pytest.raises(ModelError, match=re.escape(words)) as raised:
        figures(model)
    assert "\n" not in str(raised.value)


def test_dynamic_shapes_are_refused_in_one_sentence():
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(-1, 4, 4, 16)], (-1, 4, 4, 16))
    with pytest.raises(ModelError, match="Dynamic tensors are not supported"):
        figures(make(spec))


def test_a_crash_is_a_result_with_a_reason_and_the_next_model_is_measured():
    """tflite-micro's kernel of this operator reads options that are not there."""
    with pytest.raises(ModelError, match=r"tflite-micro crashed on the model of .*SIGSEGV"):
        figures(one_op("CUSTOM", custom="TFLite_Detection_PostProcess"))
    assert figures(small_cnn())["ram_bytes"].value > 0


def test_a_tensor_beyond_any_arena_is_refused():
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 4000, 4000, 64)], (1, 4000, 4000, 64))
    with pytest.raises(ModelError, match="Failed to resize buffer"):
        figures(make(spec))


@pytest.mark.parametrize("content", [b"", b"hello world, not a model", small_cnn()[:300]])
def test_what_is_no_model_is_one_sentence(content):
    with pytest.raises(ModelError) as raised:
        measure(content, None, known_target("mcu-m4"))
    assert "\n" not in str(raised.value)


def test_damage_that_reaches_the_interpreter_is_one_sentence():
    model = small_cnn()
    with pytest.raises(ModelError, match="damaged"):
        tflm_process.ask(model[:300], 20, 4 << 30)


def test_a_file_of_300_mb_is_answered():
    found = figures(small_cnn() + bytes(300_000_000))
    assert found["ram_bytes"].value == figures(small_cnn())["ram_bytes"].value
    assert found["flash_bytes"].value > 300e6  # over every limit


def child_that(code):
    return [sys.executable, "-c", f"import sys, time\nprint('{{}}', flush=True)\n{code}"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("time.sleep(600)", "did not answer in 0.5 s"),
        ("sys.stdin.readline(); sys.exit('out of order')", "ended: out of order"),
        ("print('nonsense', flush=True); time.sleep(600)", "expected JSON"),
    ],
)
def test_a_child_that_hangs_or_ends_is_one_sentence_within_the_limit(fresh_process, monkeypatch, code, words):
    monkeypatch.setattr(tflm_process, "COMMAND", child_that(code))
    target = load_target("mcu-m4").model_copy(update={"options": {"tflm": {"time_limit_s": 0.5}}})
    began = time.monotonic()
    with pytest.raises(ModelError, match=re.escape(words)):
        tflm.measure({"": Subject.of(small_cnn())}, target)
    assert time.monotonic() - began < SOON_S
    monkeypatch.undo()
    assert figures(small_cnn())["ram_bytes"].value > 0


def test_a_child_that_does_not_start_makes_the_meter_unavailable(fresh_process, monkeypatch):
    monkeypatch.setattr(tflm_process, "COMMAND", [sys.executable, "-c", "raise SystemExit('no module')"])
    with pytest.raises(MeterUnavailableError, match="ended: no module"):
        figures(small_cnn())


def test_without_the_package_the_meter_says_what_to_install(fresh_process, monkeypatch):
    monkeypatch.setattr(tflm_process, "find_spec", lambda name: None)
    target = known_target("mcu-m4")
    assert "pip install 'edgeml[mcu]'" in METERS["tflm"].missing(target)
    with pytest.raises(MeterUnavailableError, match="edgeml"):
        figures(small_cnn())
    assert measure(small_cnn(), None, target)["ram_bytes"].kind == "estimated"
