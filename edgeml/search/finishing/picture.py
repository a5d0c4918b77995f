"""One uint8 sample -> what a report can show of it without the data: a PNG, lines, or values by name."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import kind_of

LARGEST = 96
"""Side of a stored picture, px; larger samples are made smaller."""
MOST_POINTS = 128
MOST_LINES = 9
MOST_VALUES = 12

Bytes = NDArray[np.uint8]


def picture(sample: Bytes, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """Sample (h, w, c) and how it was made -> a JSON-able picture.

    Returns:
        {"form": "image" or "sound", "png": base64} of a picture or a spectrogram (time to the right, low
        frequencies at the bottom); {"form": "lines", "names", "lines", "seconds", "left_out": number} of a
        sensor window, its values as bytes; {"form": "values", "values": {name: value}, "left_out": number}
        of a row of a table.
    """
    kind = kind_of(preprocessing)
    if kind == "sensor":
        return _lines(sample, preprocessing)
    if kind == "table":
        return _values(sample.reshape(-1), preprocessing)
    if kind == "audio":
        return {"form": "sound", "png": _png(np.ascontiguousarray(sample.transpose(1, 0, 2)[::-1]))}
    return {"form": "image", "png": _png(sample)}


def _png(pixels: Bytes) -> str:
    """Pixels (h, w, c) -> base64 of a PNG; channels beyond three are left out, two become one."""
    from PIL import Image

    shown = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown))
    image.thumbnail((LARGEST, LARGEST))
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def _lines(window: Bytes, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    values = window[:, 0, :MOST_LINES]
    step = -(-len(values) // MOST_POINTS)
    names = [str(name) for name in preprocessing.get("channels") or ()]
    names += [f"channel {i + 1}" for i in range(len(names), window.shape[2])]
    rate = preprocessing.get("rate_hz")
    return {
        "form": "lines",
        "names": names[: values.shape[1]],
        "lines": [[int(v) for v in line] for line in values[::step].T],
        "seconds": len(window) / rate if rate else None,
        "left_out": max(0, window.shape[2] - MOST_LINES),
    }


def _values(features: Bytes, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes of a row back to values: numbers to the middle of their step."""
    found: dict[str, str] = {}
    place = 0
    for spec in preprocessing.get("columns") or ():
        name = str(spec["name"])
        if spec["kind"] == "number":
            value = float(np.interp(features[place], spec["level"], spec["points"]))
            gone = bool(spec["missing"]) and features[place + 1] > 127
            found[name] = "missing" if gone else f"{value:.4g}"
            place += 1 + bool(spec["missing"])
            continue
        names = [*map(str, spec["categories"]), *(["other"] if spec["other"] else [])]
        hot = [text for text, byte in zip(names, features[place : place + len(names)], strict=True) if byte]
        found[name] = ", ".join(hot) or "missing"
        place += len(names)
    if not found:
        found = {f"feature {i + 1}": str(int(byte)) for i, byte in enumerate(features)}
    shown = dict(list(found.items())[:MOST_VALUES])
    return {"form": "values", "values": shown, "left_out": len(found) - len(shown)}
