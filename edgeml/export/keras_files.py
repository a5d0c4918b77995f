"""Formats `keras` and `savedmodel`: the float network for TensorFlow, without edgeml."""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
import warnings
from pathlib import Path
from typing import Any

from edgeml.export.given import ExportInput

FILE, FOLDER = "model.h5", "savedmodel/"


def keras(given: ExportInput) -> dict[str, bytes]:
    """`model.h5`: opened by tf_keras and by Keras 3, to train on; raw values 0 to 255 -> outputs."""
    import tf_keras

    from edgeml.train.keras_model import keras_model

    network = keras_model(given.graph, given.weights)
    outputs = network.output
    if given.goal.task == "classification":
        outputs = tf_keras.layers.Softmax(name=output_name(given))(outputs)
    model = tf_keras.Model(network.input, outputs, name="edgeml")
    with tempfile.TemporaryDirectory(prefix="edgeml-keras-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants .keras, which Keras 3 cannot read from tf_keras
        path = Path(folder) / FILE
        model.save(path, save_format="h5")
        _for_keras_3(path)
        return {FILE: path.read_bytes()}


def _for_keras_3(path: Path) -> None:
    """Take out what Keras 3 does not know: `groups` of a depthwise convolution, which is always 1."""
    import h5py

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"].pop("groups", None)
        file.attrs["model_config"] = json.dumps(config)


def savedmodel(given: ExportInput) -> dict[str, bytes]:
    """`savedmodel/`: for TensorFlow Serving; uint8 inputs (signature "float32": floats) -> outputs."""
    import tensorflow as tf

    from edgeml.deploy.convert import run

    def signature(kind: Any) -> Any:
        name = "image" if given.kind == "image" else "input"
        spec = tf.TensorSpec((None, *given.graph.input_shape), kind, name=name)

        def serve(values: Any) -> dict[str, Any]:
            return {output_name(given): run(tf, given.graph, given.folded, tf.cast(values, tf.float32))}

        return tf.function(serve, input_signature=[spec], autograph=False)

    module = tf.Module()
    module.uint8, module.float32 = signature(tf.uint8), signature(tf.float32)
    signatures = {"serving_default": module.uint8, "float32": module.float32}
    with tempfile.TemporaryDirectory(prefix="edgeml-savedmodel-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(module, name, signatures=signatures)
        folder = Path(name)
        settle(folder)
        return {
            FOLDER + str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def settle(folder: Path) -> None:
    """Make a SavedModel's identifier, which TensorFlow draws at random, from its contents."""
    from tensorflow.core.protobuf import fingerprint_pb2

    place = folder / "fingerprint.pb"
    fingerprint = fingerprint_pb2.FingerprintDef()
    fingerprint.ParseFromString(place.read_bytes())
    fingerprint.uuid = ""
    own = hashlib.sha256((folder / "saved_model.pb").read_bytes() + fingerprint.SerializeToString())
    fingerprint.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, own.hexdigest()).int)
    place.write_bytes(fingerprint.SerializeToString(deterministic=True))


def output_name(given: ExportInput) -> str:
    """Of what a network gives."""
    return {"classification": "probabilities", "regression": "value"}.get(given.goal.task, "reconstruction")
