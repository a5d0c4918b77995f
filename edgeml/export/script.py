"""A candidate -> train.py: the whole training, written out for a person, with only TensorFlow to import.

The network is generated layer by layer; what is around it (data, training, conversion, evaluation) is made of
the templates train*.py.in, which say in plain TensorFlow what edgeml/train and edgeml/deploy do.
"""

from __future__ import annotations

import hashlib
import io
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Softmax
from edgeml.arch.recipe import Recipe, default_recipe
from edgeml.data.dataset import Dataset, Split
from edgeml.data.source import kind_of
from edgeml.errors import ModelError
from edgeml.export import script_text
from edgeml.export.fill import filled, template
from edgeml.export.given import ExportInput
from edgeml.export.script_network import network
from edgeml.search.evaluate import CALIBRATION_IMAGES
from edgeml.search.finishing.compression import TRAINED
from edgeml.train.fidelity import Fidelity, full_fidelity

NAME, BESIDE = "train.py", "train.npz"
CHECKED = 32
"""Inputs of noise whose outputs are noted for `train.py --check`."""


def script(given: ExportInput) -> dict[str, bytes]:
    """`train.py`: the network and its whole training in plain TensorFlow, to be read, run and changed.

    Raises:
        ModelError: the candidate was fine-tuned for compression or reads an audio front end, which no script
            of ours writes out.
    """
    refuse(given)
    return {NAME: text(given).encode(), BESIDE: beside(given)}


def refuse(given: ExportInput) -> None:
    """Say what cannot be written out.

    Raises:
        ModelError: it is that.
    """
    how = given.record.get("compression") or {}
    method = str(how.get("method") or recipe_of(given).compression)
    trained = next((name for name in TRAINED if method.startswith(name)), None)
    if trained:
        advice = f"pick its finalist {how['of']}" if how.get("of") else "pick another"
        raise ModelError(
            f"format script: {given.key} was fine-tuned by {trained} after its training, expected plain "
            f"training; {advice}, or use `edgeml rebuild` on the export."
        )
    if given.front:
        raise ModelError(
            f"format script: {given.key} reads the audio front end {given.front}, expected a "
            "network that reads the data as they are saved; use `edgeml rebuild` on the export."
        )


def recipe_of(given: ExportInput) -> Recipe:
    """How the candidate was trained."""
    return Recipe(**(given.record.get("recipe") or default_recipe(given.graph.input_shape).to_dict()))


def fidelity_of(given: ExportInput) -> Fidelity:
    """All the training that it had."""
    full = full_fidelity(len(given.data.train), (given.run.get("settings") or {}).get("epochs"))
    epochs = (given.record.get("fidelity") or {}).get("epochs") or full.epochs
    return Fidelity(float(epochs), full.batch_size)


def text(given: ExportInput) -> str:
    """The script."""
    values = {**_figures(given), **_pieces(given)}
    return filled("train.py", values)


def _figures(given: ExportInput) -> dict[str, str]:
    """Names and numbers."""
    run, dataset = given.run, given.run["dataset"]
    recipe, fidelity = recipe_of(given), fidelity_of(given)
    height, width, channels = given.graph.input_shape
    calibration = (given.record.get("compression") or {}).get("calibration") or {}
    notes = script_text.notes(given.record, str(calibration.get("rule") or "converter"))
    return {
        "what": f"a network for {dataset['name']}".replace("\\", "/").replace('"', "'"),
        "edgeml": str(run["edgeml"]),
        "key": given.key,
        "about": "".join(f"\n{note}" for note in notes) + "\n" if notes else "",
        "seed": str(int(given.record.get("seed") or 0)),
        "epochs": f"{fidelity.epochs:g}",
        "batch": str(fidelity.batch(len(given.data.train), recipe.batch_size)),
        "learning_rate": repr(recipe.learning_rate),
        "weight_decay": repr(recipe.weight_decay),
        "settings": script_text.settings(recipe, given.data.goal),
        "saved": repr(str((given.run_path / "data").resolve())),
        "classes": script_text.wrapped_list(list(dataset["classes"])),
        "shape": repr((height, width, channels)),
        "shape_words": f"{height}, {width}, {channels}",
        "outputs_words": script_text.outputs_words(given.data.goal, given.graph.output_shape[2]),
        "network": network(given.graph),
        "parameters": str(parameters(given.graph)),
        "scored": script_text.scored(given.record, given.data.goal),
    }


def parameters(graph: Graph) -> int:
    """Numbers that the network holds: what is trained, and BatchNorm's statistics."""
    return sum(prod(shape) for node in graph.nodes for shape in node.weight_shapes.values())


def _pieces(given: ExportInput) -> dict[str, str]:
    """Whole sections."""
    recipe, goal, provenance = recipe_of(given), given.data.goal, given.data.provenance
    probabilities = isinstance(given.graph.nodes[-1].layer, Softmax)
    words = "probabilities of the classes" if probabilities else "the network's outputs"
    deployed = "tf.nn.softmax(net(images))" if probabilities else "net(images)"
    readable = can_read_source(given)
    hint = (
        "give --data, the source or a folder data of the run"
        if readable
        else "give --data, the folder data of an edgeml run that has them"
    )
    data = filled(
        "train_data.py",
        {"dispatch": script_text.DISPATCH if readable else "", "data_hint": hint},
    ).rstrip("\n")
    if readable:
        scale = f"VALUE_SCALE, VALUE_OFFSET = {provenance.get('value_scale', 1.0)!r}, "
        data += template("train_sources.py").rstrip("\n")
        data = f"{scale}{provenance.get('value_offset', 0.0)!r}  # raw = byte * scale + offset\n\n\n{data}"
    convert = {
        "deployed_words": words,
        "deployed": deployed,
        "strata": script_text.strata(goal),
        "calibration": str(CALIBRATION_IMAGES),
    }
    return {
        "data": data,
        "data_help": repr("folder of the run's data" + ("; .npz, IDX or image folder" if readable else "")),
        "layers": template("train_layers.py").rstrip("\n") + "\n",
        "training": filled("train_loop.py", script_text.training(recipe, goal)).rstrip("\n"),
        "conversion": filled("train_convert.py", convert).rstrip("\n"),
        "evaluation": script_text.evaluation(goal),
    }


def can_read_source(given: ExportInput) -> bool:
    """Whether the script reads the source itself: image classes from arrays or a folder."""
    data = given.data
    return data.task == "classification" and kind_of(data.preprocessing) == "image"


def beside(given: ExportInput) -> bytes:
    """train.npz: outputs for inputs of noise, and by which hashes the script splits arrays as the run did."""
    import tensorflow as tf

    from edgeml.train.build import Network

    noise = np.random.default_rng(0).integers(0, 256, (CHECKED, *given.graph.input_shape))
    outputs = Network(given.graph, given.weights)(noise.astype(np.float32))
    if isinstance(given.graph.nodes[-1].layer, Softmax):
        outputs = tf.nn.softmax(outputs)
    found: dict[str, NDArray[Any]] = {"outputs": outputs.numpy()}
    if can_read_source(given) and given.data.provenance.get("kind") in ("npz", "idx"):
        whole = Dataset.open(given.run_path / "data")
        for part, split in (("train", whole.train), ("val", whole.val), ("test", whole.test)):
            found[part] = digests(split)
    held = io.BytesIO()
    np.savez(held, **found)  # type: ignore[arg-type]  # its stub thinks of allow_pickle
    return held.getvalue()


def digests(split: Split) -> NDArray[np.void]:
    """8 bytes for each sample and its label."""
    rows = (
        hashlib.blake2b(image.tobytes() + bytes([label % 256, label // 256]), digest_size=8).digest()
        for image, label in zip(split.inputs, split.labels.tolist(), strict=True)
    )
    return np.frombuffer(b"".join(rows), np.dtype("V8"))
