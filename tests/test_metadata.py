"""TFLite metadata: what MediaPipe Tasks reads, in a file that computes what was scored."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeml.deploy.flatbuffer import Bytes, Table
from edgeml.deploy.runtime import predict
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_edit import with_rgb_input
from edgeml.errors import ModelError
from edgeml.export.formats import FORMATS
from edgeml.export.literals import label_line
from edgeml.export.metadata import About, Output, described
from edgeml.target.check import check
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.vela import VelaOptions
from edgeml.target.mcu import process as tflm_process
from edgeml.target.profile import load_target
from tests.export_input import colours, digits, trained
from tests.make_tflite import ModelSpec, make

ABOUT = About("a name", 'a "quoted" text, naïve', "1.2", "an author")
HOSTILE = (
    'say "hi"',
    "two\nlines",
    "émoji 🐈",
    "",
    " space ",
    "back\\slash",
    "$x",
    "nul\0",
    "</script>",
    "\ud800",
)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def rgb(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("colours"), colours(classes=HOSTILE[:3]))


def with_labels(model: bytes, about: About, classes: Sequence[str]) -> bytes:
    return described(model, about, "image", Output("probability", "", tuple(classes), len(classes)))


def fields(content: bytes) -> Table:
    """The metadata's root, through the reader that deploy.tflite uses."""
    root = Table.root(Bytes(content))
    entry = next(table for table in root.tables(6) if table.text(0) == "TFLITE_METADATA")
    buffer = list(root.tables(4))[entry.integer(1, "I")]
    packed = bytes(buffer.blob(0))
    assert packed[4:8] == b"M001"
    return Table.root(Bytes(packed))


def labels(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == "labels.txt" and entry.compress_type == zipfile.ZIP_STORED
        return archive.read("labels.txt").decode().split("\n")[:-1]


def test_what_is_computed_stays_and_weights_stay_aligned(given):
    made = with_labels(given.tflite, ABOUT, given.classes)
    images = given.data.test.inputs
    assert np.array_equal(predict(made, images), predict(given.tflite, images))
    before, after = read_model(given.tflite), read_model(made)
    assert [t.data and bytes(t.data) for t in after.tensors] == [
        t.data and bytes(t.data) for t in before.tensors
    ]
    assert after.operators == before.operators
    start = np.frombuffer(made, np.uint8).ctypes.data
    for tensor in after.tensors:
        if tensor.data is not None:
            assert (np.frombuffer(tensor.data, np.uint8).ctypes.data - start) % 16 == 0


def test_metadata_says_what_it_should(given):
    made = with_labels(given.tflite, ABOUT, given.classes)
    root = fields(made)
    assert [root.text(i) for i in (0, 1, 2, 4, 7)] == [
        ABOUT.name, ABOUT.description, ABOUT.version, ABOUT.author, "1.0.0",
    ]  # fmt: skip
    (graph,) = root.tables(3)
    (image,), (scores,) = graph.tables(2), graph.tables(3)
    (unit,) = image.tables(4)
    options = unit.table(1)
    assert unit.integer(0, "B") == 1 and options.reals(0) == (0.0,) and options.reals(1) == (1.0,)
    (file,) = scores.tables(6)
    assert file.text(0) == "labels.txt" and file.integer(2, "b") == 2
    assert labels(made) == [str(digit) for digit in range(10)]
    assert made == with_labels(given.tflite, ABOUT, given.classes)  # the same bytes every time


def test_writing_again_replaces(given):
    once = with_labels(given.tflite, ABOUT, given.classes)
    twice = with_labels(once, About("b", "c", "d", "e"), given.classes)
    assert fields(twice).text(0) == "b" and read_model(twice).metadata.count("TFLITE_METADATA") == 1


def test_hostile_class_names_and_a_thousand_of_them():
    spec = ModelSpec()
    spec.op("SOFTMAX", [spec.op("RESHAPE", [spec.tensor(1, 10, 10, 10)], (1, 1000))], (1, 1000))
    model = make(spec)
    names = [*HOSTILE, *(f"class {i}" for i in range(1000 - len(HOSTILE)))]
    found = labels(with_labels(model, ABOUT, names))
    assert found == [label_line(name) for name in names]
    with pytest.raises(ModelError, match="expected one image and 3 scores"):
        with_labels(model, ABOUT, names[:3])
    with pytest.raises(ModelError, match="damaged"):
        with_labels(model[: len(model) // 2], ABOUT, names)


def test_tools_of_device_makers_take_it_with_its_metadata(given):
    """Users compile what they were handed: labels behind the model's last byte must not disturb."""
    made = with_labels(given.tflite, ABOUT, given.classes)
    if not tflm_process.missing():
        limits = (60, 1 << 32)
        assert (
            tflm_process.ask(made, *limits)["arena_bytes"]
            == tflm_process.ask(given.tflite, *limits)["arena_bytes"]
        )
    if not ethosu_vela.missing():
        found, plain = (ethosu_vela.compile_model(model, VelaOptions()) for model in (made, given.tflite))
        assert (found.host_ops, found.cycles) == (0, plain.cycles)
    assert check(made, load_target("coral")).ok


def test_rgb_input_is_exact_for_grey_images_and_weighs_colours(given):
    made = with_rgb_input(given.tflite)
    rng = np.random.default_rng(0)
    grey = np.concatenate([given.data.test.inputs, rng.integers(0, 256, (300, 8, 8, 1), np.uint8)])
    assert np.array_equal(predict(made, np.repeat(grey, 3, -1)), predict(given.tflite, grey))
    colour = rng.integers(0, 256, (300, 8, 8, 3), np.uint8)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    steps = np.abs(predict(made, colour) - predict(given.tflite, luma.round().astype(np.uint8)[..., None]))
    assert (
        steps.max(-1) <= 0.1
    ).mean() > 0.95  # weights are rounded to 128ths: a grey level is off by one at most
    with pytest.raises(ModelError, match="of one channel"):
        with_rgb_input(made)


@cache
def mediapipe_python() -> Path:
    """Python of an environment with MediaPipe; skips where there is none."""
    named = os.environ.get("EDGEML_MEDIAPIPE_PYTHON")
    path = Path(named) if named else Path.home() / ".cache/edgeml-tests/mediapipe/bin/python"
    if not path.exists():
        pytest.skip(f"needs an environment with MediaPipe: python3 -m venv, pip install mediapipe; no {path}")
    said = subprocess.run(
        [path, "-c", "from mediapipe.tasks.python import vision"], capture_output=True, text=True, check=False
    )
    if said.returncode:
        pytest.skip(
            f"MediaPipe does not start ({said.stderr.strip().splitlines()[-1]}); apt: libgles2 libegl1"
        )
    return path


def open_in_mediapipe(tmp_path, model, images, expect=0):
    (tmp_path / "m.tflite").write_bytes(model)
    np.save(tmp_path / "i.npy", images)
    script = Path(__file__).with_name("mediapipe_client.py")
    command = [mediapipe_python(), script, tmp_path / "m.tflite", tmp_path / "i.npy", tmp_path / "o.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done.stderr if expect else json.loads((tmp_path / "o.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("data", ["digits", "colours"])
def test_mediapipe_opens_it_as_is_and_agrees_on_500_images(data, given, rgb, tmp_path):
    mediapipe_python()
    candidate = {"digits": given, "colours": rgb}[data]
    (model,) = FORMATS["mediapipe"](candidate).values()
    images = np.concatenate([candidate.data.test.inputs, candidate.data.train.inputs])[:500]
    scored = predict(candidate.tflite, images)
    found = open_in_mediapipe(tmp_path, model, np.repeat(images, 3, -1) if data == "digits" else images)
    scores = np.array(found["scores"])
    assert len(images) == 500 and (scores.argmax(-1) == scored.argmax(-1)).mean() >= 0.99
    assert np.abs(scores - scored).max() < 1e-6
    assert found["labels"] == [label_line(name) for name in candidate.classes]
    said = found["metadata"]
    assert (said["mean"], said["std"], said["colour"], said["parser"]) == ([0.0], [1.0], 1, "1.0.0")
    assert said["size"] == [candidate.graph.input_shape[1], candidate.graph.input_shape[0]]
    assert said["labels_file"] == ["labels.txt", 2] and said["range"] == [[0.0], [1.0]]
    assert candidate.key in said["name"] and "edgeml" in said["author"]


@pytest.mark.slow
def test_mediapipe_opens_every_tflite_of_rgb_and_refuses_one_channel(given, rgb, tmp_path):
    """One channel is why format `mediapipe` is there; should MediaPipe take it one day, this says so."""
    mediapipe_python()
    images = rgb.data.test.inputs[:20]
    for kind in ("tflite", "tflite-fp32", "tflite-fp16", "tflite-dynamic"):
        (model,) = FORMATS[kind](rgb).values()
        folder = tmp_path / kind
        folder.mkdir()
        scores = np.array(open_in_mediapipe(folder, model, images)["scores"])
        assert np.abs(scores - predict(rgb.tflite, images)).max() < 0.1, kind
    (grey,) = FORMATS["tflite"](given).values()
    said = open_in_mediapipe(tmp_path, grey, np.repeat(given.data.test.inputs[:2], 3, -1), expect=1)
    assert "Only RGB color space is supported" in said
