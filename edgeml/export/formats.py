"""Every export format by its name in `--format`.

To add one: a function (ExportInput) -> {file name: bytes}, in a module of its own, and a name in FORMATS.
"""

from __future__ import annotations

from edgeml.export.given import Exporter, ExportInput


def tflite(given: ExportInput) -> dict[str, bytes]:
    """The int8 TFLite file that was scored, byte for byte."""
    return {"model.tflite": given.tflite}


def onnx(given: ExportInput) -> dict[str, bytes]:
    """Float32 ONNX of the same weights, checked with onnx.checker."""
    from edgeml.deploy.onnx import to_onnx

    description = f"edgeml candidate {given.key}: raw uint8 values as float32, NHWC"
    return {"model.onnx": to_onnx(given.graph, given.folded, description)}


FORMATS: dict[str, Exporter] = {"tflite": tflite, "onnx": onnx}
