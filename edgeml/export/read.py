"""A candidate's folder in a run -> ExportInput, checked: nothing missing, nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.graph import Graph
from edgeml.data.dataset import Dataset
from edgeml.errors import DataError, DisconnectedArchError, EdgemlError, ModelError, RunError
from edgeml.export.checksums import digest
from edgeml.export.given import ExportInput
from edgeml.report import climb
from edgeml.report.run_files import RunFiles
from edgeml.search.run_dir import read_json
from edgeml.search.start import WEIGHTS
from edgeml.target.targets import Targets
from edgeml.train.build import Weights


def read_candidate(run_path: Path, key: str, run: Mapping[str, Any]) -> ExportInput:
    """What the exporters need of a candidate.

    Args:
        run_path: the run directory.
        key: of the candidate.
        run: run.json.

    Raises:
        RunError: it has no model.
        ModelError: the artifact or the weights are missing, or not those that were scored.
    """
    folder = run_path / "candidates" / key
    record = read_json(folder / "candidate.json")
    stored = record.get("artifact")
    if not stored:
        raise RunError(f"{folder}: candidate {key} has no model to export ({record.get('reason')}).")
    artifact = _stored(folder / "model.tflite", key, stored.get("sha256"))
    content = _stored(folder / WEIGHTS, key, stored.get("weights_sha256"))
    graph = _graph(folder, record)
    weights = _weights(folder / WEIGHTS, content, graph)
    targets = Targets.load((run.get("settings") or {}).get("targets") or ())
    return ExportInput(graph, weights, artifact, record, run, targets, run_path)


def _graph(folder: Path, record: Mapping[str, Any]) -> Graph:
    try:
        return Arch.from_dict(record["arch"]).graph
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        said = f"{type(error).__name__}: {error}"
    except (EdgemlError, DisconnectedArchError) as error:
        said = str(error).rstrip(".")
    raise RunError(
        f"{folder / 'candidate.json'} is damaged: its architecture cannot be read ({said}); copy the run "
        "again."
    )


def check_trained(files: RunFiles, key: str) -> None:
    """Only what was trained fully is handed over; what broke a limit in the end is too, with a note.

    Raises:
        RunError: the candidate failed, was ended early or has had a lower rung's training only.
    """
    found = next(candidate for candidate in files.candidates if candidate.key == key)
    reason = str(found.reason or "no reason told").rstrip(".")
    if found.status == "failed" or found.accuracy is None:
        what = "failed" if found.status == "failed" else "broke a limit before it was trained"
        raise RunError(f"{files.path}: candidate {key} {what} ({reason}); there is no model to export.")
    if files.fully_trained(found):
        return
    if found.ended:
        raise RunError(
            f"{files.path}: the training of candidate {key} was ended early ({reason}), so its model is "
            "not finished; pick one that was trained fully."
        )
    raise RunError(
        f"{files.path}: candidate {key} was trained on rung {climb.label(files, found)} only; pick one that "
        "was trained fully, or go on with `edgeml search --resume` and more --trials."
    )


def _stored(path: Path, key: str, wanted: str | None) -> bytes:
    """A file of a candidate, as it was stored; older runs have no checksum of the weights."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); candidate {key} cannot be exported without it."
        ) from error
    if wanted is not None and digest(content) != wanted:
        raise ModelError(
            f"{path} is not the file that was scored (other checksum); the run was changed since."
        )
    return content


def _weights(path: Path, content: bytes, graph: Graph) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights: Weights = load(content)
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged ({error}); the run was changed since.") from error
    for node in graph.nodes:
        for name, shape in node.weight_shapes.items():
            found = weights.get(f"{node.name}:{name}")
            if found is None or found.shape != tuple(shape):
                what = "is missing" if found is None else f"has shape {found.shape}"
                raise ModelError(
                    f"{path}: {node.name}:{name} {what}, expected {tuple(shape)}: these are not the "
                    "weights of this architecture; the run was changed since."
                )
    return weights


def check_data(given: ExportInput) -> None:
    """Whether the run's data are surely those that it was scored on.

    Raises:
        DataError: they are gone or were changed.
    """
    folder = given.run_path / "data"
    try:
        whole = Dataset.open(folder)
    except DataError as error:
        raise DataError(
            f"{folder}: the run's data are missing or were changed, and the test split is needed to prove "
            f"what is exported; restore the folder, or search again. ({error})"
        ) from error
    if whole.hash != given.run["dataset"]["hash"]:
        raise DataError(
            f"{folder}: these are not the data that the run was scored on (other hash); restore the folder, "
            "or search again."
        )
