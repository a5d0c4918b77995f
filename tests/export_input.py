"""Trained candidates as exporters get them, in seconds: no search, no run directory but its data."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np

from bench.random_networks import random_graph
from edgeml.arch.recipe import Recipe
from edgeml.arch.space_file import load_space
from edgeml.data.dataset import Dataset, Split, load
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import fold
from edgeml.export.given import ExportInput, as_read
from edgeml.search.session import default_space, task_of
from edgeml.target.targets import Targets
from edgeml.train.build import build, get_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import fit


def trained(
    folder: Path,
    data: Dataset,
    space: str = "nano",
    seed: int = 1,
    epochs: float = 8,
    batch_size: int = 32,
) -> ExportInput:
    """A random network of a space, trained on a data set and converted to int8."""
    data.save(folder / "data")
    graph = random_graph(space, seed, data.input_shape, len(data.classes))
    data = data.resized(*graph.input_shape[:2])
    model = build(graph, seed)
    fit(model, data.train, Fidelity(epochs=epochs, batch_size=batch_size), Recipe(), seed)
    weights = get_weights(model, graph)
    artifact = to_tflite(graph, fold(graph, weights), data.calibration(100))
    run = {"dataset": {"name": data.name, "classes": list(data.classes)}, "edgeml": "0.0.test"}
    record = {"key": graph.key, "test_accuracy": None}
    return ExportInput(graph, weights, artifact, record, run, Targets.load(["null"]), folder)


def of_kind(folder: Path, data: Dataset, epochs: float = 8, seed: int = 1) -> ExportInput:
    """A network of the space for a data set of any kind and task, trained and converted to int8."""
    data = data.aimed()
    data.save(folder / "data")
    targets = Targets.load(["null"])
    space = load_space(default_space(data, targets))
    choices = space.sample(random.Random(seed))
    arch = space.decode(choices, task_of(data, space))
    graph = arch.graph
    read = as_read(data, arch.front, graph.input_shape)
    model = build(graph, seed)
    fit(
        model,
        read.train,
        Fidelity(epochs=epochs, batch_size=16),
        space.recipe(choices, graph.input_shape),
        seed,
    )
    weights = get_weights(model, graph)
    artifact = to_tflite(graph, fold(graph, weights), read.calibration(100))
    about = {
        "name": data.name,
        "classes": list(data.classes),
        "goal": data.goal.to_dict(),
        "preprocessing": dict(data.preprocessing),
    }
    record = {"key": graph.key, "test_accuracy": None, "arch": arch.to_dict()}
    run = {"dataset": about, "edgeml": "0.0.test"}
    return ExportInput(graph, weights, artifact, record, run, targets, folder)


def odd_ones(folder: Path, n: int = 240, side: int = 6) -> Path:
    """A .npz of grey slopes ("normal") and of noise ("odd")."""
    rng = np.random.default_rng(0)
    labels = np.array(["normal", "normal", "normal", "odd"] * (n // 4))
    slope = np.linspace(0, 1, side)[None, None] * rng.uniform(100, 250, (n, 1, 1))
    images = slope.astype(np.uint8).repeat(side, 1)
    odd = labels == "odd"
    images[odd] = rng.integers(0, 256, (n, side, side))[odd]
    np.savez(folder / "odd.npz", x=images, y=labels)
    return folder / "odd.npz"


def priced(folder: Path, n: int = 240) -> Path:
    """A CSV table whose label `price` is a sum of its columns."""
    rng = np.random.default_rng(0)
    size, age, red = rng.normal(0, 1, n), rng.uniform(0, 9, n), rng.integers(0, 2, n)
    rows = [
        f"{s:.4f},{a:.3f},{'red' if r else 'blue'},{100 + 30 * s - 4 * a + 9 * r:.3f}"
        for s, a, r in zip(size, age, red, strict=True)
    ]
    (folder / "priced.csv").write_text("\n".join(["size,age,colour,price", *rows]) + "\n")
    return folder / "priced.csv"


@cache
def digits(folder: Path, epochs: float = 12) -> ExportInput:
    """Scikit-learn's digits: 8 x 8 x 1, 10 classes; 97 % accurate after 12 epochs."""
    return trained(folder, load("digits"), seed=0, epochs=epochs)


def colours(n: int = 900, side: int = 16, classes: tuple[str, ...] = ("red", "green", "blue")) -> Dataset:
    """Noise with a patch of the class's colour: RGB images that a small network learns in seconds."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % len(classes)
    images = rng.integers(0, 200, (n, side, side, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(0, side - 6, 2)
        image[row : row + 6, column : column + 6, label % 3] = 255
    order = rng.permutation(n)
    train, val, test = (Split(images[part], labels[part]) for part in np.split(order, [n // 3, n // 2]))
    return Dataset("colours", classes, train, val, test, {"source": "tests", "seed": 0})
