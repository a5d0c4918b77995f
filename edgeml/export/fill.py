"""Templates of edgeml/export/templates -> text with their places filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files


def filled(name: str, values: Mapping[str, str]) -> str:
    """The template of that name, each {{place}} filled with its value."""
    return fill(template(name), values)


def fill(text: str, values: Mapping[str, str]) -> str:
    """One pass: what is filled in is never looked at for places to fill."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


def template(name: str) -> str:
    """The text of a template as it is."""
    return (files("edgeml.export") / "templates" / f"{name}.in").read_text(encoding="utf-8")
