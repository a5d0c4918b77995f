"""How readings or rows become the network's uint8 input -> preprocess.h (C99) and preprocess.py (numpy).

Both hold the numbers of `Dataset.preprocessing`, and give the bytes of edgeml/data/sensors/ranges.py and
edgeml/data/tables/features.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgeml.data.tables.delimited import MISSING
from edgeml.data.tables.features import width
from edgeml.export.fill import filled, template
from edgeml.export.literals import c_float, rows

KINDS = ("sensor", "table")

Settings = Mapping[str, Any]


def preprocess_files(settings: Settings) -> dict[str, bytes]:
    """`Dataset.preprocessing` -> preprocess.h and preprocess.py; nothing for images and audio."""
    kind = settings.get("kind")
    if kind not in KINDS:
        return {}
    values = _sensor(settings) if kind == "sensor" else _table(settings)
    # ASCII, and no quotes that would end the text that holds it
    text = json.dumps(dict(settings), indent=1)
    missing = json.dumps(sorted(MISSING)).replace("[", "{").replace("]", "}")
    read = {"settings": text, "missing": missing, "rows": template("csv_rows.py").rstrip("\n")}
    return {
        "preprocess.h": filled(f"preprocess_{kind}.h", values).encode("ascii"),
        "preprocess.py": filled(f"preprocess_{kind}.py", read).encode("ascii"),
    }


def _sensor(settings: Settings) -> dict[str, str]:
    rate = settings["rate_hz"]
    return {
        "rate": f", {rate:g} samples a second" if rate else "",
        "channels": _listed(settings["channels"]),
        "samples": str(settings["window"]),
        "count": str(len(settings["channels"])),
        "scale": _rows([c_float(value) for value in settings["scale"]]),
        "offset": _rows([c_float(value) for value in settings["offset"]]),
    }


def _table(settings: Settings) -> dict[str, str]:
    columns = settings["columns"]
    numbers = [column for column in columns if column["kind"] == "number"]
    points = [c_float(p) for column in numbers for p in column["points"][:-1]]
    return {
        "columns": _listed([column["name"] for column in columns]),
        "count": str(len(columns)),
        "features": str(sum(width(column) for column in columns)),
        "names": "\n".join(_names(columns)),
        "pieces": _rows([str(len(column.get("scale", ()))) for column in columns]),
        "categories": _rows([str(len(column.get("categories", ()))) for column in columns]),
        "extra": _rows([str(int(column.get("missing", column.get("other", False)))) for column in columns]),
        "fill": _rows([c_float(column.get("fill", 0.0)) for column in columns]),
        "point": _rows(points or ["0.0f"]),
        "scale": _rows([c_float(s) for column in numbers for s in column["scale"]] or ["1.0f"]),
        "level": _rows([str(v) for column in numbers for v in column["level"][:-1]] or ["0"]),
    }


def _names(columns: Sequence[Settings]) -> list[str]:
    """#define lines: the place of each column, and the number of each category."""
    used: set[str] = set()
    lines = []
    for index, column in enumerate(columns):
        own = _identifier(f"COLUMN_{column['name']}", used)
        lines.append(f"#define PREPROCESS_{own} {index}")
        for number, value in enumerate(column.get("categories", ())):
            name = _identifier(f"{column['name']}_IS_{value}", used)
            lines.append(f"#define PREPROCESS_{name} {number} /* {_comment(value)} */")
    return lines


def _identifier(text: str, used: set[str]) -> str:
    bare = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")[:50]
    found, number = bare, 2
    while found in used:
        found, number = f"{bare}_{number}", number + 1
    used.add(found)
    return found


def _comment(text: str) -> str:
    """One line of ASCII that cannot end a comment."""
    return ascii(text)[1:-1].replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /")[:80]


def _listed(names: Sequence[str]) -> str:
    return "\n".join(f" *   {index}: {_comment(name)}" for index, name in enumerate(names))


def _rows(values: Sequence[str]) -> str:
    return rows(values, 6)
