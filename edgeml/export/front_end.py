"""An audio front end -> C99 and Python that give the bytes the network was trained on, of the same tables."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pprint import pformat
from typing import Any

from edgeml.data.audio import clips
from edgeml.data.audio.front_end import FrontEnd
from edgeml.export.fill import filled
from edgeml.export.literals import rows

A_ROW = 12
STEPS = ("front_steps", "wave_steps")
_IMPORTS = (ast.Import, ast.ImportFrom)
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
    samples, rate_hz = int(preprocessing["samples"]), int(preprocessing["rate_hz"])
    return front_end_files(front, samples, rate_hz, preprocessing.get("crop_below"))


def front_end_files(
    front: str, samples: int, rate_hz: int, crop_below: int | None = None
) -> dict[str, bytes]:
    """Name of a front end, samples of a clip and their rate -> front_end.c, .h, .py and front_end_main.c.

    Args:
        front: the name.
        samples: of a clip.
        rate_hz: their rate.
        crop_below: samples from which a recording is cut into clips, not cropped to one; None for short ones.

    Raises:
        ConfigError: no such front end, or the clip is shorter than a frame.
    """
    made = FrontEnd.parse(front)
    frames = made.shape(samples, rate_hz)[0]
    tables = made.tables(rate_hz)
    limit = crop_below or clips.crop_below(samples / rate_hz, False, rate_hz)
    values = {
        **_c_values(front, tables),
        "samples": str(samples),
        "frames": str(frames),
        "crop_below": str(limit),
    }
    return {
        "front_end.c": filled("front_end.c", values).encode("ascii"),
        "front_end.h": filled("front_end.h", values).encode("ascii"),
        "front_end_main.c": filled("front_end_main.c", values).encode("ascii"),
        "front_end.py": _python(front, values, tables).encode("ascii"),
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


def _python(front: str, values: Mapping[str, str], tables: Mapping[str, Any]) -> str:
    """The steps of training itself (front_steps.py, wave_steps.py), the tables, and what joins them."""
    listed = pformat(dict(tables), width=110, compact=True, sort_dicts=False)
    steps = [(files("edgeml.data.audio") / f"{name}.py").read_text("ascii") for name in STEPS]
    return _one_module([*steps, filled("front_end_read.py", {**values, "name": front, "tables": listed})])


def _one_module(sources: Sequence[str]) -> str:
    """Modules that do not import each other -> one: the first's docstring, all imports, then the rest."""
    trees = [ast.parse(source) for source in sources]
    docstring = ast.get_docstring(trees[0], clean=False)
    bodies = []
    for source, tree in zip(sources, trees, strict=True):
        head = max(node.end_lineno or 0 for node in tree.body if isinstance(node, _IMPORTS))
        bodies.append("\n".join(source.splitlines()[head:]).strip())
    rest = "\n\n\n".join(bodies)
    return f'"""{docstring}"""\n\n{_imports(trees)}\n\n{rest}\n'


def _imports(trees: Sequence[ast.Module]) -> str:
    """What modules import, each name once, in three sections: the future, Python's own, NumPy's."""
    found: dict[str, set[str]] = {}
    for node in (node for tree in trees for node in tree.body if isinstance(node, _IMPORTS)):
        for name in map(ast.unparse, node.names):
            if isinstance(node, ast.ImportFrom):
                found.setdefault(f"from {node.module} import ", set()).add(name)
            else:
                found[f"import {name}"] = set()
    sections: list[list[str]] = [[], [], []]
    for start in sorted(found, key=lambda start: (start.startswith("from"), start)):
        module = start.split()[1].partition(".")[0]
        sections[0 if module == "__future__" else 2 if module == "numpy" else 1].append(
            start + ", ".join(sorted(found[start]))
        )
    return "\n\n".join("\n".join(section) for section in sections)
