"""C99 models on an emulated Cortex-M: DSP instructions give LiteRT's bytes, in the number promised."""

from __future__ import annotations

import subprocess

import pytest

from bench import c99_programs as programs
from bench.c99_exact import MLPERF
from bench.c99_instructions import CMSIS_NN, TARGET
from bench.random_networks import random_graph, random_tflite
from tests.c99_models import MODELS, tflite

pytestmark = pytest.mark.skipif(
    bool(programs.missing_for_cortex_m()),
    reason=f"needs {programs.missing_for_cortex_m()} (apt: gcc-arm-none-eabi libnewlib-arm-none-eabi "
    "qemu-system-arm)",
)


def check(model, folder, count, **more):
    """Every operator's output: a saturated softmax at the end would hide what came before."""
    programs.write(model, folder)
    inputs = programs.random_inputs(model, count)
    assert programs.steps_on_cortex_m(folder, inputs, **more) == programs.reference_steps(model, inputs)


@pytest.mark.parametrize("name", MODELS)
def test_every_operator_is_bit_exact(name, tmp_path):
    check(tflite(name), tmp_path, 20)


@pytest.mark.parametrize("space", ["micro_cell", "mbconv_macro", "nano", "nasbench201"])
def test_networks_of_our_spaces_are_bit_exact(space, tmp_path):
    check(random_tflite(random_graph(space, 5, (12, 12, 3)), 5), tmp_path, 3)


@pytest.mark.parametrize(
    "cpu, flags",
    [("cortex-m7", ("-O3",)), ("cortex-m4", ("-O0",)), ("cortex-m4", ("-Os", "-DEDGEML_PLAIN_C"))],
)
def test_other_cores_and_compilers_settings(cpu, flags, tmp_path):
    check(tflite("joined"), tmp_path, 5, cpu=cpu, flags=flags)


@pytest.mark.parametrize(
    "flags",
    [
        "-mcpu=cortex-m4 -O2 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
        "-mcpu=cortex-m7 -O0 -mfloat-abi=hard -mfpu=fpv5-d16",
        "-mcpu=cortex-m4 -O2 -fno-omit-frame-pointer -ffixed-r9",
        "-mcpu=cortex-m33 -Os -fpic",
        "-mcpu=cortex-m55 -O3 -flto",
        "-mcpu=cortex-m0plus -Os",
    ],
)
def test_it_compiles_as_firmware_is_built(flags, tmp_path):
    """Each takes other registers away from the assembly, or all of it."""
    for name in ("joined", "slim"):
        programs.write(tflite(name), tmp_path)
        command = ["arm-none-eabi-gcc", "-mthumb", *programs.STRICT, *flags.split(), "-c", "model.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", CMSIS_NN)
def test_instructions_stay_within_the_target(name, shared_data, tmp_path):
    model = (shared_data("mlperf_tiny") / "models" / MLPERF[name]).read_bytes()
    check(model, tmp_path, 2)
    inputs = programs.random_inputs(model, 2)
    outputs, counts = programs.on_cortex_m(tmp_path, inputs)
    assert (outputs == programs.reference(model, inputs)).all() and len(counts) == 2
    assert max(counts) <= TARGET * CMSIS_NN[name]
