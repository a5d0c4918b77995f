"""An audio front end -> C99 and Python that give the bytes the network was trained on, of the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pprint import pformat
from typing import Any

from edgeml.data.audio.clips import CROPPED_UP_TO, LONGEST_S
from edgeml.data.audio.front_end import FrontEnd
from edgeml.export.fill import filled
from edgeml.export.literals import rows

A_ROW = 12
_IMPORTS = "from __future__ import annotations\n\nimport math\nimport sys\nimport wave\n"
_LEVEL = "(level * {gain} + (1 << 10)) >> 11"
_DCT_TABLE = """\
static const int32_t dct[FRONT_END_BINS * MELS] = {{ /* Q24 a step */
{rows}
}};
static const int16_t bias[FRONT_END_BINS] = {{
{bias}
}};
"""
_DCT = """\
    for (row = 0; row < FRONT_END_BINS; row++) {
        int64_t sum = 0;
        for (k = 0; k < MELS; k++)
            sum += (int64_t)dct[row * MELS + k] * levels[k];
        features[row] = byte(((sum + (1 << 23)) >> 24) + bias[row]);
    }
"""


def audio_files(front: str, preprocessing: Mapping[str, Any]) -> dict[str, bytes]:
    """A network's front end ("" for none) and `Dataset.preprocessing` -> the files beside its models."""
    if not front:
        return {}
    return front_end_files(front, int(preprocessing["samples"]), int(preprocessing["rate_hz"]))


def front_end_files(front: str, samples: int, rate_hz: int) -> dict[str, bytes]:
    """Name of a front end, samples of a clip and their rate -> front_end.c, .h, .py and front_end_main.c.

    Raises:
        ConfigError: no such front end, or the clip is shorter than a frame.
    """
    made = FrontEnd.parse(front)
    frames = made.shape(samples, rate_hz)[0]
    tables = made.tables(rate_hz)
    values = {**_c_values(front, tables), "samples": str(samples), "frames": str(frames)}
    values["longest"] = str(max(CROPPED_UP_TO * samples, int(LONGEST_S * rate_hz)))
    return {
        "front_end.c": filled("front_end.c", values).encode("ascii"),
        "front_end.h": filled("front_end.h", values).encode("ascii"),
        "front_end_main.c": filled("front_end_main.c", values).encode("ascii"),
        "front_end.py": _python(front, samples, frames, tables).encode("ascii"),
    }


def _c_values(front: str, tables: Mapping[str, Any]) -> dict[str, str]:
    mels, cepstral = len(tables["mel_start"]), bool(tables["dct"])
    half = tables["fft"] // 2
    words = half * 2 + 33 + len(tables["dct"])
    shorts = tables["window"] + 2 * mels + len(tables["mel_weights"]) + len(tables["bias"])
    listed = ("hann", "cos", "sin", "mel_start", "mel_count", "mel_weights", "log2")
    scaled = _LEVEL.format(gain=tables["gain"])
    return {
        **{name: rows(tables[name], A_ROW) for name in listed},
        **{name: str(tables[name]) for name in ("rate_hz", "window", "hop", "bins", "floor")},
        "name": front,
        "half": str(half),
        "mels": str(mels),
        "weights": str(len(tables["mel_weights"])),
        "ram": str(8 * (half + 1)),
        "flash": str(4 * words + 2 * shorts),
        "last": "DCT (Q24) to uint8" if cepstral else "scaled to uint8",
        "dct_table": _DCT_TABLE.format(rows=rows(tables["dct"], A_ROW), bias=rows(tables["bias"], A_ROW))
        if cepstral
        else "",
        "declare": "    int32_t levels[MELS];\n" if cepstral else "",
        "store": "        levels[row] = level;" if cepstral else f"        features[row] = byte({scaled});",
        "finish": _DCT if cepstral else "",
    }


def _python(front: str, samples: int, frames: int, tables: Mapping[str, Any]) -> str:
    """The steps of edgeml/data/audio/front_steps.py themselves, the tables, and a reader of WAV files."""
    steps = (files("edgeml.data.audio") / "front_steps.py").read_text(encoding="ascii")
    steps = steps.replace("from __future__ import annotations\n\n", _IMPORTS, 1)
    values = {
        "name": front,
        "samples": str(samples),
        "frames": str(frames),
        "cropped": str(CROPPED_UP_TO),
        "longest_s": f"{LONGEST_S:g}",
        "tables": pformat(dict(tables), width=110, compact=True, sort_dicts=False),
        **{name: str(tables[name]) for name in ("rate_hz", "bins")},
    }
    return steps.rstrip() + "\n" + filled("front_end_read.py", values)
