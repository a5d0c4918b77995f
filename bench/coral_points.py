"""Published Edge TPU latencies -> points to fit and to score: model, device, milliseconds, workload.

Several readings of a model on a device (coral.ai's two pages, google-coral/pycoral) are one point, their
median: they differ by up to 19 %, which no model of ours can beat.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import shared_data
from bench.coral_detectors import PUBLISHED
from bench.coral_inceptions import NETWORKS
from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.target.coral.layers import Workload, workload
from edgeml.target.coral.memory import Memory, block_bytes, memory
from edgeml.target.coral.verdicts import check
from edgeml.target.profile import load_target

DATA = shared_data.DATA / "edgetpu"
DEVICES = {
    "usb3_desktop": "coral",
    "usb3_desktop_models_page": "coral",
    "pycoral_x86_usb3": "coral",
    "devboard_pcie": "coral-devboard",
    "pycoral_devboard": "coral-devboard",
}
"""Profile by `platform` of the table; the Raspberry Pis in it (USB2, other hosts) have no profile."""


@dataclass(frozen=True)
class Point:
    """A model on a device.

    Attributes:
        model: name.
        device: profile.
        latency_ms: published, the median of `readings`.
        readings: all of them.
        work: what runs where.
        stored: where its parameters are.
        macs: of the model.
    """

    model: str
    device: str
    latency_ms: float
    readings: tuple[float, ...]
    work: Workload
    stored: Memory
    macs: int


def published(keyed: bool = True) -> list[Point]:
    """Points of data/edgetpu: those with a model file or a network of that name, or the other ones.

    Args:
        keyed: rows with `local_key`; else those without that we rebuilt (coral_detectors).
    """
    networks = NETWORKS if keyed else PUBLISHED
    rows = [row for row in read_rows(DATA / "published_latency.csv") if bool(row["local_key"]) == keyed]
    wanted = "local_key" if keyed else "model"
    found = _points(rows, wanted, lambda name: _model(name, DATA / "models", networks))
    return [point for point in found if keyed or point.model in PUBLISHED]


def given(models: Path, latencies: Path) -> tuple[list[Point], list[str]]:
    """Points of other .tflite files and a table like published_latency.csv; and what was left out, why.

    Rows name the file by `local_key`, or by `model` where that is empty, with or without ".tflite"; a
    network of coral_inceptions.NETWORKS stands in for a file that is not there.
    """
    rows, left_out = [], []
    for row in read_rows(latencies):
        name = (row.get("local_key") or row.get("model") or "").removesuffix(".tflite")
        if _model(name, models, NETWORKS) is None:
            left_out.append(f"{name}: no {name}.tflite in {models} and no network of that name")
        elif row.get("platform") not in DEVICES:
            left_out.append(f"{name}: platform {row.get('platform')!r}, known: {', '.join(DEVICES)}")
        else:
            rows.append({**row, "local_key": name})
    return _points(rows, "local_key", lambda name: _model(name, models, NETWORKS)), left_out


def read_rows(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _model(name: str, folder: Path, networks: Mapping) -> TfliteModel | None:
    file = folder / f"{name}.tflite"
    if file.is_file():
        return read_model(file)
    return networks[name]() if name in networks else None


def _points(rows: list[dict[str, str]], column: str, model_of) -> list[Point]:
    readings = defaultdict(list)
    for row in rows:
        if row["platform"] in DEVICES:
            readings[row[column], DEVICES[row["platform"]]].append(float(row["latency_ms"]))
    room = load_target("coral").coefficient("cache_bytes")
    models = {name: model_of(name) for name in dict.fromkeys(name for name, _ in readings)}
    found = []
    for (name, device), values in readings.items():
        model = models[name]
        if model is None:
            continue
        # The files may come from a newer converter than those that were published.
        work = workload(model, check(model, any_version=True))
        stored = memory(map(block_bytes, work.layers), room)
        found.append(Point(name, device, median(values), tuple(values), work, stored, model.macs))
    return found
