"""Int8 TFLite -> C99: the program gcc makes of it gives LiteRT's bytes, over every operator we translate."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bench import c99_programs as programs
from bench.random_networks import random_graph, random_tflite
from edgeml.deploy.c99 import to_c99
from edgeml.deploy.c99.compile import SAME_BYTES, TRANSLATORS
from edgeml.deploy.tflite import read_model
from tests.c99_models import MODELS, tflite

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
SANITIZERS = ("-O1", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
SPACES = (("micro_cell", 1), ("mbconv_macro", 0), ("nano", 0), ("nasbench201", 7))
MLPERF = (
    "ad01_int8.tflite",
    "kws_ref_model.tflite",
    "pretrainedResnet_quant.tflite",
    "vww_96_int8.tflite",
    "str_ww_ref_model.tflite",
)


def mismatches(model, folder, count, flags=("-O2",)):
    """Of every operator's output: a saturated softmax at the end would hide what came before."""
    different, compared = programs.mismatches(model, folder, programs.random_inputs(model, count), flags)
    assert compared > 1000
    return different


@pytest.fixture(scope="module")
def networks():
    return {space: random_tflite(random_graph(space, seed, (16, 16, 3)), seed) for space, seed in SPACES}


@pytest.fixture(scope="module")
def models():
    return {name: tflite(name) for name in MODELS}


@needs_gcc
@pytest.mark.parametrize("space", [space for space, _ in SPACES])
def test_networks_of_our_spaces_are_bit_exact(space, networks, tmp_path):
    assert mismatches(networks[space], tmp_path, 100) == 0


@needs_gcc
@pytest.mark.parametrize("name", MODELS)
def test_every_operator_is_bit_exact_and_stays_inside_its_memory(name, models, tmp_path):
    assert mismatches(models[name], tmp_path, 100, SANITIZERS) == 0


@needs_gcc
@pytest.mark.parametrize("name", MLPERF)
def test_mlperf_tiny_is_bit_exact(name, shared_data, tmp_path):
    model = (shared_data("mlperf_tiny") / "models" / name).read_bytes()
    assert mismatches(model, tmp_path, 10) == 0


@needs_gcc
def test_a_network_of_a_space_stays_inside_its_memory(networks, tmp_path):
    assert mismatches(networks["mbconv_macro"], tmp_path, 5, SANITIZERS) == 0


def test_the_models_hold_every_operator(networks, models):
    """What is translated is tested by being listed."""
    names = set()
    for model in [*networks.values(), *models.values()]:
        names |= {operator.name for operator in read_model(model).operators}
    assert set(TRANSLATORS) | set(SAME_BYTES) <= names | {"EXPAND_DIMS", "SQUEEZE", "RELU_N1_TO_1"}


def test_the_models_use_every_kernel(networks, models):
    from importlib.resources import files

    text = "".join(
        next(text for name, text in to_c99(read_model(model)).files.items() if name.endswith(".c"))
        for model in [*networks.values(), *models.values()]
    )
    folder = files("edgeml.deploy.c99") / "kernels"
    for path in folder.iterdir():
        assert path.read_text() in text, path.name


@needs_gcc
@pytest.mark.parametrize("flags", [("-O0",), ("-O3", "-march=native"), ("-Os", "-DEDGEML_PLAIN_C")], ids=str)
def test_optimisation_changes_nothing(flags, networks, tmp_path):
    assert mismatches(networks["micro_cell"], tmp_path, 5, flags) == 0


@needs_gcc
def test_it_can_run_again_and_again(networks, tmp_path):
    """The arena is overwritten by a run; what an earlier run left must not matter."""
    model = networks["nano"]
    programs.write(model, tmp_path)
    one = programs.random_inputs(model, 1)
    found = programs.on_host(tmp_path, np.concatenate([one, programs.random_inputs(model, 3, 1), one]))
    assert (found[0] == found[-1]).all()


@needs_gcc
def test_two_models_link_into_one_program(models, networks, tmp_path):
    import subprocess

    main = ["#include <stdio.h>"]
    for name, model in (("first", models["odd"]), ("0 second!", networks["nano"])):
        compiled = to_c99(read_model(model), name)
        for file, text in compiled.files.items():
            (tmp_path / file).write_text(text)
        main.insert(1, f'#include "{compiled.prefix}.h"')
        main.append(f"void run_{compiled.prefix}(void) {{ {compiled.prefix}_run(); }}")
    (tmp_path / "main.c").write_text("\n".join([*main, "int main(void) { return 0; }", ""]))
    files = [path.name for path in tmp_path.glob("*.c")]
    assert len(files) == 3
    subprocess.run(["gcc", *programs.STRICT, *files, "-o", "both"], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_header_is_cxx_too(networks, tmp_path):
    import subprocess

    programs.write(networks["nano"], tmp_path)
    (tmp_path / "main.cc").write_text('#include "model.h"\nint main() { model_run(); return 0; }\n')
    subprocess.run(["gcc", "-c", *programs.STRICT, "model.c"], cwd=tmp_path, check=True)
    subprocess.run(["g++", "-Wall", "-Werror", "main.cc", "model.o", "-o", "m"], cwd=tmp_path, check=True)


def test_one_model_gives_one_text(networks):
    assert to_c99(read_model(networks["nano"])) == to_c99(read_model(networks["nano"]))
