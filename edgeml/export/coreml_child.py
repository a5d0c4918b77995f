"""Runs in a process of its own: a SavedModel -> a Core ML package, by coremltools. Imports nothing of edgeml.

coremltools takes 5 s to import, prints progress bars and warns of every library that is newer than itself.
Started by coreml.py with the path of a JSON file: {"savedmodel": path, "out": path of the .mlpackage,
"shape": [height, width, channels], "classes": names, "description", "author" and "version": texts}. Answers
with a line of JSON on what was standard output: {"version": of coremltools} or {"error": words}.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any


def convert(asked: dict[str, Any]) -> str:
    """Convert and save; returns the version of coremltools."""
    import coremltools as ct

    channels = asked["shape"][2]
    layout = ct.colorlayout.RGB if channels == 3 else ct.colorlayout.GRAYSCALE
    image = ct.ImageType(name="image", shape=(1, *asked["shape"]), color_layout=layout)
    model = ct.convert(
        asked["savedmodel"],
        source="tensorflow",
        inputs=[image],
        classifier_config=ct.ClassifierConfig(asked["classes"]),
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS15,
        skip_model_load=True,
    )
    model.short_description, model.author = asked["description"], asked["author"]
    model.version = asked["version"]
    model.input_description["image"] = "Raw image, values 0 to 255."
    model.save(asked["out"])
    settle(Path(asked["out"]))
    return str(ct.__version__)


def settle(package: Path) -> None:
    """The same package each time: maps of the specification in order, identifiers made from the contents.

    coremltools writes maps in the order of a hash table and draws the identifiers at random.
    """
    from coremltools.proto import Model_pb2

    specification = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    parsed = Model_pb2.Model()
    parsed.ParseFromString(specification.read_bytes())
    specification.write_bytes(parsed.SerializeToString(deterministic=True))
    manifest = package / "Manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    entries = sorted(told["itemInfoEntries"].items(), key=lambda item: item[1]["path"])
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_OID, _contents(package, item))) for old, item in entries}
    told["itemInfoEntries"] = {names[old]: item for old, item in entries}
    told["rootModelIdentifier"] = names[told["rootModelIdentifier"]]
    manifest.write_text(json.dumps(told, indent=4), encoding="utf-8")


def _contents(package: Path, item: dict[str, str]) -> str:
    """What an identifier is made from: a path of the package, and what lies there."""
    place = package / "Data" / item["path"]
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    digest = hashlib.sha256(item["path"].encode())
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Answer one request."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        found = {"version": convert(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))}
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        found = {"error": f"{type(error).__name__}: {said[0][:300]}"}
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
