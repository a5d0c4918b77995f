"""Formats `keras` and `savedmodel`: opened without edgeml, by both Kerases and by TensorFlow's signatures."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import (
    Add,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePool,
    Input,
    Pool2D,
    Softmax,
)
from edgeml.errors import MissingToolError
from edgeml.export import coreml, coreml_child
from edgeml.export.formats import FORMATS
from edgeml.export.keras_files import settle
from edgeml.export.proof import float_outputs, prove
from tests.export_input import digits
from tests.numpy_net import trained_like

OPEN = """
import sys, numpy as np, keras
assert keras.__version__.startswith("3.")
assert not any(name.startswith("edgeml") for name in sys.modules)
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], model(np.load(sys.argv[2]).astype("float32"), training=False).numpy())
assert model.trainable_weights
"""


def every_layer():
    """A network that has every primitive layer, activation and stride."""
    build = GraphBuilder()
    x = build.add("input", Input((8, 8, 1)))
    x = build.add("stem", Conv2D(6, 3, 1, "relu"), x)
    left = build.add("left", DepthwiseConv2D(3, 2, "relu6"), x)
    right = build.add("right", Conv2D(6, 1, 2, "hard_swish"), x)
    x = build.add("add", Add(), left, right)
    most = build.add("max", Pool2D("max", 3, 1), x)
    mean = build.add("avg", Pool2D("avg", 3, 1), x)
    x = build.add("concat", Concat(), most, mean)
    x = build.add("dense", Dense(10, 0.2), build.add("pool", GlobalAveragePool(), x))
    return build.finish(build.add("softmax", Softmax(), x))


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    few = digits(tmp_path_factory.mktemp("digits"), epochs=1)
    graph, images = every_layer(), few.data.test.inputs[:60]
    return replace(few, graph=graph, weights=trained_like(graph, 0, images)), images


@pytest.mark.slow
def test_keras_3_opens_it(given, tmp_path):
    """And tf_keras does so in the proof (test_proof.py)."""
    candidate, images = given
    (content,) = FORMATS["keras"](candidate).values()
    (tmp_path / "model.h5").write_bytes(content)
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", OPEN, "model.h5", "images.npy", "out.npy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(tmp_path / "out.npy")
    assert np.abs(found - float_outputs(candidate, images)).max() <= 1e-4
    assert found.sum(-1) == pytest.approx(1.0, abs=1e-5) and len(set(found.argmax(-1))) > 1


def test_savedmodel_takes_bytes_and_floats_in_any_batch(given, tmp_path):
    import tensorflow as tf

    candidate, images = given
    for name, content in FORMATS["savedmodel"](candidate).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    check_settled(tmp_path / "savedmodel")
    loaded = tf.saved_model.load(str(tmp_path / "savedmodel"))
    right = float_outputs(candidate, images)
    for signature, kind in (("serving_default", tf.uint8), ("float32", tf.float32)):
        for n in (1, 7):
            found = loaded.signatures[signature](image=tf.cast(images[:n], kind))["probabilities"].numpy()
            assert found.shape == (n, 10) and np.abs(found - right[:n]).max() <= 1e-4


def check_settled(folder):
    """TensorFlow draws an identifier at random: another one is replaced by the same as before."""
    from tensorflow.core.protobuf import fingerprint_pb2

    file = folder / "fingerprint.pb"
    before, found = file.read_bytes(), fingerprint_pb2.FingerprintDef()
    found.ParseFromString(before)
    found.uuid = str(random.getrandbits(128))
    file.write_bytes(found.SerializeToString())
    assert file.read_bytes() != before
    settle(folder)
    assert file.read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(bool(coreml.missing()), reason=coreml.missing() or "it is there")
def test_coreml_package_holds_the_network_and_says_where_it_was_not_run(given):
    candidate, _ = given
    names = ['say "hi"', "émoji 🐈", *map(str, range(8))]
    candidate = replace(candidate, run={**candidate.run, "dataset": {"name": "digits", "classes": names}})
    files = FORMATS["coreml"](candidate)
    found = prove(candidate, {"coreml": files})["coreml"]
    assert found.passed, found.reason
    assert found.executed == (sys.platform == "darwin")
    weights = f"{coreml.PACKAGE}/{coreml.WEIGHTS}"
    some = candidate.folded["dense"].kernel.T.tobytes()[:8]
    changed = {**files, weights: files[weights].replace(some, bytes(8))}
    broken = prove(candidate, {"coreml": changed})["coreml"]
    assert not broken.passed and broken.reason


@pytest.mark.skipif(bool(coreml.missing()), reason=coreml.missing() or "it is there")
def test_a_coreml_package_has_identifiers_of_its_contents(tmp_path):
    packages = [tmp_path / name / coreml.PACKAGE for name in ("one", "two", "other")]
    for package, shown in zip(packages, ("x", "x", "y"), strict=True):
        (package / coreml.WEIGHTS).parent.mkdir(parents=True)
        (package / coreml.WEIGHTS).write_bytes(b"weights")
        own = "x".join(f"{random.getrandbits(32)}" for _ in "ab")
        items = {
            f"{own}{path}": {"path": f"com.apple.CoreML/{path}"} for path in ("model.mlmodel", "weights")
        }
        told = {"itemInfoEntries": items, "rootModelIdentifier": f"{own}model.mlmodel"}
        (package / "Manifest.json").write_text(json.dumps(told))
        write_model(package / coreml.MODEL, shown)
        coreml_child.settle(package)
    one, two, other = ((path / "Manifest.json").read_text() for path in packages)
    assert (
        one == two != other and json.loads(one)["rootModelIdentifier"] in json.loads(one)["itemInfoEntries"]
    )
    assert (packages[0] / coreml.MODEL).read_bytes() == (packages[1] / coreml.MODEL).read_bytes()


def write_model(path, shown):
    """A specification with a map in an order that is not sorted."""
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model(specificationVersion=5)
    for name in random.sample("qwertyuiop", 10):
        model.description.metadata.userDefined[name] = shown
    path.write_bytes(model.SerializeToString(deterministic=False))


def test_without_coremltools_it_is_an_error_by_name(given, monkeypatch):
    monkeypatch.setattr(coreml, "missing", lambda: coreml.MISSING)
    with pytest.raises(MissingToolError, match=r"--format coreml: .*pip install 'edgeml\[coreml\]'"):
        FORMATS["coreml"](given[0])
