"""A candidate of a run -> files that stand alone.

To add a format: a function (ExportInput) -> {file name: bytes} and a name in FORMATS.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch, lower
from edgeml.arch.graph import Graph
from edgeml.errors import ModelError, RunError, UnknownNameError
from edgeml.train.build import Weights
from edgeml.train.inherit import load_weights


@dataclass(frozen=True)
class ExportInput:
    """What an exporter gets: the graph, trained weights, the scored artifact, the candidate's record."""

    graph: Graph
    weights: Weights
    tflite: bytes
    record: dict[str, Any]


def tflite(given: ExportInput) -> dict[str, bytes]:
    """The int8 TFLite file that was scored, byte for byte."""
    return {"model.tflite": given.tflite}


def onnx(given: ExportInput) -> dict[str, bytes]:
    """Float32 ONNX of the same weights, checked with onnx.checker."""
    from edgeml.deploy.fold import fold
    from edgeml.deploy.onnx import to_onnx

    description = f"edgeml candidate {given.record['key']}: raw uint8 values as float32, NHWC"
    return {"model.onnx": to_onnx(given.graph, fold(given.graph, given.weights), description)}


FORMATS: dict[str, Callable[[ExportInput], dict[str, bytes]]] = {"tflite": tflite, "onnx": onnx}
"""Every export format by the name used in --format."""


def export_files(
    folder: Path, out: Path, formats: tuple[str, ...], dataset: dict[str, Any], record: dict[str, Any]
) -> list[Path]:
    """Candidate folder -> files in `out`: the formats, labels.txt and model.json (what it is and costs).

    Args:
        folder: the candidate's folder in the run.
        out: folder to write to; made if missing, must be empty or an earlier export.
        formats: names in FORMATS.
        dataset: run.json's "dataset".
        record: candidate.json.

    Raises:
        UnknownNameError: unknown format.
        RunError: `out` holds something else.
        ModelError: the artifact is missing or not the one that was scored.
    """
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "model.json").exists())):
        raise RunError(f"{out} exists and is not an earlier export; choose another --out.")
    given = _read(folder, record)
    files: dict[str, bytes] = {}
    for name in formats:
        files.update(FORMATS[name](given))
    labels = [
        json.dumps(label, ensure_ascii=False) if "\n" in label else label for label in dataset["classes"]
    ]
    files["labels.txt"] = ("\n".join(labels) + "\n").encode("utf-8", "replace")
    card = {**record, "classes": dataset["classes"], "dataset": dataset["name"], "input": "raw uint8, NHWC"}
    card["checksums"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files["model.json"] = json.dumps(card, indent=1).encode()
    return _write(out, files)


def _read(folder: Path, record: dict[str, Any]) -> ExportInput:
    try:
        artifact = (folder / "model.tflite").read_bytes()
    except OSError as error:
        raise ModelError(
            f"{folder}: candidate {record['key']} has no model ({record.get('reason')})."
        ) from error
    if hashlib.sha256(artifact).hexdigest() != record["artifact"]["sha256"]:
        raise ModelError(
            f"{folder / 'model.tflite'} is not the file that was scored (other checksum); "
            "the run was changed since."
        )
    graph = lower(Arch.from_dict(record["arch"]))
    return ExportInput(graph, load_weights(str(folder / "weights.safetensors")), artifact, record)


def _write(out: Path, files: dict[str, bytes]) -> list[Path]:
    """All files or none: written beside `out`, then moved into place."""
    staging = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        for name, content in files.items():
            (staging / name).write_bytes(content)
        if out.exists():
            shutil.rmtree(out)
        staging.replace(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return sorted(out / name for name in files)
