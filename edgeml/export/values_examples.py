"""Examples for regressors and anomaly detectors of images: LiteRT and onnxruntime on an image file."""

from __future__ import annotations

from collections.abc import Mapping

from edgeml.data.goal import Goal
from edgeml.export.fill import fill, filled, template
from edgeml.export.readings import RUNTIMES
from edgeml.export.threshold import Threshold

_VALUE = """\
MEAN, STD = {mean!r}, {std!r}  # of the training values


def meaning(pixels, output):
    \"\"\"Output -> the value, in the unit of the label.\"\"\"
    return f"{{output[0] * STD + MEAN:.6g}}"
"""
_SCORE = """\
THRESHOLD = {threshold!r}  # chosen on the validation split; MODEL_CARD.md says what it gives


def meaning(pixels, output):
    \"\"\"The mean squared difference between input and output, and what that means.\"\"\"
    score = np.square(pixels.reshape(-1) / 255.0 - output).mean()
    return f"{{score:.6g}}  {{'anomalous' if score > THRESHOLD else 'normal'}}"
"""


def values_examples(
    models: Mapping[str, str], values: Mapping[str, str], goal: Goal, threshold: Threshold | None
) -> dict[str, bytes]:
    """Model file by runtime ("litert", "onnx"; empty for none) -> example_litert.py, example_onnx.py.

    Args:
        models: file names.
        values: what the places of pictures.py.in are filled with.
        goal: of the data.
        threshold: of an anomaly detector.
    """
    found = {}
    for runtime, model in models.items():
        name, package, imports = RUNTIMES[runtime]
        file = f"example_{runtime}.py"
        more = {
            "runtime": name,
            "package": package,
            "imports": f"{imports}\nfrom PIL import Image, ImageOps",
            "file": file,
            "model": model,
            "prints": "the value" if threshold is None else "the anomaly score and what it means",
            "pictures": fill(template("pictures.py"), values).rstrip("\n"),
            "classify": template(f"{runtime}_classify.py").rstrip("\n"),
            "meaning": _meaning(goal, threshold),
        }
        if model:
            found[file] = filled("values.py", more).encode()
    return found


def _meaning(goal: Goal, threshold: Threshold | None) -> str:
    if threshold is not None:
        return _SCORE.format(threshold=threshold.value).rstrip("\n")
    return _VALUE.format(mean=goal.mean, std=goal.std).rstrip("\n")
