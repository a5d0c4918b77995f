"""What a power cut or a failing disk leaves of a run's files: found, and set aside."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeml.errors import RunError
from edgeml.search.candidate import Candidate

LONGEST_HEADER = 100 * 2**20
"""Bytes; what the format allows."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        RunError: missing or not such a file.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); is this an edgeml run?") from error
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{path}: not valid JSON ({_short(error)}), so it is damaged; restore it from a copy, "
            "or start a new run with another --out."
        ) from error
    if not isinstance(value, dict):
        raise RunError(
            f"{path}: found {type(value).__name__}, expected a JSON object, so it is damaged; "
            "restore it from a copy, or start a new run with another --out."
        )
    return value


def as_json(path: Path) -> dict[str, Any] | None:
    """The same; None where it cannot be read."""
    try:
        return read_json(path)
    except RunError:
        return None


def wrong_with(folder: Path, value: dict[str, Any] | None = None) -> str | None:
    """Why a candidate's folder cannot be used; None where it is whole.

    Sizes are compared, contents are not read: what was renamed into place was on the disk.
    """
    value = as_json(folder / "candidate.json") if value is None else value
    if value is None:
        return "its candidate.json cannot be read"
    if value.get("key") != folder.name.removeprefix("."):
        return "its candidate.json is not its own"
    artifact = value.get("artifact")
    if not isinstance(artifact, dict) or "weights_sha256" not in artifact:
        return None  # it failed, and has no files
    try:
        size = (folder / "model.tflite").stat().st_size
        if size != artifact.get("bytes"):
            return f"its model.tflite has {size:,} bytes, expected {artifact.get('bytes'):,}"
    except (OSError, TypeError, ValueError):
        return "its model.tflite is missing"
    return None if _weights_whole(folder / "weights.safetensors") else "its weights.safetensors is cut short"


def _weights_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LONGEST_HEADER:
                return False
            header = json.loads(file.read(length))
        ends = [row["data_offsets"][1] for name, row in header.items() if name != "__metadata__"]
        return bool(path.stat().st_size == 8 + length + max(ends, default=0))
    except (OSError, ValueError, struct.error, LookupError, TypeError, AttributeError):
        return False


def worked_out(candidates: Iterable[Candidate]) -> dict[str, Any]:
    """What of state.json a search that goes on reads, from its candidates."""
    seconds: Counter[str] = Counter()
    last = 0.0
    for candidate in candidates:
        seconds.update(candidate.time_s)
        last = max(last, candidate.finished_at_s)
    return {"elapsed_s": last, "time_s": dict(seconds)}


def moved_aside(path: Path, folder: Path) -> Path:
    """Move a file or folder into `folder` under a name that is free there, which is returned.

    Raises:
        OSError: it cannot be moved.
    """
    folder.mkdir(exist_ok=True)
    place, number = folder / path.name, 1
    while place.exists():
        number += 1
        place = folder / f"{path.name}.{number}"
    path.replace(place)
    return place


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
