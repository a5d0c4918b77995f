"""Numbers and names -> C text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

C_TYPES = {"int8": "int8_t", "int32": "int32_t"}


def identifier(name: str) -> str:
    """Any text -> a prefix for C names: ASCII letters, digits and "_", starting with a letter."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40]
    return cleaned if cleaned and not cleaned[0].isdigit() else f"model_{cleaned}".rstrip("_")


def array(name: str, values: NDArray[Any]) -> str:
    """Integers -> the definition of a constant array, aligned to words."""
    kind = C_TYPES[values.dtype.name]
    body = _lines(values.reshape(-1).tolist())
    return f"static const {kind} {name}[{values.size}] EDGEML_ALIGNED = {{\n{body}\n}};\n"


def _lines(numbers: list[int]) -> str:
    lines, line = [], ""
    for number in map(str, numbers):
        if len(line) + len(number) > 114:
            lines.append(line)
            line = ""
        line += number + ","
    return "\n".join([*lines, line])


def channels(name: str, rows: Iterable[tuple[int, int, int]]) -> str:
    """(bias, multiplier, shift) of every channel -> the definition of a table of struct channel."""
    body = "\n".join(f"{{{bias}, {multiplier}, {shift}}}," for bias, multiplier, shift in rows)
    return f"static const struct channel {name}[] = {{\n{body}\n}};\n"


def struct(kind: str, name: str, fields: Mapping[str, int | str]) -> str:
    """Fields -> the definition of a constant struct, by field name."""
    body = ", ".join(f".{field} = {value}" for field, value in fields.items())
    wrapped = "\n".join(textwrap.wrap(body, 112, initial_indent="    ", subsequent_indent="    "))
    return f"static const struct {kind} {name} = {{\n{wrapped}\n}};\n"
