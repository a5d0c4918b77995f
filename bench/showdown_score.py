"""What a tool's models are worth: int8 accuracies on validation and test, and what each costs where.

Every model goes through the same code, whoever made it. A model that a device cannot run has no figure there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COSTS = ("size_bytes", "macs", "arena_bytes", "flash_bytes", "mcu_ms", "coral_ms", "vela_cycles")
"""File; operators of the file; tflite-micro's arena (its own interpreter); flash with the runtime
(estimated); Cortex-M7 (estimated); Coral (estimated); Ethos-U55-128 (Arm Vela)."""


@dataclass(frozen=True)
class Found:
    """A model that a tool had on disk.

    Attributes:
        file: .tflite.
        cpu_s: of the tool's process tree when the model was first seen whole.
        run: edgeml's run directory, for the inputs its candidate reads; None for a peer's model.
    """

    file: Path
    cpu_s: float
    run: Path | None = None


def score(models: list[Found], scoring: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Models -> a row each: cpu_s, validation, test, and a figure for each of COSTS (None: cannot run there).

    Returns:
        Rows, and sentences on the models that could not be scored.
    """
    from edgeml.api.devices import in_child
    from edgeml.errors import EdgemlError

    try:  # all of them in one process; each in its own where one ends it
        return in_child(None, rows_of, models, scoring, limit_s=3600), []
    except EdgemlError:
        rows, failures = list[dict[str, Any]](), list[str]()
        for found in models:
            try:
                rows += in_child(found.file, rows_of, [found], scoring, limit_s=600)
            except EdgemlError as error:
                failures.append(f"{found.file.name}: {error}")
        return rows, failures


def rows_of(models: list[Found], scoring: Path) -> list[dict[str, Any]]:
    """Models -> their rows.

    Raises:
        EdgemlError: LiteRT cannot run one.
    """
    return [
        {
            "model": "/".join(found.file.parts[-2:]),
            "cpu_s": round(found.cpu_s, 1),
            **accuracies(found, scoring),
            **costs(found.file.read_bytes()),
        }
        for found in models
    ]


def accuracies(found: Found, scoring: Path) -> dict[str, float]:
    """int8 accuracy on validation and test by LiteRT."""
    model = found.file.read_bytes()
    if found.run is not None:
        from edgeml.deploy.runtime import accuracy

        data = _run_data(found)
        return {"validation": accuracy(model, data.val), "test": accuracy(model, data.test)}
    with np.load(scoring) as read:
        parts = {part: (read[f"x_{part}"], read[f"y_{part}"]) for part in ("validation", "test")}
    return {part: _accuracy(model, x, y) for part, (x, y) in parts.items()}


def _run_data(found: Found) -> Any:
    from edgeml.arch.cell import Arch
    from edgeml.search.evaluate import open_data
    from edgeml.search.run_dir import read_json

    arch = Arch.from_dict(read_json(found.file.parent / "candidate.json")["arch"])
    return open_data(str(found.run), arch.input_shape, arch.front)


def _accuracy(model: bytes, x: NDArray[np.uint8], y: NDArray[np.int64]) -> float:
    """A peer's model takes what it was trained on, the pictures in 0..1, quantised as its input says."""
    from edgeml.deploy.runtime import interpreter

    loaded = interpreter(model)
    given, taken = loaded.get_input_details()[0], loaded.get_output_details()[0]
    scale, zero_point = given["quantization"]
    inputs = x.astype(np.float32) / 255
    if scale:
        limits = np.iinfo(given["dtype"])
        inputs = np.clip(np.round(inputs / scale) + zero_point, limits.min, limits.max)
    inputs = inputs.astype(given["dtype"]).reshape(-1, *given["shape"])
    hits = 0
    for one, label in zip(inputs, y, strict=True):
        loaded.set_tensor(given["index"], one)
        loaded.invoke()
        hits += int(np.argmax(loaded.get_tensor(taken["index"])[0]) == label)
    return hits / len(y)


def costs(model: bytes) -> dict[str, float | None]:
    """TFLite bytes -> COSTS."""
    from edgeml.errors import EdgemlError
    from edgeml.target.measure import figures_at_rest, known_target
    from edgeml.target.meter import Subject

    subject = Subject.of(model)
    wanted = {
        "mcu-m7": {"arena_bytes": "ram_bytes", "flash_bytes": "flash_bytes", "mcu_ms": "latency_ms"},
        "coral": {"coral_ms": "latency_ms"},
        "ethos-u55-128": {"vela_cycles": "cycles"},
        "null": {"size_bytes": "size_bytes", "macs": "macs"},
    }
    result: dict[str, float | None] = dict.fromkeys(COSTS)
    for target, names in wanted.items():
        try:
            figures = figures_at_rest(subject, known_target(target))
        except EdgemlError:
            continue
        for ours, theirs in names.items():
            if theirs in figures:
                result[ours] = float(figures[theirs].value)
    return result


def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that no earlier one beats at every cost: the front of any time can be read off them."""
    from edgeml.search.archive.pareto import front

    chosen: set[int] = set()
    for cost in COSTS:
        at = [i for i, row in enumerate(rows) if row[cost] is not None]
        points = [(1 - rows[i]["validation"], rows[i][cost], rows[i]["cpu_s"]) for i in at]
        chosen |= {at[k] for k in front(points)}
    return [rows[i] for i in sorted(chosen)]
