"""Values -> HTML and JSON in which whatever a user named stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any, TypeAlias


class Markup(str):
    """Text that is HTML already; `tag` escapes every other string."""

    __slots__ = ()


Child: TypeAlias = str | int | float | Iterable["Child"] | None


def join(children: Child) -> Markup:
    """Children -> one piece of HTML; plain strings and numbers are escaped, None is nothing."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int | float):
        return Markup(escape(str(children)))
    return Markup("".join(map(join, children)))


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. `class_` is class, `aria_label` is aria-label; attributes that are None are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*)")


def with_options(sentence: str) -> list[Child]:
    """A sentence -> its parts, options of the command line as code: no line of a page ends within one."""
    parts = OPTION.split(sentence)
    return [tag("code", part, class_="option") if at % 2 else part for at, part in enumerate(parts)]


def script_json(value: Any) -> str:
    """JSON that may stand between script tags: no character of it can end the script or begin a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
