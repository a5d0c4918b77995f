"""Format `coreml`: the float network as a Core ML package, converted by Apple's coremltools (an extra)."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from edgeml.errors import MissingToolError, ModelError
from edgeml.export import coreml_child
from edgeml.export.given import ExportInput, check_images
from edgeml.target.board.process import converse

PACKAGE = "model.mlpackage"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
MISSING = "coremltools is not installed: pip install 'edgeml[coreml]'"
LIMIT_S = 300.0


def missing() -> str:
    """Why it cannot be made here, "" where it can."""
    return "" if importlib.util.find_spec("coremltools") else MISSING


def coreml(given: ExportInput) -> dict[str, bytes]:
    """`model.mlpackage/`: an ML Program in float32 for iOS 15 and macOS 12 on; an image in, class names out.

    Raises:
        MissingToolError: coremltools is not installed.
        ModelError: the network is no classifier of images; or coremltools does not convert it, crashes, or
            takes longer than five minutes.
    """
    check_images(given, "coreml", "the package that edgeml writes takes")
    if missing():
        raise MissingToolError(f"--format coreml: {MISSING}.")
    with tempfile.TemporaryDirectory(prefix="edgeml-coreml-") as name:
        folder = Path(name)
        _save(given, folder / "savedmodel")
        asked = {
            "savedmodel": str(folder / "savedmodel"),
            "out": str(folder / PACKAGE),
            "shape": list(given.graph.input_shape),
            "classes": class_names(given),
            "description": f"Tells {len(given.classes)} classes of {given.run['dataset']['name']} apart.",
            "author": f"edgeml {given.run['edgeml']}",
            "version": given.key,
        }
        place = folder / "request.json"
        place.write_text(json.dumps(asked), encoding="utf-8")
        said = converse([sys.executable, "-P", coreml_child.__file__, str(place)], time_limit_s=LIMIT_S)
        lines = said.stdout.decode("utf-8", "replace").strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and said.code == 0 else {}
        if "version" not in found:
            how = "took too long" if said.timed_out else f"ended with status {said.code}"
            raise ModelError(f"--format coreml: coremltools {found.get('error') or how}.")
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted((folder / PACKAGE).rglob("*"))
            if path.is_file()
        }


def class_names(given: ExportInput) -> list[str]:
    """Class names as the package has them: a lone surrogate has no UTF-8."""
    return [name.encode("utf-8", "replace").decode() for name in given.classes]


def _save(given: ExportInput, folder: Path) -> None:
    """A SavedModel of one signature with a batch of 1, as coremltools wants it."""
    import tensorflow as tf

    from edgeml.deploy.convert import run

    def classify(image: Any) -> dict[str, Any]:
        return {"probabilities": run(tf, given.graph, given.folded, image)}

    module = tf.Module()
    spec = tf.TensorSpec((1, *given.graph.input_shape), tf.float32, name="image")
    module.classify = tf.function(classify, input_signature=[spec], autograph=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(module, str(folder), signatures=module.classify)
