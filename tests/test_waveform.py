"""The front end inside a TFLite file: its features are the integer ones to within a step."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bench.random_networks import random_tflite
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.data.audio.front_end import FrontEnd
from edgeml.deploy.runtime import predict
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_join import joined
from edgeml.deploy.waveform import FULL_SCALE, front_end_model, with_waveform_input
from edgeml.errors import ModelError
from edgeml.export.given import ExportInput
from edgeml.export.waveform import tflite_waveform
from edgeml.target.targets import Targets
from tests.audio_samples import tone
from tests.test_metadata import fields, labels

SAMPLES, RATE = 4000, 8000


def run(model, waveforms):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert given["dtype"] == np.float32 and list(given["shape"]) == [1, SAMPLES]
    found = []
    for waveform in waveforms:
        interpreter.set_tensor(given["index"], (waveform / FULL_SCALE).astype(np.float32)[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(taken["index"])[0])
    return np.array(found)


@pytest.fixture(scope="module")
def waveforms():
    """Tones with background noise, as a microphone gives them."""
    rng = np.random.default_rng(0)
    tones = [tone(hz, 0.5, RATE, seed=hz) + rng.normal(0, 0.002, SAMPLES) for hz in range(150, 3500, 90)]
    return np.rint(np.array(tones) * 32767).astype(np.int16)


@pytest.mark.parametrize("name", ["logmel-30-20-32", "mfcc-40-20-13"])
def test_features_in_the_graph_are_within_a_step(name, waveforms):
    front = FrontEnd.parse(name)
    found = run(front_end_model(front.tables(RATE), SAMPLES), waveforms)
    wanted = front.apply(waveforms, RATE)
    assert found.dtype == np.uint8 and found.shape == wanted.shape
    error = np.abs(found.astype(int) - wanted)
    assert error.max() <= 1 and (error > 0).mean() < 0.02
    assert found.std() > 10


def test_operators_are_builtin_and_few():
    model = front_end_model(FrontEnd.parse("logmel-30-20-32").tables(RATE), SAMPLES)
    names = {operator.name for operator in read_model(model).operators}
    assert "CONV_2D" in names and "LOG" in names and "CUSTOM" not in names
    assert len(read_model(model).operators) < 20


def test_a_joined_model_gives_what_its_parts_give(waveforms):
    space = load_space("audio_cell")
    shapes = {name: FrontEnd.parse(name).shape(SAMPLES, RATE) for name in space.fronts}
    choices = space.sample(random.Random(3))
    arch = space.decode(choices, Task((SAMPLES, 1, 1), 4, "classification", shapes, False))
    tables = FrontEnd.parse(arch.front).tables(RATE)
    network = random_tflite(arch.graph, 1)
    features = run(front_end_model(tables, SAMPLES), waveforms)
    found = run(with_waveform_input(network, tables, SAMPLES), waveforms)
    scores = predict(network, features)
    np.testing.assert_allclose(found / 256, scores, atol=1e-6)
    assert found.std(0).max() > 0
    whole, part = read_model(with_waveform_input(network, tables, SAMPLES)), read_model(network)
    assert [o.name for o in whole.operators][-len(part.operators) :] == [o.name for o in part.operators]


def test_models_that_do_not_fit_are_refused():
    model = front_end_model(FrontEnd.parse("logmel-30-20-32").tables(RATE), SAMPLES)
    with pytest.raises(ModelError, match="expected the same"):
        joined(model, model)


def test_the_exported_file_says_what_it_takes_and_gives_what_it_gave(waveforms, tmp_path):
    space = load_space("audio_cell")
    shapes = {name: FrontEnd.parse(name).shape(SAMPLES, RATE) for name in space.fronts}
    arch = space.decode(
        space.sample(random.Random(3)), Task((SAMPLES, 1, 1), 4, "classification", shapes, False)
    )
    network = random_tflite(arch.graph, 1)
    about = {"kind": "audio", "rate_hz": RATE, "samples": SAMPLES}
    dataset = {"name": "words", "classes": ["go", "left", "right", "stop"], "preprocessing": about}
    record = {"key": "k", "arch": {"front": arch.front}}
    told = {"dataset": dataset, "edgeml": "1"}
    given = ExportInput(arch.graph, {}, network, record, told, Targets(()), tmp_path)
    (made,) = tflite_waveform(given).values()
    plain = with_waveform_input(network, FrontEnd.parse(arch.front).tables(RATE), SAMPLES)
    np.testing.assert_array_equal(run(made, waveforms[:8]), run(plain, waveforms[:8]))
    (graph,) = fields(made).tables(3)
    (sound,) = graph.tables(2)
    assert sound.text(0) == "waveform" and "4000 samples at 8000 Hz, -1 to 1" in sound.text(1)
    assert labels(made) == dataset["classes"]
