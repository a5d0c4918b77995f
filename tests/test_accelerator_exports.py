"""Formats `edgetpu` and `vela`: compiled where the tool is, checked where it is not, refused where unfit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.export.claims import NotHere, _edgetpu, _vela
from edgeml.export.edgetpu import edgetpu
from edgeml.export.proof import prove
from edgeml.export.vela import vela
from edgeml.target.coral import compile as coral_compile
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.vela import NPU_OP
from edgeml.target.targets import Targets
from tests.ethosu_models import depthwise
from tests.export_input import digits
from tests.make_tflite import ModelSpec, make
from tests.scripted_edgetpu_compiler import calls, install

needs_vela = pytest.mark.skipif(bool(ethosu_vela.missing()), reason=ethosu_vela.MISSING)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("digits"), epochs=1)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, alone, with a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(coral_compile, "FAILED", {})
    return folder


def unfit():
    """Full int8 with operators that an Edge TPU does not have."""
    spec = ModelSpec()
    spec.op("GELU", [spec.conv(spec.tensor(1, 8, 8, 4), 8)], (1, 8, 8, 8))
    return make(spec)


def test_without_the_compiler_the_checked_file_and_the_command(given, bin_folder):
    files = edgetpu(given)
    assert files.keys() == {"edgetpu/model.tflite", "edgetpu/COMPILE.txt"}
    assert files["edgetpu/model.tflite"] == given.tflite
    text = files["edgetpu/COMPILE.txt"].decode()
    assert "    edgetpu_compiler -s model.tflite\n" in text and "not on PATH" in text
    count = len(read_model(given.tflite).operators)
    assert f"Operators on the Edge TPU: {count} of {count}." in text and "None stays on the host." in text
    found = prove(given, {"edgetpu": files})["edgetpu"]
    assert found.passed and found.executed and found.max_error == 0


def test_options_of_the_runs_own_edge_tpu_are_in_the_command(given, bin_folder, tmp_path):
    (tmp_path / "old.yaml").write_text(
        "inherits: coral\ndescription: x\noptions: {coral_estimate: {runtime: 13, several_subgraphs: true}}\n"
    )
    own = replace(given, targets=Targets.load([str(tmp_path / "old.yaml")]))
    assert "edgetpu_compiler -s -m 13 -a model.tflite" in edgetpu(own)["edgetpu/COMPILE.txt"].decode()


def test_with_the_compiler_what_it_wrote_and_said(given, bin_folder):
    """Against the scripted stand-in, whose file is no model: the proof says so."""
    install(bin_folder, "good")
    files = edgetpu(given)
    assert files.keys() == {"edgetpu/model_edgetpu.tflite", "edgetpu/COMPILED.txt"} and calls(bin_folder)
    assert files["edgetpu/model_edgetpu.tflite"] == b"compiled " + given.tflite
    text = files["edgetpu/COMPILED.txt"].decode()
    assert "2 on the Edge TPU, 3 on the host" in text and "LEAKY_RELU: Operation not supported" in text
    found = prove(given, {"edgetpu": files})["edgetpu"]
    assert not found.passed and not found.executed and "not a TFLite file" in found.reason


def test_a_compiled_file_is_not_executed_and_says_so(given, tmp_path):
    place = tmp_path / "edgetpu" / "model_edgetpu.tflite"
    place.parent.mkdir()
    spec = ModelSpec()
    x = spec.op("CUSTOM", [spec.tensor(1, 8)], (1, 8), custom="edgetpu-custom-op")
    spec.op("SOFTMAX", [x], (1, 8))
    place.write_bytes(make(spec))
    found = _edgetpu(given, tmp_path)
    assert isinstance(found, NotHere) and "leaves 1 operators to the host" in found.reason
    place.write_bytes(given.tflite)
    with pytest.raises(ModelError, match="without an operator for the Edge TPU"):
        _edgetpu(given, tmp_path)


def test_a_compiler_that_fails_and_an_unfit_model_are_refused(given, bin_folder):
    with pytest.raises(ModelError, match=r"--format edgetpu: .*not fit for coral.*GELU"):
        edgetpu(replace(given, tflite=unfit()))
    install(bin_folder, "internal")
    with pytest.raises(ModelError, match="Internal compiler error"):
        edgetpu(given)


@needs_vela
def test_vela_compiles_for_the_runs_own_ethos_u_or_the_smallest(given):
    assert vela(given).keys() == {"vela/ethos-u55-128_vela.tflite", "vela/ethos-u55-128.txt"}
    own = replace(given, targets=Targets.load(["ethos-u85-256", "mcu-m4", "ethos-u65-512"]))
    files = vela(own)
    assert [name for name in files if name.endswith("_vela.tflite")] == [
        "vela/ethos-u85-256_vela.tflite", "vela/ethos-u65-512_vela.tflite",
    ]  # fmt: skip
    for name, content in files.items():
        if name.endswith(".tflite"):
            assert [op.custom_code for op in read_model(content).operators] == [NPU_OP]
    assert "estimate" in files["vela/ethos-u85-256.txt"].decode()
    found = prove(own, {"vela": files})["vela"]
    assert found.passed and not found.executed and found.agreement is None and "not executed" in found.reason


@needs_vela
def test_vela_refuses_what_it_leaves_to_the_cpu_and_the_proof_finds_it(given, tmp_path):
    with pytest.raises(ModelError, match=r"--format vela: Vela 5.* leaves \d+ operators to the CPU"):
        vela(replace(given, tflite=make(depthwise(4))))
    (tmp_path / "vela").mkdir()
    (tmp_path / "vela" / "x_vela.tflite").write_bytes(given.tflite)
    with pytest.raises(ModelError, match=r"x_vela.tflite leaves .*CONV_2D.* to the CPU"):
        _vela(given, tmp_path)
