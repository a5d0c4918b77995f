"""Kinds of input for bench/endurance_fuzz.py: sound, pictures, lists of them, and names of other things."""

from __future__ import annotations

import io
import os
import random
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.fuzz_data import Command, csv_text, reading
from bench.fuzz_mutations import WORDS, as_json, damaged, damaged_head, damaged_text, damaged_value, png


def wav(rng: random.Random, folder: Path) -> Command:
    """--data FOLDER of WAV files in class folders."""
    for kind, hz in (("low", 300), ("high", 1500)):
        (folder / "data" / kind).mkdir(parents=True)
        for index in range(3):
            width = rng.choice((1, 2, 2, 2, 3, 4))
            out = io.BytesIO()
            with wave.open(out, "wb") as file:
                file.setnchannels(rng.choice((1, 1, 2)))
                file.setsampwidth(width)
                file.setframerate(rng.choice((8000, 16000, 44100)))
                samples = (1e4 * np.sin(np.arange(3200) * hz / 2500)).astype("<i4")
                file.writeframes(samples.tobytes()[: 1600 * width * 2])
            data = out.getvalue()
            if rng.random() < 0.5:
                data = damaged_head(rng, data, 44) if rng.random() < 0.7 else damaged(rng, data)
            (folder / "data" / kind / f"{index}.wav").write_bytes(data)
    return reading(rng, folder / "data")


FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "PCX", "TGA", "JPEG2000")


@cache
def _picture(form: str, mode: str, side: int) -> bytes:
    from PIL import Image

    values = np.random.default_rng(side).integers(0, 255, (side, side, 4)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(values, "RGBA").convert(mode).save(out, form)
    return out.getvalue()


def pictures(rng: random.Random, folder: Path) -> Command:
    """--data FOLDER of image files in class folders."""
    for kind in ("cat", "dog"):
        (folder / "data" / kind).mkdir(parents=True)
        for index in range(3):
            form = rng.choice((*FORMATS, "PNG", "JPEG", "PNG"))
            mode = rng.choice(("RGB", "L")) if form != "GIF" else "P"
            data = _picture(form, mode, rng.choice((8, 20)))
            if rng.random() < 0.6:
                head = rng.choice((32, 64, len(data)))
                data = (
                    png(rng, data) if form == "PNG" and rng.random() < 0.7 else damaged_head(rng, data, head)
                )
                data = damaged(rng, data) if rng.random() < 0.2 else data
            ending = rng.choice((form.lower(), form.lower(), "png", "jpg")).replace("jpeg2000", "jp2")
            (folder / "data" / kind / f"{index}.{ending}").write_bytes(data)
    size = rng.choice(([], [], ["--image-size", "16"]))
    return reading(rng, folder / "data", *size)


def manifest(rng: random.Random, folder: Path) -> Command:
    """--data LIST.csv or LIST.jsonl of image files."""
    rows: list[dict[str, Any]] = []
    for index in range(8):
        (folder / f"{index}.png").write_bytes(_picture("PNG", "L", 8))
        rows.append(
            {"path": f"{index}.png", "label": "ab"[index % 2], "split": "train", "group": f"g{index // 2}"}
        )
    if rng.random() < 0.5:
        lines = [as_json(rng, damaged_value(rng, row) if rng.random() < 0.3 else row) for row in rows]
        path, text = folder / "given.jsonl", b"\n".join(line.replace(b"\n", b" ") for line in lines)
    else:
        table = [list(rows[0]), *(list(row.values()) for row in rows)]
        for _ in range(rng.randrange(4)):
            row = rng.choice(table)
            row[rng.randrange(len(row))] = rng.choice((*WORDS, "/etc/passwd", "../../../etc/hosts", "."))
        path = folder / "given.csv"
        text = csv_text(table, rng.choice(",,;\t")).encode("utf-8", "replace")
    path.write_bytes(damaged_text(rng, text.decode("utf-8", "replace")) if rng.random() < 0.3 else text)
    return reading(rng, path)


def places(rng: random.Random, folder: Path) -> Command:
    """--data names of things of another kind: archives, empty and odd names, pipes, links in a circle."""
    way = rng.randrange(10)
    name = rng.choice(
        ("given.zip", "given.npz", "given.csv", "x.parquet", "train-images-idx3-ubyte", "y.jsonl")
    )
    if way == 0:
        os.mkfifo(folder / "data.csv" if rng.random() < 0.5 else folder / name)
    elif way == 1:
        (folder / "data").mkdir()
        (folder / "data" / "a").symlink_to(folder / "data")
    elif way == 2:
        (folder / name).symlink_to(folder / name)
    elif way == 3:
        (folder / name).mkdir()
    elif way == 4:
        return [
            "data",
            rng.choice(
                ("", " ", ".", "..", "/", "\n", "a" * 5000, "x/" * 3000, "/proc/self/mem", "/dev/null")
            ),
        ]
    elif way == 5:
        for kind in (b"\xff\xfe", b"ok\n\x1b[31m"):
            place = os.fsencode(folder) + b"/data/" + kind
            Path(os.fsdecode(place)).mkdir(parents=True)
            for index in range(4):
                name = os.fsdecode(place + b"/" + bytes([0x80 + index]) + b".png")
                Path(name).write_bytes(_picture("PNG", "L", 8))
        return reading(rng, folder / "data")
    else:
        (folder / name).write_bytes(
            rng.choice((b"", rng.randbytes(rng.randrange(600)), b"PK\x03\x04" + bytes(200)))
        )
    made = list(folder.iterdir())
    return reading(rng, made[0])
