"""Format `c`: sources for tflite-micro that compile without a warning and hold what was scored."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from edgeml.deploy.runtime import interpreter
from edgeml.errors import MissingToolError, ModelError
from edgeml.export import micro
from edgeml.export.formats import make as make_formats
from edgeml.export.literals import c_bytes
from edgeml.target.mcu import process as tflm_process
from edgeml.target.mcu.rules import REGISTERED
from tests import tflm_stub
from tests.export_input import digits
from tests.make_tflite import ModelSpec, make

pytestmark = pytest.mark.skipif(bool(tflm_process.missing()), reason=tflm_process.MISSING)

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
HOSTILE = [
    'say "hi"',
    "two\nlines",
    "émoji 🐈",
    "",
    "back\\slash",
    "??/ trigraph",
    "*/ x",
    "%s%n",
    "nul\0",
    "@array@",
]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("digits"), epochs=1)


@pytest.fixture(scope="module")
def hostile(given):
    """The digits with class names that break naive sources."""
    run = {**given.run, "dataset": {**given.run["dataset"], "classes": HOSTILE}}
    return replace(given, run=run)


@pytest.fixture(scope="module")
def folder(hostile, tmp_path_factory):
    """The written sources, and the stand-in's headers beside them."""
    folder = tmp_path_factory.mktemp("sources")
    for name, content in micro.c(hostile).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    text = (folder / "c" / "model_ops.h").read_text()
    tflm_stub.write(folder, re.findall(r"resolver\.(Add\w+)\(\)", text))
    return folder


def compiler(name):
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}, which is not on PATH")
    return name


def build(folder, *command):
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("standard", ["c99", "c11"])
def test_array_and_header_are_plain_c(folder, standard, tmp_path):
    build(
        folder,
        compiler("gcc"),
        "-x",
        "c",
        f"-std={standard}",
        *STRICT,
        "-c",
        "c/model_data.cc",
        "-o",
        tmp_path / "o",
    )


@pytest.mark.parametrize("source", ["model_data.cc", "main.cc"])
@pytest.mark.parametrize("program", ["g++", "arm-none-eabi-g++"])
def test_sources_compile_as_cpp(folder, program, source, tmp_path):
    for standard in ("c++11", "c++17"):
        options = [f"-std={standard}", *STRICT, "-I.", "-Ic", "-fno-exceptions", "-fno-rtti", "-DCMSIS_NN"]
        options += ["-mcpu=cortex-m4", "-mthumb", "-DSTUB_BARE"] if program.startswith("arm") else []
        build(folder, compiler(program), *options, "-c", f"c/{source}", "-o", tmp_path / "o")


def test_main_runs_and_tells_right_scores_from_wrong_ones(folder, given, tmp_path):
    program = tmp_path / "main"
    build(
        folder,
        compiler("g++"),
        "-std=c++17",
        *STRICT,
        "-I.",
        "-Ic",
        "c/main.cc",
        "c/model_data.cc",
        "-o",
        program,
    )
    environment = {**os.environ, "STUB_INPUT": str(tmp_path / "in"), "STUB_SCORES": str(tmp_path / "out")}

    def run(scores):
        (tmp_path / "out").write_bytes(bytes(scores))
        return subprocess.run([program], env=environment, capture_output=True, check=False)

    assert run([0] * 10).returncode == 1
    image = np.frombuffer((tmp_path / "in").read_bytes(), np.uint8).reshape(1, 8, 8, 1)
    assert np.array_equal(image[0], micro.noise_input((8, 8, 1))) and image.std() > 60
    loaded = interpreter(given.tflite, reference=True)
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    scores = loaded.get_tensor(loaded.get_output_details()[0]["index"])[0]
    right = run(scores)
    assert right.returncode == 0, right.stdout
    first = right.stdout.split(b" score ")[0]
    assert first == f"class {scores.argmax()}: ".encode() + c_bytes(HOSTILE[int(scores.argmax())]) + b","
    assert b"0 of 10 outputs are not" in right.stdout


def test_array_is_the_scored_model_and_labels_are_the_classes(folder, given, tmp_path):
    """Through a C program that prints both, so that it is the compiler that reads them."""
    (tmp_path / "p.c").write_text(
        '#include <stdio.h>\n#include "model_data.h"\nint main(void) {\n'
        "  fwrite(model_data, 1, model_data_len, stdout);\n"
        "  for (int i = 0; i < MODEL_CLASSES; ++i)\n"
        "    fwrite(model_labels[i], 1, 1 + __builtin_strlen(model_labels[i]), stdout);\n"
        "  return 0;\n}\n"
    )
    gcc = compiler("gcc")
    build(folder, gcc, "-Ic", "-c", "-x", "c", "-std=c99", "c/model_data.cc", "-o", tmp_path / "d.o")
    build(folder, gcc, "-Ic", tmp_path / "p.c", tmp_path / "d.o", "-o", tmp_path / "p")
    said = subprocess.run([tmp_path / "p"], capture_output=True, check=True).stdout
    assert said[: len(given.tflite)] == given.tflite
    assert said[len(given.tflite) :] == b"".join(c_bytes(name) + b"\0" for name in HOSTILE)


def test_the_arena_is_the_measured_one_and_says_so(folder, given):
    text = (folder / "c" / "model_ops.h").read_text()
    arena = int(re.search(r"kModelArenaBytes = (\d+);", text)[1])
    assert arena == tflm_process.ask(given.tflite, 60, 1 << 32)["arena_bytes"]
    assert tflm_process.tool() in text and "Measured" in text


def test_every_operator_that_runs_has_a_method():
    """Names as in micro_mutable_op_resolver.h of tflite-micro, read on 2026-11-26."""
    known = {
        "CONV_2D": "AddConv2D",
        "L2_POOL_2D": "AddL2Pool2D",
        "PADV2": "AddPadV2",
        "RELU6": "AddRelu6",
        "SELECT_V2": "AddSelectV2",
        "SVDF": "AddSvdf",
        "ARG_MAX": "AddArgMax",
        "CUMSUM": "AddCumSum",
        "GATHER_ND": "AddGatherNd",
        "HARD_SWISH": "AddHardSwish",
        "SPACE_TO_BATCH_ND": "AddSpaceToBatchNd",
    }
    for name, method in known.items():
        assert micro.methods([name]) == [method]
    assert micro.methods(["ADD", "CONV_2D", "ADD"]) == ["AddAdd", "AddConv2D"]
    assert all(re.fullmatch(r"Add[A-Z]\w+", micro.methods([name])[0]) for name in REGISTERED)


def test_an_operator_without_a_kernel_is_refused_in_a_sentence(given):
    spec = ModelSpec()
    x = spec.op("GELU", [spec.conv(spec.tensor(1, 8, 8, 1), 4)], (1, 8, 8, 4))
    spec.op("SOFTMAX", [x], (1, 8, 8, 4))
    with pytest.raises(ModelError, match=r"--format c: tflite-micro refuses 1 operator.*GELU.*hard swish"):
        micro.c(replace(given, tflite=make(spec)))


def test_without_tflite_micro_it_is_skipped_with_all_and_an_error_by_name(given, monkeypatch):
    monkeypatch.setattr(tflm_process, "missing", lambda: tflm_process.MISSING)
    tflm_process.close()
    with pytest.raises(MissingToolError, match=r"pip install 'edgeml\[mcu\]'"):
        make_formats(given, ("c",))
    monkeypatch.setattr("edgeml.export.formats.FORMATS", {"c": micro.c})
    made = make_formats(given, ("all",))
    assert not made.files and "pip install" in made.skipped["c"]
