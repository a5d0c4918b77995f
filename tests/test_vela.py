"""The vela meter: Vela's own figures, to the cycle and the byte, and what it says to bad input."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeml.errors import ConfigError, ModelError
from edgeml.target.check import check
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.process import Worker, WorkerError
from edgeml.target.ethosu.vela import VelaOptions, compile_model, complaints
from edgeml.target.measure import figures_at_rest, known_target
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meters import vela
from edgeml.target.profile import Target, load_target
from tests.make_tflite import ModelSpec, make
from tests.speed import SOON_S, assert_within

TARGETS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-512", "ethos-u85-256")
MLPERF = (
    *("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"),
    *("str_ww_ref_model", "pretrainedResnet_large_int8"),
)

needs_vela = pytest.mark.skipif(bool(ethosu_vela.missing()), reason=ethosu_vela.missing())


@pytest.fixture(scope="module", autouse=True)
def _no_worker_stays() -> Iterator[None]:
    yield
    ethosu_vela.close()


def small(target: str = "ethos-u55-128") -> tuple[bytes, Target]:
    return make(_small()), load_target(target)


def _small() -> ModelSpec:
    spec = ModelSpec()
    spec.conv(spec.conv(spec.tensor(1, 16, 16, 8), 16, 3, 2), 8, 1)
    return spec


def console_summary(content: bytes, wanted: VelaOptions, folder: Path) -> dict[str, str]:
    """What the program `vela` writes about a model."""
    model = folder / "model.tflite"
    model.write_bytes(content)
    program = Path(sys.executable).with_name("vela")
    subprocess.run([program, *wanted.arguments(model, folder)], check=True, capture_output=True)
    with (folder / f"model_summary_{wanted.system_config}.csv").open(newline="") as file:
        return next(csv.DictReader(file))


def assert_equal_to_console(content: bytes, target: Target, folder: Path) -> None:
    found = vela.measure({"": Subject.of(content)}, target)[""]
    own = console_summary(content, VelaOptions.model_validate(target.options["vela"]), folder)
    assert found["cycles"].value == float(own["cycles_total"])
    assert found["latency_ms"].value == pytest.approx(float(own["inference_time"]) * 1e3, rel=1e-12)
    assert found["ram_bytes"].value == float(own["sram_memory_used"]) * 1024
    flash = (float(own["off_chip_flash_memory_used"]) + float(own["on_chip_flash_memory_used"])) * 1024
    assert flash == (found["flash_bytes"].value if "flash_bytes" in found else 0)
    assert found["host_ops"].value == 0
    assert {figure.kind for figure in found.values()} == {"compiled"}


@needs_vela
@pytest.mark.parametrize("name", TARGETS)
def test_figures_are_those_of_the_console_program(name: str, tmp_path: Path) -> None:
    content, target = small(name)
    assert_equal_to_console(content, target, tmp_path)


@needs_vela
@pytest.mark.slow
@pytest.mark.parametrize("model", MLPERF)
def test_mlperf_tiny_to_the_cycle_and_the_byte(model: str, shared_data, tmp_path: Path) -> None:
    content = (shared_data("mlperf_tiny") / "models" / f"{model}.tflite").read_bytes()
    for name in ("ethos-u55-128", "ethos-u85-256"):
        assert_equal_to_console(content, load_target(name), tmp_path)


@needs_vela
@pytest.mark.parametrize("name", TARGETS)
def test_profiles_load_and_state_their_conditions(name: str) -> None:
    content, target = make(_small()), known_target(name)
    found = figures_at_rest(Subject.of(content), target)
    conditions = found["latency_ms"].conditions
    assert conditions["accelerator"] == name
    assert conditions["clock_mhz"] == (500 if "u55" in name else 1000)
    assert found["latency_ms"].value == found["cycles"].value / conditions["clock_mhz"] / 1e3
    assert found["latency_ms"].tool.startswith("Vela 5.")
    assert target.limit_values() == {"host_ops": 0}


@needs_vela
def test_more_macs_a_cycle_take_fewer_cycles() -> None:
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 32, 32, 64), 64, 3)
    subject = {"": Subject.of(make(spec))}
    slow, fast = (vela.measure(subject, load_target(name))[""]["cycles"].value for name in TARGETS[:2])
    assert fast < slow


@needs_vela
def test_one_model_is_compiled_once() -> None:
    content, _ = small()
    first = compile_model(content, VelaOptions())
    assert compile_model(content, VelaOptions()) is first


@needs_vela
def test_a_small_model_takes_less_than_100_ms() -> None:
    content, _ = small()

    def again() -> None:
        ethosu_vela._DONE.clear()
        compile_model(content, VelaOptions())

    again()  # the worker runs
    assert_within(0.1, again, time.perf_counter)


@needs_vela
def test_what_stays_on_the_cpu_is_counted_and_said() -> None:
    spec = ModelSpec()
    left = spec.op("FLOOR", [spec.conv(spec.tensor(1, 8, 8, 4), 8, 3)], (1, 8, 8, 8))
    spec.conv(left, 8, 3)
    found = vela.measure({"": Subject.of(make(spec))}, load_target("ethos-u55-128"))[""]
    assert found["host_ops"].value == 1
    assert found["cycles"].value > 0
    assert "leave out what runs on the CPU" in found["cycles"].conditions["notes"][0]
    report = check(make(spec), load_target("ethos-u55-128"))
    assert not report.ok and report.figures["host_ops"].value > report.limits["host_ops"]


def refused(content: bytes, **options: object) -> str:
    target = load_target("ethos-u55-128")
    target = target.model_copy(update={"options": {"vela": {**target.options["vela"], **options}}})
    with pytest.raises(ModelError) as caught:
        vela.measure({"": Subject.of(content)}, target)
    message = str(caught.value)
    assert "\n" not in message and "Traceback" not in message and message.endswith(".")
    return message


@needs_vela
def test_float_model_is_refused() -> None:
    spec = ModelSpec()
    spec.op("ABS", [spec.tensor(1, 8, 8, 4, dtype="FLOAT32")], (1, 8, 8, 4), dtype="FLOAT32")
    assert (
        "leaves all 1 operators to the CPU (Operation has tensor with unsupported DataType Float32"
        in refused(make(spec))
    )


@needs_vela
def test_dynamic_and_custom_models_are_refused() -> None:
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 4, signature=(-1, -1, -1, 4)), 8, 3)
    assert "Dynamic non-batch dimension" in refused(make(spec))
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 8, 8, 4)], (1, 8, 8, 4), custom="MyOp")
    assert "Unsupported opType" in refused(make(spec))


@needs_vela
def test_already_compiled_model_is_refused() -> None:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 8, 8, 4)], (1, 8, 8, 4), custom="ethos-u")
    assert "already compiled by Vela" in refused(make(spec))


def test_truncated_file_never_reaches_vela() -> None:
    content, _ = small()
    with pytest.raises(ModelError, match="damaged TFLite file"):
        Subject.of(content[: len(content) // 2])


@needs_vela
def test_a_crash_of_vela_is_one_sentence_and_the_next_model_works() -> None:
    spec = ModelSpec()  # Vela 5.2 ends with SIGSEGV on axes that are computed
    axes = spec.tensor(2, dtype="INT32")
    spec.op("MEAN", [spec.tensor(1, 8, 8, 4), axes], (1, 4), options=("Reducer", {"keepDims": False}))
    assert "it crashed with SIGSEGV" in refused(make(spec))
    content, target = small()
    assert vela.measure({"": Subject.of(content)}, target)[""]["cycles"].value > 0


@needs_vela
def test_time_limit_holds() -> None:
    compile_model(small()[0], VelaOptions())  # the worker runs
    spec = ModelSpec()
    spec.conv(spec.conv(spec.tensor(1, 16, 16, 512), 512, 3), 512, 3)
    began = time.monotonic()
    assert "did not answer in 0.01 s" in refused(make(spec), time_limit_s=0.01)
    assert time.monotonic() - began < SOON_S


@needs_vela
def test_memory_limit_holds() -> None:
    content, _ = small()
    with pytest.raises(ModelError, match="needs more than 1 MiB of memory"):
        compile_model(content, VelaOptions().model_copy(update={"memory_limit_mib": 1}))


@needs_vela
@pytest.mark.slow
@pytest.mark.alone
def test_300_mb_model_ends_at_the_time_limit() -> None:
    spec = ModelSpec()
    source = spec.tensor(1, 1, 1, 8192)
    noise = np.random.default_rng(0).integers(-127, 127, 1_000_003, np.int8)
    weights = np.resize(noise, (36864, 1, 1, 8192))
    spec.op(
        "CONV_2D",
        [source, spec.constant(weights, "INT8"), spec.constant(np.zeros(36864))],
        (1, 1, 1, 36864),
        options=("Conv2D", {"strideH": 1, "strideW": 1}),
    )
    content = make(spec)
    assert len(content) > 300e6
    began = time.monotonic()
    assert "did not answer in 1 s" in refused(content, time_limit_s=1)
    assert time.monotonic() - began < SOON_S


@needs_vela
@pytest.mark.parametrize(
    "options, named",
    [
        ({"system_config": "Nope"}, "System_Config.Nope"),
        ({"memory_mode": "Nope"}, "Memory_Mode.Nope"),
        ({"config": "nope.ini"}, "nope.ini"),
    ],
)
def test_configuration_that_vela_lacks_is_named(options: dict[str, str], named: str) -> None:
    content, _ = small()
    with pytest.raises(ConfigError) as caught:
        compile_model(content, VelaOptions(**options))
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_options_that_do_not_validate_are_named() -> None:
    target = load_target("ethos-u55-128").model_copy(
        update={"options": {"vela": {"accelerator": "ethos-u99"}}}
    )
    with pytest.raises(ConfigError, match=r"options\.vela\.accelerator"):
        vela.measure({}, target)


def test_without_vela_the_meter_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ethosu_vela.close()
    monkeypatch.setattr(ethosu_vela.importlib.util, "find_spec", lambda name: None)
    content, target = small()
    assert "pip install 'edgeml[ethos-u]'" in vela.missing(target)
    with pytest.raises(MeterUnavailableError, match=r"edgeml\[ethos-u\]"):
        vela.measure({"": Subject.of(content)}, target)


@pytest.mark.parametrize(
    "program, said",
    [
        ("import os; os.abort()", "it crashed with SIGABRT"),
        ("raise SystemExit('no room')", "it ended with exit status 1 (no room)"),
        ("print('[]')", "expected JSON"),
        ('print(\'{"missing": "No module named ethosu"}\')', "it cannot be imported"),
    ],
)
def test_a_worker_that_does_not_start_says_why(program: str, said: str) -> None:
    with pytest.raises(WorkerError) as caught:
        Worker([sys.executable, "-c", program])
    assert said in str(caught.value)


def test_words_of_vela_are_read() -> None:
    said = """
Warning (supported operators) operator: CONV_2D, ofm: 'a'
Reason: Unsupported kernel stride: 4, 4
Stride>3 is only supported IF (dilation = 1 AND padding = VALID)

Warning (supported operators) operator: FLOOR, ofm: 'it's'
Reason: Unsupported opType

Network summary for model
"""
    found = complaints(said)
    assert found["a"].reason == "Unsupported kernel stride: 4, 4"
    assert found["a"].constraint.startswith("Stride>3")
    assert (found["it's"].reason, found["it's"].constraint) == ("Unsupported opType", "")
