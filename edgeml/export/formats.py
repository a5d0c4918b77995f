"""Every export format by its name in `--format`.

To add one: a function (ExportInput) -> {file name: bytes}, in a module of its own, a name in FORMATS and,
in claims.CLAIMS, what it must reach. The first line of the function's docstring is what users read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgeml.arch.graph import Graph
from edgeml.deploy.fold import Folded
from edgeml.deploy.tflite_edit import with_rgb_input
from edgeml.errors import MissingToolError, ModelError, UnknownNameError
from edgeml.export.c99 import c99
from edgeml.export.coreml import coreml
from edgeml.export.edgetpu import edgetpu
from edgeml.export.given import Exporter, ExportInput, check_images
from edgeml.export.keras_files import keras, savedmodel
from edgeml.export.labelled import labelled, output_said
from edgeml.export.micro import c
from edgeml.export.script import script
from edgeml.export.vela import vela
from edgeml.export.waveform import tflite_waveform

Convert = Callable[[Graph, dict[str, Folded]], bytes]
ALL = "all"
"""In `--format`: everything that can be made here."""


@dataclass(frozen=True)
class Made:
    """What was made of a candidate.

    Attributes:
        files: by format: file name (may name a folder) -> content.
        skipped: by format, for `all` only: why it could not be made here, one sentence.
    """

    files: dict[str, dict[str, bytes]]
    skipped: dict[str, str]


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Names in `--format`, checked, each once; `all` is every format.

    Raises:
        UnknownNameError: no such format, or none at all.
    """
    for name in names or ("",):
        if name not in FORMATS and name != ALL:
            raise UnknownNameError("format", name, [*FORMATS, ALL])
    return tuple(FORMATS) if ALL in names else tuple(dict.fromkeys(names))


def make(given: ExportInput, names: Sequence[str]) -> Made:
    """Make the formats; with `all`, what cannot be made here is skipped, unless it is named too.

    Raises:
        UnknownNameError: no such format.
        MissingToolError, ModelError: a format that was named cannot be made; the message says why.
    """
    made = Made({}, {})
    for name in chosen(names):
        try:
            made.files[name] = FORMATS[name](given)
        except (MissingToolError, ModelError) as error:
            if name in names:
                raise
            made.skipped[name] = str(error)
    return made


def tflite(given: ExportInput) -> dict[str, bytes]:
    """`model.tflite`: the int8 model that was scored; metadata says what it takes and names its classes."""
    return {"model.tflite": labelled(given, given.tflite)}


def mediapipe(given: ExportInput) -> dict[str, bytes]:
    """`model_mediapipe.tflite`: the int8 model with the RGB input that MediaPipe wants, made grey inside.

    For a network of RGB images it is the very file that format `tflite` writes.

    Raises:
        ModelError: the network is no classifier of images.
    """
    check_images(given, "mediapipe", "MediaPipe's image classifier takes")
    grey = given.graph.input_shape[2] == 1
    return {"model_mediapipe.tflite": labelled(given, with_rgb_input(given.tflite) if grey else given.tflite)}


def tflite_fp32(given: ExportInput) -> dict[str, bytes]:
    """`model_fp32.tflite`: the network in float32, not quantised."""
    from edgeml.deploy.convert import to_tflite

    return {"model_fp32.tflite": labelled(given, to_tflite(given.graph, given.folded, None))}


def tflite_fp16(given: ExportInput) -> dict[str, bytes]:
    """`model_fp16.tflite`: float16 weights, half the size of float32, for GPUs."""
    from edgeml.deploy.convert import to_tflite_float16

    return _float("model_fp16.tflite", given, to_tflite_float16)


def tflite_dynamic(given: ExportInput) -> dict[str, bytes]:
    """`model_dynamic.tflite`: int8 weights and float32 activations ("dynamic range")."""
    from edgeml.deploy.convert import to_tflite_dynamic

    return _float("model_dynamic.tflite", given, to_tflite_dynamic)


def _float(name: str, given: ExportInput, convert: Convert) -> dict[str, bytes]:
    return {name: labelled(given, convert(given.graph, given.folded))}


def onnx(given: ExportInput) -> dict[str, bytes]:
    """`model.onnx`: float32, any batch, checked with onnx.checker."""
    from edgeml.deploy.onnx import to_onnx

    description = f"edgeml candidate {given.key}: raw uint8 values as float32, NHWC"
    return {"model.onnx": _described(given, to_onnx(given.graph, given.folded, description))}


def onnx_int8(given: ExportInput) -> dict[str, bytes]:
    """`model_int8.onnx`: the scored model's weights and scales in QDQ form, batch 1; outputs are uint8."""
    from edgeml.deploy.onnx_quantized import to_quantized_onnx
    from edgeml.deploy.tflite import read_model

    read = read_model(given.tflite)
    taken = read.tensors[read.outputs[0]].quantization
    assert taken is not None
    quantised = {"output_scale": repr(taken.scales[0]), "output_zero_point": str(taken.zero_points[0])}
    return {"model_int8.onnx": _described(given, to_quantized_onnx(read), quantised)}


def _described(given: ExportInput, model: bytes, more: Mapping[str, str] | None = None) -> bytes:
    """With metadata_props: class names, what goes in and comes out, for programs that load the file alone."""
    from onnx import ModelProto, helper

    proto = ModelProto.FromString(model)
    classifies = given.goal.task == "classification"
    said = {
        **({"classes": json.dumps(list(given.classes))} if classifies else {"output": output_said(given)}),
        "input": "raw values 0 to 255, batch x height x width x channels",
        "edgeml": str(given.run["edgeml"]),
        "candidate": given.key,
    }
    helper.set_model_props(proto, {**said, **(more or {})})
    return bytes(proto.SerializeToString())


FORMATS: dict[str, Exporter] = {
    "tflite": tflite,
    "mediapipe": mediapipe,
    "tflite-fp32": tflite_fp32,
    "tflite-fp16": tflite_fp16,
    "tflite-dynamic": tflite_dynamic,
    "tflite-waveform": tflite_waveform,
    "edgetpu": edgetpu,
    "vela": vela,
    "onnx": onnx,
    "onnx-int8": onnx_int8,
    "keras": keras,
    "savedmodel": savedmodel,
    "coreml": coreml,
    "c": c,
    "c99": c99,
    "script": script,
}
