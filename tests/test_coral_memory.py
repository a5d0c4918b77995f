"""Edge TPU parameters: bytes as compiled files have them, what is streamed, and the verdict "fits"."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.deploy.tflite_outline import Outline
from edgeml.target.coral.layers import workload
from edgeml.target.coral.memory import MIB, block_bytes, memory
from edgeml.target.coral.verdicts import check
from edgeml.target.profile import load_target


def convolutions(filters: int, count: int) -> TfliteModel:
    """3x3 convolutions on 64x64x3, float in: compiled by Jorgitou98/EdgeTPU-QuantRL-Evaluation."""
    build = Outline()
    x = build.same("QUANTIZE", build.input(64, 64, 3, dtype="FLOAT32"))
    for _ in range(count):
        x = build.conv(x, filters, 3)
    return build.finish(x)


def blocks(model: TfliteModel) -> list[int]:
    return [block_bytes(layer) for layer in workload(model, check(model, any_version=True)).layers]


@pytest.mark.parametrize(
    ("filters", "count", "cached"), [(32, 2, 10880), (33, 2, 18048), (100, 5, 470528), (640, 2, 3719680)]
)
def test_blocks_are_as_long_as_the_compilers(filters: int, count: int, cached: int) -> None:
    assert memory(blocks(convolutions(filters, count)), 8 * MIB).on_chip_bytes == cached


def test_layers_without_weights_store_nothing() -> None:
    build = Outline()
    x = build.input(8, 8, 4)
    model = build.finish(build.same("SOFTMAX", build.mean(build.same("ADD", x, x))))
    assert blocks(model) == [0, 0, 0]


def test_whole_layers_stay_until_one_does_not_fit() -> None:
    found = blocks(convolutions(64, 5))
    size = found[1]
    room = found[0] + 2 * size + size // 2
    stored = memory(found, room)
    assert stored.streamed == (0, 0, 0, size, size)
    assert (stored.on_chip_bytes, stored.streamed_bytes) == (room - size // 2, 2 * size)
    assert not stored.fits


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6), st.integers(0, 4_000_000))
def test_every_byte_is_somewhere_and_room_never_hurts(filters: list[int], room: int) -> None:
    build = Outline()
    x = build.input(16, 16, 3)
    for count in filters:
        x = build.conv(x, count, 3)
    found = blocks(build.finish(x))
    small, large = memory(found, room), memory(found, 2 * room)
    assert small.on_chip_bytes + small.streamed_bytes == small.parameter_bytes == large.parameter_bytes
    assert small.on_chip_bytes <= room
    assert large.fits or not small.fits


def compiled_rows(folder: Path) -> list[dict[str, str]]:
    """Files compiled alone, each state once, with a plain size or a network we know."""
    with (folder / "compiled_models.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["cocompiled"] == "0" and row["plain_params_bytes"]]
    columns = ("model", "runtime", "onchip_cached_param_bytes", "offchip_streamed_param_bytes")
    alone = {tuple(row[column] for column in columns): row for row in rows}
    return [row for row in alone.values() if row["onchip_cached_param_bytes"]]


def model_of(row: dict[str, str], folder: Path) -> TfliteModel | None:
    if found := re.match(r"N(\d+)-nMACs", row["model"]):
        return convolutions(int(found[1]), int(row["ops_mapped"]))
    file = folder / "models" / row["model"].replace("_edgetpu.tflite", ".tflite")
    return read_model(file) if file.is_file() else None


def test_compiled_networks_have_our_bytes_and_our_verdict(shared_data: Callable[[str], Path]) -> None:
    folder, room = shared_data("edgetpu"), load_target("coral").coefficient("cache_bytes")
    exact, close, right, rows = 0, 0, 0, compiled_rows(folder)
    for row in rows:
        cached, streamed = (
            int(row[name]) for name in ("onchip_cached_param_bytes", "offchip_streamed_param_bytes")
        )
        model = model_of(row, folder)
        if model is None:  # only the plain size is known
            right += (int(row["plain_params_bytes"]) <= room) == (streamed == 0)
            continue
        stored = memory(blocks(model), room)
        right += stored.fits == (streamed == 0)
        if row["model"].startswith("N"):
            exact += stored.parameter_bytes == cached + streamed
        close += abs(stored.parameter_bytes / (cached + streamed) - 1) <= 0.1
    assert len(rows) > 100
    assert exact == sum(row["model"].startswith("N") for row in rows) > 60
    assert close / sum(model_of(row, folder) is not None for row in rows) >= 0.95
    assert right / len(rows) >= 0.95


def test_networks_known_to_stream_are_said_to(shared_data: Callable[[str], Path]) -> None:
    """No published compiled file is too large, so: networks whose latency leaves no doubt."""
    shared_data("edgetpu")
    from bench.coral_inceptions import NETWORKS

    room = load_target("coral").coefficient("cache_bytes")
    stored = {name: memory(blocks(build()), room) for name, build in NETWORKS.items()}
    large = {
        "vgg16_224",
        "vgg19_224",
        "resnet50_v1_299",
        "resnet152_v2_299",
        "inception_v3_299",
        "inception_v4_299",
    }
    assert large <= {name for name, found in stored.items() if not found.fits and found.sure}
    small = {"mobilenet_v1_224", "mobilenet_v2_224", "squeezenet_224"}
    assert small <= {name for name, found in stored.items() if found.fits and found.sure}
