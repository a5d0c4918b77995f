"""The exported files -> a runnable example for each platform that has its model.

Each is a template of edgeml/export/templates with the figures of this model filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeml.arch.layers import Shape
from edgeml.export.fill import fill, filled, template
from edgeml.export.literals import kotlin_string
from edgeml.export.readings import readings_examples, reads_readings
from edgeml.export.spec import DataSpec
from edgeml.export.threshold import Threshold
from edgeml.export.values_examples import values_examples

LABELS_A_FUNCTION = 1000
"""Names in one Kotlin function: one of the JVM holds 64 KiB of code, at 8 bytes a name."""
_STORE = {
    1: "                values[index] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) shr 16",
    3: "                values[3 * index] = red\n"
    "                values[3 * index + 1] = green\n"
    "                values[3 * index + 2] = blue",
}


def examples(
    models: Mapping[str, Sequence[str]], shape: Shape, data: DataSpec, threshold: Threshold | None = None
) -> dict[str, bytes]:
    """Names of model files by format -> the examples of those that are there.

    Args:
        models: file names by format, such as {"tflite": ["model.tflite"]}.
        shape: (height, width, channels) of the network's input.
        data: the data set; its size and values decide how images are prepared.
        threshold: of an anomaly detector.
    """
    litert, onnx = _model(models, "tflite"), _model(models, "onnx")
    if reads_readings(data):
        return readings_examples({"litert": litert, "onnx": onnx}, data, threshold)
    values = _values(shape, data)
    if data.task != "classification":
        return values_examples({"litert": litert, "onnx": onnx}, values, data.goal, threshold)
    found: dict[str, str] = {}
    if litert:
        found["example_litert.py"] = _python("litert", {**values, "model": litert})
    if onnx:
        found["example_onnx.py"] = _python("onnx", {**values, "model": onnx})
    if "tflite" in models:
        labels = _kotlin_labels(data.classes)
        found["EdgemlClassifier.kt"] = filled("android.kt", {**values, **labels, "model": litert})
    # MediaPipe Tasks takes RGB images only; the format of that name makes grey of them itself.
    mediapipe = next(iter(models.get("mediapipe", models.get("tflite", ()) if shape[2] == 3 else ())), "")
    if mediapipe:
        found["MediaPipeClassifier.kt"] = filled("mediapipe.kt", {**values, "model": mediapipe})
    return {name: text.encode() for name, text in found.items()}


def _values(shape: Shape, data: DataSpec) -> dict[str, str]:
    height, width, channels = shape
    return {
        "height": str(height),
        "width": str(width),
        "channels": str(channels),
        "data_height": str(data.input_shape[0]),
        "data_width": str(data.input_shape[1]),
        "value_scale": repr(data.value_scale),
        "value_offset": repr(data.value_offset),
        "store": _STORE.get(channels, ""),
    }


def _model(models: Mapping[str, Sequence[str]], ending: str) -> str:
    """The file that an example opens: of the format of that name, else of its first variant.

    The one that takes a waveform reads something else than examples give.
    """
    there = [name for name in models if name.startswith(ending) and name != "tflite-waveform"]
    variants = sorted(there, key=lambda name: name != ending)
    named = (file for name in variants for file in models[name] if file.endswith(f".{ending}"))
    return next(named, "")


def _python(runtime: str, values: Mapping[str, str]) -> str:
    classify = template(f"{runtime}_classify.py").rstrip("\n")
    pictures = fill(template("pictures.py"), values).rstrip("\n")
    more = {"classify": classify, "pictures": pictures}
    preprocess = fill(template("preprocess.py"), {**values, **more}).rstrip("\n")
    return filled(f"{runtime}.py", {**values, "preprocess": preprocess})


def _kotlin_labels(classes: Sequence[str]) -> dict[str, str]:
    parts = [classes[at : at + LABELS_A_FUNCTION] for at in range(0, len(classes), LABELS_A_FUNCTION)]
    functions = [
        f"\n        private fun labels{number}(): List<String> = listOf(\n"
        + "".join(f"            {kotlin_string(name)},\n" for name in part).rstrip(",\n")
        + "\n        )"
        for number, part in enumerate(parts)
    ]
    return {
        "labels": "\n".join(functions),
        "label_parts": " + ".join(f"labels{number}()" for number in range(len(parts))),
    }
