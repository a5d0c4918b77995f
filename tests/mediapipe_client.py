"""Run by MediaPipe's own Python (test_metadata.py): opens a model as an app would and classifies images.

Arguments: model, images.npy (uint8 RGB), out.json. Written: labels by index, scores of every image, and what
MediaPipe's own generated reader finds in the model's metadata.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
from mediapipe.tasks.metadata import schema_py_generated as tflite
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions


def metadata(path: str) -> dict:
    content = Path(path).read_bytes()
    model = tflite.Model.GetRootAsModel(content, 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (entry,) = [e for e in entries if e.Name() == b"TFLITE_METADATA"]
    found = schema.ModelMetadataT.InitFromPackedBuf(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    graph = found.subgraphMetadata[0]
    given, taken = graph.inputTensorMetadata[0], graph.outputTensorMetadata[0]
    unit = given.processUnits[0].options
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    return {
        "name": found.name.decode(),
        "description": found.description.decode(),
        "version": found.version.decode(),
        "author": found.author.decode(),
        "parser": found.minParserVersion.decode(),
        "colour": given.content.contentProperties.colorSpace,
        "size": [
            given.content.contentProperties.defaultSize.width,
            given.content.contentProperties.defaultSize.height,
        ],
        "mean": [float(v) for v in unit.mean],
        "std": [float(v) for v in unit.std],
        "labels_file": [taken.associatedFiles[0].name.decode(), taken.associatedFiles[0].type],
        "range": [[float(v) for v in values] for values in (taken.stats.min, taken.stats.max)],
        "files": files,
    }


def main() -> None:
    path, images, out = sys.argv[1:]
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=path))
    classifier = vision.ImageClassifier.create_from_options(options)
    labels: dict[int, str] = {}
    scores = []
    for image in np.load(images):
        taken = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        categories = classifier.classify(taken).classifications[0].categories
        row = [0.0] * len(categories)
        for category in categories:
            row[category.index] = category.score
            labels[category.index] = category.category_name
        scores.append(row)
    classifier.close()  # else it hangs at exit
    found = {
        "version": mediapipe.__version__,
        "labels": [labels[i] for i in sorted(labels)],
        "scores": scores,
    }
    Path(out).write_text(json.dumps({**found, "metadata": metadata(path)}), encoding="utf-8")


main()
