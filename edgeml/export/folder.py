"""A candidate of a run -> the folder of its files, all of them or none."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch, lower
from edgeml.errors import ModelError, RunError, UnknownNameError
from edgeml.export.formats import FORMATS
from edgeml.export.given import ExportInput
from edgeml.search.run_dir import read_json
from edgeml.target.targets import Targets
from edgeml.train.inherit import load_weights


def export_files(
    run_path: Path, key: str, out: Path, formats: tuple[str, ...], run: dict[str, Any]
) -> list[Path]:
    """Candidate -> files in `out`: the formats, labels.txt and model.json (what it is and costs).

    Args:
        run_path: the run directory.
        key: of the candidate.
        out: folder to write to; made if missing, must be empty or an earlier export.
        formats: names in FORMATS.
        run: run.json.

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
    given = read_candidate(run_path, key, run)
    files: dict[str, bytes] = {}
    for name in formats:
        files.update(FORMATS[name](given))
    labels = [json.dumps(label, ensure_ascii=False) if "\n" in label else label for label in given.classes]
    files["labels.txt"] = ("\n".join(labels) + "\n").encode("utf-8", "replace")
    card = {
        **given.record, "classes": given.classes, "dataset": run["dataset"]["name"],
        "input": "raw uint8, NHWC",
    }  # fmt: skip
    card["checksums"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files["model.json"] = json.dumps(card, indent=1).encode()
    return _write(out, files)


def read_candidate(run_path: Path, key: str, run: dict[str, Any]) -> ExportInput:
    """What the exporters need of a candidate.

    Raises:
        ModelError: the artifact is missing or not the one that was scored.
    """
    folder = run_path / "candidates" / key
    record = read_json(folder / "candidate.json")
    try:
        artifact = (folder / "model.tflite").read_bytes()
    except OSError as error:
        raise ModelError(f"{folder}: candidate {key} has no model ({record.get('reason')}).") from error
    if hashlib.sha256(artifact).hexdigest() != record["artifact"]["sha256"]:
        raise ModelError(
            f"{folder / 'model.tflite'} is not the file that was scored (other checksum); "
            "the run was changed since."
        )
    graph, weights = lower(Arch.from_dict(record["arch"])), load_weights(str(folder / "weights.safetensors"))
    targets = Targets.load(run["settings"]["targets"])
    return ExportInput(graph, weights, artifact, record, run, targets, run_path)


def _write(out: Path, files: dict[str, bytes]) -> list[Path]:
    """All files or none: written beside `out`, then moved into place."""
    staging = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if out.exists():
            shutil.rmtree(out)
        staging.replace(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return sorted(out / name for name in files)
