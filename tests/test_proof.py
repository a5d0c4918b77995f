"""Proof before hand-over: right files pass in their real runtimes, and every kind of wrong one is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeml.errors import MissingToolError, ModelError, UnknownNameError
from edgeml.export import runtimes
from edgeml.export.claims import CLAIMS
from edgeml.export.formats import FORMATS, chosen, make
from edgeml.export.proof import compare, prove
from edgeml.export.runtimes import SOFTMAX_CLASSES, Outcome, Request, run, softmax_note
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.mcu import process as tflm_process
from tests.export_input import colours, digits, trained
from tests.make_tflite import ModelSpec
from tests.make_tflite import make as make_tflite


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another network for the same data: its files open, but are not what was scored."""
    return trained(tmp_path_factory.mktemp("other"), colours(side=8), seed=2, epochs=1)


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch):
    """On a busy machine fewer images would be compared, which is not what these tests are about."""
    monkeypatch.setattr(runtimes, "BUDGET_S", 100.0)


def only(given, name, files):
    return prove(given, {name: files})[name]


def test_every_format_has_a_claim_and_a_sentence():
    assert FORMATS.keys() == CLAIMS.keys()
    for name, export in FORMATS.items():
        first = (export.__doc__ or "").splitlines()[0]
        assert first.endswith(".") and len(first) > 20, name


@pytest.mark.slow
def test_all_formats_of_a_grey_network_are_proven(given, monkeypatch):
    # Core ML takes as long as the rest together and has a test of its own (test_keras_export.py).
    monkeypatch.delitem(FORMATS, "coreml")
    made = make(given, ("all",))
    absent = {name for name, tool in (("c", tflm_process), ("vela", ethosu_vela)) if tool.missing()}
    assert made.skipped.keys() == absent | {"tflite-waveform"}  # that one takes sound
    proofs = prove(given, made.files)
    assert list(proofs) == list(made.files)
    for name, found in proofs.items():
        assert found.passed, (name, found.reason)
        assert found.executed or (name == "vela" and "needs an Ethos-U" in found.reason)
        if found.executed:
            n = len(given.data.test.labels)
            assert found.compared == n and found.accuracy["n"] == n and not found.reason
            assert found.agreement >= CLAIMS[name].agreement
            assert found.runtime.split()[-1][0].isdigit() or "kernels" in found.runtime
        assert found.to_dict()["format"] == name
    right = (np.asarray(given.data.test.labels) == runtimes_reference(given).argmax(-1)).mean()
    for name in ("tflite", "mediapipe", "edgetpu"):
        assert proofs[name].accuracy["value"] == pytest.approx(right)
        assert proofs[name].max_error == 0
    for name in ("onnx", "keras", "savedmodel", "tflite-fp32"):
        assert proofs[name].max_error <= 1e-4
    assert proofs["c"].agreement >= 0.99 and proofs["c"].agreement_scored >= 0.98


def runtimes_reference(given):
    from edgeml.deploy.runtime import predict

    return predict(given.tflite, given.data.test.inputs)


@pytest.mark.slow
def test_formats_of_an_rgb_network_are_proven(tmp_path):
    given = trained(tmp_path, colours(side=20))
    names = ("tflite", "mediapipe", "onnx", "onnx-int8", "tflite-fp16", "tflite-dynamic")
    for name, found in prove(given, make(given, names).files).items():
        assert found.passed, (name, found.reason)


def test_another_models_file_is_found(given):
    """Weights that differ a little: the file opens and classifies, but not as the scored one."""
    weights = {
        key: value * np.float32(1.3 if key.endswith("kernel") else 1) for key, value in given.weights.items()
    }
    other = replace(given, weights=weights)
    found = only(given, "onnx", FORMATS["onnx"](other))
    assert not found.passed and found.executed and "is off by" in found.reason and "0.0001" in found.reason


def test_broken_files_are_results_with_a_reason(given, other):
    (content,) = FORMATS["tflite"](given).values()
    for name, broken in {
        "cut": content[: len(content) // 2],
        "no model": b"not a model",
        "empty": b"",
    }.items():
        found = only(given, "tflite", {"model.tflite": broken})
        assert not found.passed and not found.executed and found.accuracy is None, name
        assert found.reason.startswith("it could not be run: "), found.reason
    found = only(given, "tflite", FORMATS["tflite"](other))
    assert not found.passed and found.reason


def test_no_numbers_are_found(given):
    weights = {key: value * np.float32(np.nan) for key, value in given.weights.items()}
    found = only(given, "onnx", FORMATS["onnx"](replace(given, weights=weights)))
    assert not found.passed and "no numbers" in found.reason


@pytest.mark.skipif(bool(tflm_process.missing()), reason=tflm_process.MISSING)
def test_an_arena_too_small_and_a_changed_array_are_found(given):
    files = FORMATS["c"](given)
    text = files["c/model_ops.h"].decode()
    arena = tflm_process.ask(given.tflite, 60, 1 << 32)["arena_bytes"]
    small = {**files, "c/model_ops.h": text.replace(f"= {arena};", f"= {arena - 1024};").encode()}
    found = only(given, "c", small)
    assert not found.passed and "could not be run" in found.reason
    changed = {**files, "c/model_data.cc": files["c/model_data.cc"].replace(b"0x", b"0x0", 1)}
    found = only(given, "c", changed)
    assert not found.passed


def test_an_accuracy_below_the_recorded_one_is_found(given):
    record = {**given.record, "test_accuracy": {"value": 0.999, "low": 0.998, "high": 1.0, "n": 269}}
    found = only(replace(given, record=record), "tflite", FORMATS["tflite"](given))
    assert not found.passed and "the run has 99.9 %" in found.reason


def test_nothing_to_compare_with_ends_the_export(given):
    with pytest.raises(ModelError, match="the scored model cannot be run"):
        only(replace(given, tflite=given.tflite[:3000]), "tflite", {"model.tflite": given.tflite})


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("import time; time.sleep(600)", "still running after 0.5 s"),
        ("import os; os.kill(os.getpid(), 11)", "crashed (SIGSEGV)"),
        ("print('[1]')", "ended with status 0"),
        ("print('{\"x\": 1')", "ended with status 0"),
        ("raise SystemExit('went wrong')", "ended with status 1 (went wrong)"),
    ],
)
def test_crashes_and_hangs_of_a_runtime_are_outcomes(tmp_path, monkeypatch, child, words):
    script = tmp_path / "child.py"
    script.write_text(child)
    monkeypatch.setattr(runtimes.runtime_child, "__file__", str(script))
    found = run(
        Request("litert", Path("m")),
        tmp_path / "i.npy",
        tmp_path / "run",
        limit_s=0.5 if "sleep" in child else 120,
    )
    assert words in found.reason and not found.outputs.size


def softmax(classes):
    """A model of one int8 softmax; its input is zeros, so that all classes are equally probable."""
    spec = ModelSpec()
    options = ("Softmax", {"beta": 1.0})
    spec.op("SOFTMAX", [spec.tensor(1, classes)], (1, classes), options=options)
    model = schema.ModelT.InitFromPackedBuf(make_tflite(spec))
    output = model.subgraphs[0].tensors[1].quantization
    output.scale, output.zeroPoint = [1 / 256], [-128]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("classes", [SOFTMAX_CLASSES - 1, SOFTMAX_CLASSES])
def test_reference_softmax_aborts_from_512_classes_on(tmp_path, classes):
    """What softmax_note says; should a later LiteRT do better, this says so."""
    (tmp_path / "m.tflite").write_bytes(softmax(classes))
    np.save(tmp_path / "i.npy", np.zeros((1, classes), np.uint8))
    crash = "it crashed (SIGABRT)" if classes >= SOFTMAX_CLASSES else ""
    for name, reference in (("fast", False), ("plain", True)):
        request = Request("litert", tmp_path / "m.tflite", {"reference": reference})
        found = run(request, tmp_path / "i.npy", tmp_path / name)
        assert found.reason == (crash if reference else "")
    assert bool(softmax_note(classes)) == bool(crash)


@pytest.mark.skipif(bool(tflm_process.missing()), reason=tflm_process.MISSING)
def test_reference_kernels_that_crash_are_a_reason_of_what_is_held_to_them(given, monkeypatch):
    def crashing(request, images, folder):
        if request.more.get("reference"):
            return Outcome("", np.zeros((0, 0), np.float32), 0, "it crashed (SIGABRT)", 0.1)
        return run(request, images, folder)

    monkeypatch.setattr("edgeml.export.proof.run", crashing)
    names = ("tflite", "c")
    found = prove(given, make(given, names).files)
    assert found["tflite"].passed
    assert not found["c"].passed and "LiteRT's reference kernels, which it is held to" in found["c"].reason


@pytest.mark.skipif(bool(tflm_process.missing()), reason=tflm_process.MISSING)
def test_a_reference_slower_than_the_file_is_compared_as_far_as_it_came(given, monkeypatch):
    def slow(request, images, folder):
        found = run(request, images, folder)
        n = {"scored.tflite": 30, "array.tflite": 50}.get(request.model.name, len(found.outputs))
        return replace(found, outputs=found.outputs[:n], compared=min(n, found.compared))

    monkeypatch.setattr("edgeml.export.proof.run", slow)
    found = prove(given, make(given, ("tflite", "c")).files)
    assert {name: (proof.passed, proof.compared) for name, proof in found.items()} == {
        "tflite": (True, 30), "c": (True, 30),
    }  # fmt: skip
    assert found["tflite"].accuracy["n"] == len(given.data.test.labels) and found["c"].accuracy["n"] == 50


def test_a_slow_runtime_compares_fewer_images(given, tmp_path, monkeypatch):
    np.save(tmp_path / "i.npy", given.data.test.inputs)
    (tmp_path / "m.tflite").write_bytes(given.tflite)
    monkeypatch.setattr(runtimes, "BUDGET_S", 0.0)
    found = run(Request("litert", tmp_path / "m.tflite"), tmp_path / "i.npy", tmp_path / "run")
    assert found.compared == 20 and len(found.outputs) == 20


def test_undecided_images_of_a_float_reference_are_no_disagreement():
    reference = np.array([[0.5, 0.49999, 0.00001], [0.7, 0.2, 0.1]], np.float32)
    found = reference[:, [1, 0, 2]]
    assert compare(found, reference)[0] == 0.0
    assert compare(found, reference, 1e-4) == (0.5, pytest.approx(0.5))


def test_names_of_formats():
    assert chosen(("onnx", "tflite", "onnx")) == ("onnx", "tflite")
    assert chosen(("onnx", "all")) == tuple(FORMATS)
    for wrong in (("tflight",), ("",), ()):
        with pytest.raises(UnknownNameError, match="all"):
            chosen(wrong)


def test_what_cannot_be_made_is_skipped_with_all_but_an_error_by_name(given, monkeypatch):
    monkeypatch.setattr(ethosu_vela, "missing", lambda: ethosu_vela.MISSING)
    ethosu_vela.close()
    monkeypatch.setattr(
        "edgeml.export.formats.FORMATS", {"vela": FORMATS["vela"], "tflite": FORMATS["tflite"]}
    )
    made = make(given, ("all",))
    assert list(made.files) == ["tflite"] and "pip install 'edgeml[ethos-u]'" in made.skipped["vela"]
    for names in (("vela",), ("vela", "all")):
        with pytest.raises(MissingToolError, match="--format vela"):
            make(given, names)
