"""Data larger than memory: the same training from files, in bounded memory."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edgeml.arch.recipe import Recipe
from edgeml.data import scratch
from edgeml.data.dataset import Split, load
from edgeml.errors import ConfigError, StorageError
from edgeml.train.augment import Augment

SIDE, IMAGES = 64, 12_000
BYTES = SIDE * SIDE * 3 * IMAGES

TRAIN = """
import hashlib, json, re, sys, threading, time
import numpy as np
from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.recipe import Recipe
from edgeml.data.source import Split
from edgeml.train.build import build, get_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import accuracy_float, fit

def anonymous():
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1])

path, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = Split(np.memmap(path, np.uint8, "r", shape=(count, side, side, 3)), np.arange(count) % 2)
graph = Arch((side, side, 3), 2, 4, (Stage(Cell(((Edge(0, "sep_conv_3x3"),),)), 1, 8, 2),)).graph
recipe = Recipe(batch_size=32, shift=0.1, flip=True)
fit(build(graph, 0), data.take(np.arange(256)), Fidelity(1, 32), recipe, 0)  # TensorFlow's own memory
model, before, peak, over = build(graph, 0), anonymous(), 0, threading.Event()

def watch():
    global peak
    while not over.wait(0.01):
        peak = max(peak, anonymous())

thread = threading.Thread(target=watch)
thread.start()
result = fit(model, data, Fidelity(0.06, 32, data_fraction=0.8), recipe, 3)
accuracy = accuracy_float(model, data.take(np.arange(512)))
over.set()
thread.join()
weights = get_weights(model, graph)
digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
print(json.dumps({"digest": digest, "history": result.history, "accuracy": accuracy, "grown": peak - before}))
"""


def trained(path, limit):
    """Train on a mapped file with an artificial limit on memory, in a process of its own."""
    environment = {
        **os.environ,
        scratch.VARIABLE: str(limit),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
    }
    command = [sys.executable, "-c", TRAIN, str(path), str(IMAGES), str(SIDE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_training_from_a_file_is_the_same_in_bounded_memory(tmp_path):
    path = tmp_path / "images.raw"
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, IMAGES, 1000):
            block = rng.integers(0, 200, (1000, SIDE, SIDE, 3)).astype(np.uint8)
            block[np.arange(start, start + 1000) % 2 == 1, : SIDE // 2] += 55
            file.write(block.data)
    streamed, held = trained(path, BYTES // 10), trained(path, 1 << 40)
    assert streamed["digest"] == held["digest"] and streamed["history"] == held["history"]
    assert streamed["accuracy"] == held["accuracy"] > 0.8
    assert held["grown"] > 0.8 * BYTES  # the test would notice
    assert held["grown"] < 1.2 * BYTES, "the samples used are held once"
    assert streamed["grown"] < 0.6 * BYTES, (streamed, held)


def test_batches_are_bit_equal_with_every_augmentation(monkeypatch):
    recipe, found = Recipe(shift=0.2, flip=True, speed=0.1, gain=0.2, noise=0.1), []
    for limit in (1 << 30, 1000):
        monkeypatch.setenv(scratch.VARIABLE, str(limit))
        data, augment = load("digits").train.take(np.arange(200)), Augment(recipe, 7)
        assert isinstance(data.inputs, np.memmap) == (limit == 1000)
        found.append([augment(data.inputs[np.arange(k, k + 16)]) for k in range(3)])
    assert all((one == other).all() for one, other in zip(*found, strict=True))


def test_large_arrays_are_files_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(scratch.VARIABLE, "1000")
    data = load("digits")
    part = data.train.take(np.arange(50)[::-1])
    assert isinstance(part.inputs, np.memmap) and (part.inputs == data.train.inputs[49::-1]).all()
    assert isinstance(data.resized(16, 16).train.inputs, np.memmap)
    assert list((tmp_path / "edgeml/scratch").iterdir()) == []
    data.save(tmp_path / "saved")
    monkeypatch.delenv(scratch.VARIABLE)
    assert data.hash == load("digits").hash == data.open(tmp_path / "saved").hash


def test_no_room_for_a_large_array_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv(scratch.VARIABLE, "10")
    with pytest.raises(StorageError, match="XDG_CACHE_HOME"):
        scratch.empty((100,), np.uint8)
    monkeypatch.setenv(scratch.VARIABLE, "1 GB")
    with pytest.raises(ConfigError, match="bytes"):
        Split(np.zeros((3, 1, 1, 1), np.uint8), np.zeros(3, np.int64)).take(np.arange(2))
