"""Kinds of input for bench/endurance_fuzz.py that name data: what is valid, how it is damaged, who reads it.

A kind writes one input into an empty folder and returns the command line that reads it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import struct
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.fuzz_mutations import (
    WORDS,
    damaged,
    damaged_head,
    damaged_text,
    damaged_value,
)
from bench.fuzz_yaml import as_yaml

ROOT = Path(__file__).resolve().parents[1]
Command = list[str]


@cache
def _yaml_seeds(folder: str) -> tuple[tuple[str, Any], ...]:
    import yaml

    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).glob("*.yaml"))]
    return tuple((text, yaml.safe_load(text)) for text in texts)


def _yaml(rng: random.Random, folder: Path, what: str) -> Path:
    text, value = rng.choice(_yaml_seeds(what))
    way = rng.randrange(4)
    content = (
        damaged_text(rng, text)
        if way == 0
        else damaged(rng, text.encode())
        if way == 1
        else as_yaml(rng, damaged_value(rng, json.loads(json.dumps(value, default=str))))
    )
    path = folder / "given.yaml"
    path.write_bytes(content)
    return path


def space(rng: random.Random, folder: Path) -> Command:
    """--space, through `edgeml spaces`."""
    return ["spaces", str(_yaml(rng, folder, "search_spaces"))]


def target(rng: random.Random, folder: Path) -> Command:
    """--target, through `edgeml targets`."""
    return ["targets", str(_yaml(rng, folder, "targets")), *rng.choice(([], ["--json"]))]


def fidelity(rng: random.Random, folder: Path) -> Command:
    """--fidelity, through `edgeml fidelities`."""
    return ["fidelities", str(_yaml(rng, folder, "fidelities"))]


def reading(rng: random.Random, path: Path, *more: str) -> Command:
    """`edgeml data PATH`, now and then with options that do not fit."""
    if rng.random() < 0.15:
        more = (*more, "--task", rng.choice(TASKS))
    if rng.random() < 0.1:
        more = (
            *more,
            rng.choice(("--label", "--group")),
            rng.choice(("label", "y", "x0", "", "\x1b[1m", "path")),
        )
    if rng.random() < 0.1:
        more = (*more, rng.choice(("--window", "--stride")), rng.choice(("1", "7", "99999999999", "-1")))
    return ["data", str(path), *more, *rng.choice(([], [], ["--json"]))]


TASKS = (
    *("image-classification", "audio-classification", "sensor-classification", "tabular-classification"),
    *("tabular-regression", "anomaly"),
)


def _table(rng: random.Random, rows: int = 60) -> list[list[Any]]:
    """A header and rows: features, a class or a value; sometimes a time and a person."""
    found: list[list[Any]] = [["t", "x0", "x1", "colour", "person", "label"]]
    for index in range(rows):
        kind = rng.choice(("cat", "dog"))
        x0, x1 = rng.gauss(kind == "cat", 1), rng.gauss(0, 1e3)
        found.append([index / 50, round(x0, 4), round(x1, 2), rng.choice("rgb"), f"p{index // 20}", kind])
    return [row[1:4] + row[5:] for row in found] if rng.random() < 0.6 else found


def csv_text(rows: list[list[Any]], delimiter: str) -> str:
    """Rows as text."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def table(rng: random.Random, folder: Path) -> Command:
    """--data FILE.csv."""
    rows = _table(rng)
    for _ in range(rng.randrange(6)):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(WORDS)
    text = csv_text(rows, rng.choice(",,,;\t|"))
    path = folder / rng.choice(("given.csv", "given.tsv", "given.txt"))
    content = damaged_text(rng, text) if rng.random() < 0.6 else damaged(rng, text.encode())
    path.write_bytes(rng.choice((content,) * 9 + (text.encode(), text.encode("utf-16"))))
    return reading(rng, path)


def recordings(rng: random.Random, folder: Path) -> Command:
    """--data FOLDER of CSV recordings in class folders."""
    for kind in ("wave", "punch"):
        for index in range(3):
            rows: list[list[Any]] = [["time", "ax", "ay", "az"]]
            rows += [[i / 50, *(round(rng.gauss(kind == "wave", 1), 3) for _ in range(3))] for i in range(80)]
            path = folder / "data" / kind / f"{index}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = csv_text(rows, ",")
            path.write_bytes(damaged_text(rng, text) if rng.random() < 0.4 else text.encode())
    return reading(rng, folder / "data")


def parquet(rng: random.Random, folder: Path) -> Command:
    """--data FILE.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = _table(rng, 40)
    columns: dict[str, Any] = {str(name): [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}
    odd = rng.randrange(12)
    n = len(rows) - 1
    if odd == 0:
        columns["odd"] = [[1, 2]] * n
    elif odd == 1:
        columns["odd"] = [{"a": 1}] * n
    elif odd == 2:
        columns["odd"] = pa.array([rng.choice((None, b"\xff", b"a")) for _ in range(n)], pa.binary())
    elif odd == 3:
        columns["odd"] = pa.array(
            [rng.choice((None, -(1 << 62), 1 << 62)) for _ in range(n)], pa.timestamp("us")
        )
    elif odd == 4:
        columns["odd"] = pa.array([rng.choice((None, 1, 10**30)) for _ in range(n)], pa.decimal128(38, 2))
    elif odd == 5:
        columns["odd"] = pa.array([rng.choice(WORDS) for _ in range(n)]).dictionary_encode()
    elif odd == 6:
        columns = {rng.choice(WORDS): values for values in columns.values()}
    elif odd == 7:  # a few kilobytes that are a gigabyte
        columns["odd"] = pa.array(["x" * (1 << 20)] * n)
    elif odd == 8:
        columns = {f"c{i}": np.zeros(400_000) for i in range(4)} | {"label": ["a", "b"] * 200_000}
    path = folder / "given.parquet"
    pq.write_table(pa.table(columns), path, compression=rng.choice(("none", "snappy", "zstd", "gzip")))
    if odd > 6 or odd % 2:
        data = path.read_bytes()
        tail = len(data) - rng.choice((8, 64, 600, len(data)))
        path.write_bytes(data[:tail] + damaged(rng, data[tail:], data))
    return reading(rng, path)


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def npz(rng: random.Random, folder: Path) -> Command:
    """--data FILE.npz: images, windows or a table, headers that lie, pickles, bombs."""
    shape = rng.choice(((40, 8, 8), (40, 8, 8, 3), (40, 64, 3), (40, 6), (40,), (0, 8, 8), (40, 3, 8, 8), ()))
    kinds = ("u1", "u1", "f4", "f8", "i8", "?", "c8", "U3", "M8[s]", "f2", "i2", "O")
    x = np.asarray(np.random.default_rng(rng.randrange(99)).integers(0, 255, shape)).astype(rng.choice(kinds))
    if x.dtype.kind == "f" and x.size and rng.random() < 0.3:
        x.flat[0] = rng.choice((np.nan, np.inf, 1e300, -1e38))
    labels = np.arange(40) % rng.choice((1, 2, 5, 40))
    y = labels.astype(rng.choice(("i8", "u1", "f4", "U3", "S3", "O", "M8[s]"))).reshape(
        rng.choice(((40,), (40, 1)))
    )
    members = {"x_train.npy": _npy(x), "y_train.npy": _npy(y)}
    if rng.random() < 0.3:
        more = rng.choice(
            ("class_names", "channels", "rate_hz", "groups", "feature_names", "x_test", "y_test")
        )
        value = rng.choice(
            (np.array(WORDS[:17]), np.array([b"\xff", b"a"]), np.array(1e9), np.array([["a"]]), x, y)
        )
        members[f"{more}.npy"] = _npy(value)
    name = rng.choice(sorted(members))
    way = rng.randrange(6)
    if way == 0:
        members[name] = damaged(rng, members[name])
    elif way == 1:
        members[name] = damaged_head(rng, members[name], 128)
    elif way == 2:
        n = rng.choice((3 << 28, 1 << 40, -1))
        head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n}, 8, 8), }}"
        members["x_train.npy"] = b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode()
    elif way == 3:  # a few kilobytes that are true gigabytes
        head = "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 8192, 8192), }"
        members["x_train.npy"] = b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, content in members.items():
            archive.writestr(rng.choice((member,) * 20 + (f"../{member}", member.upper())), content)
    data = _with_bomb(out.getvalue()) if way == 3 and rng.random() < 0.5 else out.getvalue()
    if way > 3:
        tail = rng.choice((0, max(0, len(data) - 300)))
        data = data[:tail] + damaged(rng, data[tail:], data)
    path = folder / "given.npz"
    path.write_bytes(data)
    return reading(rng, path)


@cache
def _zeros(size: int) -> bytes:
    """A deflate stream of so many zeros."""
    import zlib

    squeeze, found, block = zlib.compressobj(9, zlib.DEFLATED, -15), [], bytes(1 << 24)
    for _ in range(size >> 24):
        found.append(squeeze.compress(block))
    return b"".join((*found, squeeze.flush()))


def bombs() -> None:
    """Make what takes long to make."""
    for size in (40 << 26, 1 << 31):
        _zeros(size)


def _with_bomb(data: bytes) -> bytes:
    """The archive with images of 2.5 GiB that are really there, compressed to 2.5 MB."""
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 8192, 8192), }".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode()
    stream = struct.pack("<BHH", 0, len(start), len(start) ^ 0xFFFF) + start + _zeros(40 << 26)
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        labels = old.read(next(name for name in old.namelist() if "y_train" in name.lower()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("y_train.npy", labels)
    body = out.getvalue()
    directory = body.rindex(b"PK\x01\x02")
    name, size = b"x_train.npy", len(start) + (40 << 26)
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(stream), size, len(name), 0)
    local = b"PK\x03\x04" + fields + name + stream
    entry = (
        b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, directory) + name
    )
    listed = body[directory : body.rindex(b"PK\x05\x06")] + entry
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(listed), directory + len(local), 0)
    return body[:directory] + local + listed + end


def idx(rng: random.Random, folder: Path) -> Command:
    """--data FOLDER of IDX files, gzipped or not, of sizes that lie, or true gigabytes."""
    n = rng.choice((20, 20, 0, 1))
    images = struct.pack(">BBBBIII", 0, 0, 8, 3, n, 6, 6) + rng.randbytes(36 * n)
    labels = struct.pack(">BBBBI", 0, 0, 8, 1, n) + bytes(i % 2 for i in range(n))
    files = {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
    name = rng.choice(sorted(files))
    files[name] = damaged_head(rng, files[name], 16) if rng.random() < 0.6 else damaged(rng, files[name])
    for name, content in files.items():
        if rng.random() < 0.2:
            packed = gzip.compress(content, 1, mtime=0)
            packed = damaged(rng, packed) if rng.random() < 0.5 else packed
            (folder / f"{name}.gz").write_bytes(packed)
        elif name.startswith("train-images") and rng.random() < 0.03:
            tail = struct.pack("<II", 0, (1 << 31) & 0xFFFFFFFF)
            (folder / f"{name}.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + _zeros(1 << 31) + tail)
        elif rng.random() < 0.97:
            (folder / name).write_bytes(content)
    return reading(rng, rng.choice((folder, folder / "train-images-idx3-ubyte")))
