"""Format script: train.py stands alone, is the network that was exported, and trains to the same accuracy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.random_networks import random_graph
from edgeml.arch import layers
from edgeml.arch.recipe import OPTIMISERS, Recipe
from edgeml.data.dataset import Dataset, Split, load
from edgeml.data.goal import Goal
from edgeml.errors import ModelError
from edgeml.export import script, script_network, script_text
from edgeml.export.given import ExportInput
from edgeml.target.targets import Targets
from edgeml.train.build import build, get_weights
from tests.export_input import digits, trained

ONLY = (
    "import builtins, sys, runpy\n"
    "banned = {'edgeml', 'tf_keras', 'sklearn', 'PIL', 'safetensors', 'onnx', 'optuna', 'ai_edge_litert'}\n"
    "real = builtins.__import__\n"
    "def guarded(name, scope=None, *more, **named):\n"
    "    if name.split('.')[0] in banned and (scope or {}).get('__name__') == '__main__':\n"
    "        raise ImportError(f'{name} is not tensorflow')\n"
    "    return real(name, scope, *more, **named)\n"
    "builtins.__import__ = guarded\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)
"""Runs a script whose own imports may not go beyond tensorflow and numpy."""


def run(folder: Path, *arguments: object, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ONLY, str(folder / "train.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=folder,
        check=False,
    )
    assert bool(done.returncode) == fails, done.stderr[-3000:]
    return done.stdout + done.stderr[-400:] * fails


def write(given: ExportInput, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in script.script(given).items():
        (folder / name).write_bytes(content)
    np.savez(folder / "weights.npz", **given.weights)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("script")
    return write(digits(folder / "run"), folder / "export")


def test_the_script_is_the_exported_network(exported):
    said = run(exported, "--weights", "weights.npz", "--check")
    assert "outputs differ by" in said


def test_other_weights_do_not_pass_the_check(exported, tmp_path):
    known = dict(np.load(exported / "weights.npz"))
    known["head/dense:bias"] = known["head/dense:bias"] + 0.1 * np.arange(10, dtype=np.float32)
    np.savez(tmp_path / "other.npz", **known)
    assert "NOT the exported network" in run(
        exported, "--weights", tmp_path / "other.npz", "--check", fails=True
    )
    del known["head/dense:bias"]
    np.savez(tmp_path / "less.npz", **known)
    assert "no weight head/dense:bias" in run(
        exported, "--weights", tmp_path / "less.npz", "--check", fails=True
    )


@pytest.mark.slow
def test_it_trains_converts_and_scores(exported):
    found = json.loads(run(exported, "--epochs", 15, "--json").splitlines()[-1])
    assert found["val_int8"] > 0.8 and found["test_int8"] > 0.8
    assert abs(found["val_int8"] - found["val_float"]) < 0.05
    assert (exported / "model_retrained.tflite").read_bytes()[4:8] == b"TFL3"


def test_data_that_are_not_there_are_one_sentence(exported, tmp_path):
    said = run(exported, "--data", tmp_path / "nowhere", fails=True)
    assert "no data at" in said and "Traceback" not in said


def test_npz_is_split_as_the_run_split_it(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 8, 8, 1)).astype(np.uint8)
    labels = np.array(["cat", "dog", "eel"])[np.arange(300) % 3]
    np.savez(tmp_path / "own.npz", x=images, y=labels)
    given = trained(tmp_path / "run", load(str(tmp_path / "own.npz")), epochs=1)
    folder = write(given, tmp_path / "export")
    probe = f"\nfound = load(Path({str(tmp_path / 'own.npz')!r}))\nsaved = load(DATA)\nfor part in saved:\n"
    probe += "    for one, other in zip(found[part], saved[part]):\n        assert (one == other).all()\n"
    (folder / "train.py").write_text(
        (folder / "train.py").read_text().replace('if __name__ == "__main__":\n    main()', probe)
    )
    run(folder)


def test_every_layer_is_written():
    written = {*script_network.LAYERS, layers.Input, layers.Softmax}
    assert written == set(layers.LAYERS)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_setting_compiles(optimiser):
    for goal in (Goal(), Goal("regression", "mae", 1.0, 2.0, 1.0), Goal("anomaly", "auc")):
        recipe = Recipe(optimiser=optimiser, flip=True, speed=0.1, gain=0.1, noise=0.1, label_smoothing=0.1)
        for one in (recipe, Recipe(augmentation=0.0)):
            pieces = script_text.training(one, goal)
            compile(f"def f(images):\n{pieces['augmentation']}", "augmented", "exec")
            compile(f"def f(outputs, truth, images):\n{pieces['loss']}", "loss", "exec")
            compile(pieces["optimiser"], "optimiser", "exec")
            compile(script_text.evaluation(goal), "evaluation", "exec")
            compile(script_text.settings(one, goal), "settings", "exec")


def test_fine_tuned_candidates_are_refused_in_a_sentence(tmp_path):
    given = digits(tmp_path / "run")
    record = {**given.record, "compression": {"of": "abcdef", "method": "qat"}}
    changed = ExportInput(
        given.graph, given.weights, given.tflite, record, given.run, given.targets, given.run_path
    )
    with pytest.raises(ModelError, match=r"fine-tuned by qat.*pick its finalist abcdef"):
        script.script(changed)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "metric"), [("regression", "rmse"), ("anomaly", "auc")])
def test_other_tasks_train(tmp_path, task, metric):
    from edgeml.arch.graph import GraphBuilder
    from edgeml.arch.layers import Conv2D, Dense, Flatten, Input

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (240, 6, 1, 2)).astype(np.uint8)
    if task == "regression":
        labels = images.mean((1, 2, 3)).astype(np.float32) * 3 + 7
    else:
        labels = np.zeros(240, np.int64)
        images[:] = images[:, :1]
        images[160::4] = rng.integers(0, 256, images[160::4].shape)
        labels[160::4] = 1
    cuts = (slice(0, 160), slice(160, 200), slice(200, 240))
    splits = (Split(images[cut], labels[cut]) for cut in cuts)
    data = Dataset("own", (), *splits, {"source": "tests", "seed": 0}, task=task).aimed(metric)
    data.save(tmp_path / "run" / "data")
    made = GraphBuilder()
    first = made.add("stem", Conv2D(16, 3, 1, "relu6"), made.add("input", Input((6, 1, 2))))
    graph = made.finish(made.add("head/dense", Dense(data.outputs), made.add("head/flat", Flatten(), first)))
    weights = get_weights(build(graph), graph)
    record = {"key": graph.key, "test_accuracy": None}
    described = {"edgeml": "0", "dataset": {"name": "own", "classes": []}}
    given = ExportInput(graph, weights, b"", record, described, Targets.load(["null"]), tmp_path / "run")
    folder = write(given, tmp_path / "export")
    assert "outputs differ by" in run(folder, "--weights", "weights.npz", "--check")
    found = json.loads(run(folder, "--epochs", 30, "--json").splitlines()[-1])
    if task == "regression":
        assert found["val_int8"] < 0.5 * float(labels.std())
    else:
        assert found["val_int8"] > 0.75


def test_random_networks_are_written_as_python():
    for seed in range(3):
        graph = random_graph("micro_cell", seed, (16, 16, 3), 4)
        text = script_network.network(graph)
        compile(f"class N:\n    def __call__(self, images):\n{text}", "network", "exec")
