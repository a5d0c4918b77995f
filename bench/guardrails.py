"""Guardrails on clean sets, on 50,000 pictures against the clock, and how near copies and neighbours are.

python bench/guardrails.py [OUT.json]     # figures of docs/data.md, "Guardrails"

Clean sets: scikit-learn's digits; of ../shared/data (or $EDGEML_SHARED), where they are, Fashion-MNIST,
CIFAR-10, Magic Wand and FSDD. For pictures, copies of 300 of them are made: saved as JPEG, brightened, made
smaller and large again. `found` is the share of copies nearer than the limit, `limit` a fifth of the median
distance to the nearest other picture.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgeml.data.guardrails.guardrails import check, severities
from edgeml.data.guardrails.near import limit_of, nearest_distances, thumbnails
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, Split

DATA = Path(os.environ.get("EDGEML_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
COPIES = 300


def main(out: str | None = None) -> None:
    """Check every set, print a table and JSON."""
    rows = [measured(name, source) for name, source in sets()]
    head = f"{'set':<16}{'samples':>9}{'seconds':>9}{'errors':>8}{'warnings':>10}{'notes':>7}  codes"
    print(head, *(line(row) for row in rows), sep="\n")
    copies = [near(name, source) for name, source in sets() if source.parts["train"].inputs.shape[2] > 1]
    print(f"\n{'set':<16}{'limit':>7}{'nearest 0.1 %':>15}  share of copies found")
    for row in copies:
        found = ", ".join(f"{how} {100 * share:.0f} %" for how, share in row["found"].items())
        print(f"{row['set']:<16}{row['limit']:>7.3f}{row['nearest_0.1%']:>15.3f}  {found}")
    text = json.dumps({"cpus": os.cpu_count(), "checked": rows, "near": copies}, indent=1)
    print(text)
    if out:
        Path(out).write_text(text + "\n", encoding="utf-8")


def sets() -> Iterator[tuple[str, Source]]:
    """Clean data sets, those that are on this machine."""
    yield "digits", read_source("digits", ReadOptions())
    for name, file in (("fashion_mnist", "fashion_mnist.npz"), ("magic_wand_imu", "magic_wand_imu.npz")):
        if (DATA / name / file).exists():
            yield name, read_source(str(DATA / name / file), ReadOptions())
        else:
            print(f"{name}: not in {DATA}, skipped", file=sys.stderr)
    yield from cifar10()
    yield from fsdd()


def cifar10() -> Iterator[tuple[str, Source]]:
    """Its 50,000 training pictures, as they are split by edgeml; decoded from the JPEGs of ../shared."""
    file = DATA / "cifar10" / "cifar10_jpeg.npz"
    if not file.exists():
        print(f"cifar10: not in {DATA}, skipped", file=sys.stderr)
        return
    with np.load(file) as found:
        blob, offsets = found["train_jpeg"].tobytes(), found["train_offsets"]
        labels, names = found["train_y"].astype(np.int64), tuple(str(n) for n in found["class_names"])
    images = np.stack(
        [np.asarray(Image.open(io.BytesIO(blob[start:stop]))) for start, stop in pairwise(offsets)]
    )
    yield "cifar10", Source("cifar10", "npz", "cifar10", names, {"train": Split(images, labels)})


def fsdd() -> Iterator[tuple[str, Source]]:
    """Spoken digits as waveforms of one length, as the audio reader gives them."""
    file = DATA / "fsdd" / "fsdd_8k.npz"
    if not file.exists():
        print(f"fsdd: not in {DATA}, skipped", file=sys.stderr)
        return
    with np.load(file) as found:
        audio, offsets, labels = found["audio"], found["offsets"], found["y"].astype(np.int64)
    waves = np.zeros((len(labels), 8000, 1, 1), np.int16)
    for index, (start, stop) in enumerate(pairwise(offsets)):
        sound = audio[start:stop][:8000]
        waves[index, : len(sound), 0, 0] = sound
    about = {"kind": "audio", "rate_hz": 8000}
    parts = {"train": Split(waves, labels)}
    yield "fsdd", Source("fsdd", "audio", "fsdd", tuple("0123456789"), parts, preprocessing=about)


def measured(name: str, source: Source) -> dict[str, Any]:
    """Time and findings of one set."""
    began = time.monotonic()
    findings = check(source)
    return {
        "set": name,
        "samples": sum(len(part) for part in source.parts.values()),
        "seconds": round(time.monotonic() - began, 2),
        **severities(findings),
        "findings": {finding.code: finding.count for finding in findings},
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    codes = ", ".join(f"{code} {count}" for code, count in row["findings"].items())
    return (
        f"{row['set']:<16}{row['samples']:>9,}{row['seconds']:>9.2f}{row['error']:>8}{row['warning']:>10}"
        f"{row['note']:>7}  {codes}"
    )


def near(name: str, source: Source) -> dict[str, Any]:
    """How near copies are, and the nearest pictures of a clean set."""
    images = source.parts["train"].inputs[:30_000]
    rows, _ = thumbnails(images, np.arange(len(images)))
    nearest = nearest_distances(rows, np.arange(len(rows)))
    limit = limit_of(nearest)
    picked = np.random.default_rng(0).choice(len(images), COPIES, replace=False)
    found = {}
    for how, copy in HOW.items():
        again = np.stack([copy(images[index]) for index in picked])
        distance = np.linalg.norm(thumbnails(again, np.arange(COPIES))[0] - rows[picked], axis=1)
        found[how] = round(float((distance < limit).mean()), 3)
    return {
        "set": name,
        "limit": round(limit, 4),
        "nearest_0.1%": round(float(np.quantile(nearest, 0.001)), 4),
        "found": found,
    }


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _jpeg(quality: int) -> Any:
    def copy(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        _picture(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file)).reshape(image.shape)

    return copy


def _resized(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    small = _picture(image).resize((3 * width // 4, 3 * height // 4), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).reshape(image.shape)


HOW = {
    "JPEG 80": _jpeg(80),
    "JPEG 50": _jpeg(50),
    "brightness": lambda image: np.clip(image * 0.85 + 12, 0, 255).astype(np.uint8),
    "3/4 size": _resized,
}

if __name__ == "__main__":
    main(*sys.argv[1:2])
