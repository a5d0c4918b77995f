"""Examples for models of readings, rows and sounds: LiteRT and onnxruntime on a CSV or WAV file."""

from __future__ import annotations

from collections.abc import Mapping

from edgeml.export.fill import filled, template
from edgeml.export.spec import DataSpec
from edgeml.export.threshold import Threshold

_WHAT = {
    "sensor": ("recordings of a sensor", "FILE.csv", "preprocess"),
    "table": ("rows of a table", "FILE.csv", "preprocess"),
    "audio": ("recordings of sound", "FILE.wav", "front_end"),
}
"""What a model reads, from which file, and the module that prepares it."""

RUNTIMES = {
    "litert": ("LiteRT", "ai-edge-litert", "from ai_edge_litert.interpreter import Interpreter"),
    "onnx": ("onnxruntime", "onnxruntime", "import onnxruntime"),
}
"""Name, package on PyPI and imports of each runtime that has an example."""


def reads_readings(data: DataSpec) -> bool:
    """Whether a model's input is made of readings, rows or sounds, not of images."""
    return data.preprocessing.get("kind") in _WHAT


def readings_examples(
    models: Mapping[str, str], data: DataSpec, threshold: Threshold | None = None
) -> dict[str, bytes]:
    """Model file by runtime ("litert", "onnx"; empty for none) -> example_litert.py, example_onnx.py."""
    found = {}
    what, file, module = _WHAT[data.preprocessing["kind"]]
    for runtime, model in models.items():
        name, package, imports = RUNTIMES[runtime]
        values = {
            "runtime": name,
            "package": package,
            "imports": imports,
            "file": f"example_{runtime}.py",
            "what": what,
            "reads": file,
            "module": module,
            "model": model,
            "task": data.task,
            "mean": repr(data.goal.mean),
            "std": repr(data.goal.std),
            "threshold": repr(threshold.value if threshold else None),
            "classify": template(f"{runtime}_classify.py").rstrip("\n"),
        }
        if model:
            found[values["file"]] = filled("readings.py", values).encode()
    return found
