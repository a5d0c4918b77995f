"""Published phone latencies as series: one device, number of threads and type each, networks rebuilt."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.arm_networks import single_path_block
from bench.arm_networks_large import NETWORKS
from bench.shared_data import DATA
from edgeml.deploy.tflite import TfliteModel
from edgeml.target.arm_work import amounts
from edgeml.target.calibrate.fit import Array

TABLES = DATA / "published_latency"


@dataclass(frozen=True)
class Series:
    """Latencies of one table and device.

    Attributes:
        name: device, threads, type.
        source: file in data/published_latency.
        networks: names in NETWORKS, or spnas_BLOCK_KERNEL_EXPANSION.
        latency_ms: of each.
    """

    name: str
    source: str
    networks: tuple[str, ...]
    latency_ms: Array

    @property
    def amounts(self) -> Array:
        """(networks, terms) of arm_work."""
        return np.array([list(amounts(network(name)).values()) for name in self.networks])

    @property
    def mmacs(self) -> Array:
        """Millions of MACs of each."""
        return np.array([network(name).macs / 1e6 for name in self.networks])


@cache
def network(name: str) -> TfliteModel:
    """A network of the tables."""
    if name.startswith("spnas"):
        block, kernel, expansion = map(int, name.split("_")[1:])
        return single_path_block(block, kernel, expansion)
    return NETWORKS[name]()


def _hosted(model: str) -> str:
    name = model.removesuffix("_quant").lower()
    sized = re.fullmatch(r"(mobilenet_v[12]|mnasnet)_([\d.]+)_(\d+)", name)
    if sized:
        return f"{sized[1]}_{float(sized[2])}_{sized[3]}"
    return {"densenet": "densenet_121"}.get(name, name)


def _slim(model: str) -> str:
    name = model.partition(" (")[0]
    if name.startswith("V2"):
        width, size = name[3:].split("_")
        return f"mobilenet_v2_{float(width)}_{size}"
    size = "small" if "Small" in name else "large"
    ending = "minimalistic" if "minimalistic" in name else float(name.partition("dm=")[2])
    return f"mobilenet_v3_{size}_{ending}"


_QUANTIZATION = {
    "Mobilenet-v1-1-224": "mobilenet_v1_1.0_224",
    "Mobilenet-v2-1-224": "mobilenet_v2_1.0_224",
    "Inception_v3": "inception_v3",
    "Resnet_v2_101": "resnet_v2_101",
}

Row = dict[str, str]
Point = tuple[str, str, str]
"""Series, network, milliseconds ("" where the table has none)."""


def _hosted_points(row: Row) -> Iterator[Point]:
    yield f"Pixel 3, 4 threads, {row['type']}", _hosted(row["model"]), row["pixel3_cpu_4threads_ms"]


def _slim_points(row: Row) -> Iterator[Point]:
    dtype = "int8" if "8-bit" in row["model"] else "float32"
    for phone in (1, 2, 3):
        yield f"Pixel {phone}, 1 thread, {dtype}", _slim(row["model"]), row[f"pixel{phone}_ms"]


def _lite_points(row: Row) -> Iterator[Point]:
    yield "Pixel 4, 4 threads, float32", row["model"], row["fp32_cpu4_ms"]
    yield "Pixel 4, 4 threads, int8", row["model"], row["int8_cpu4_ms"]


def _quantization_points(row: Row) -> Iterator[Point]:
    for column, what in (("float", "float32"), ("ptq", "int8 weights only"), ("qat", "int8")):
        name = f"Pixel 2, 1 thread, {what} (2018)"
        yield name, _QUANTIZATION[row["model"]], row[f"latency_{column}_ms"]


def _single_path_points(row: Row) -> Iterator[Point]:
    if row["block"] != "0":  # block 0 has no expansion: its four rows are one block
        name = f"spnas_{row['block']}_{row['kernel']}_{row['expansion']}"
        yield "Pixel 1, 1 thread, float32, single blocks", name, row["pixel1_ms"]


_TABLES: dict[str, Callable[[Row], Iterator[Point]]] = {
    "tflite_hosted_models_pixel3.csv": _hosted_points,
    "mobilenet_v2_v3_pixel.csv": _slim_points,
    "efficientnet_lite_pixel4.csv": _lite_points,
    "tflite_quantization_pixel2.csv": _quantization_points,
    "single_path_nas_pixel1_block_runtime.csv": _single_path_points,
}


def read_series(folder: Path = TABLES) -> dict[str, Series]:
    """Every series of the published tables by name."""
    found: dict[str, Series] = {}
    for file, points in _TABLES.items():
        listed: dict[str, list[tuple[str, float]]] = {}
        with (folder / file).open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                for series, name, latency in points(row):
                    if latency:
                        listed.setdefault(series, []).append((name, float(latency)))
        for series, pairs in listed.items():
            names, latencies = zip(*pairs, strict=True)
            found[series] = Series(series, file, names, np.array(latencies))
    return found
