"""A stored sample (search/finishing/picture.py) -> HTML: an inline PNG, lines as SVG, or values by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgeml.report.markup import Markup, tag
from edgeml.report.plots import MAX_SERIES

WIDTH, HEIGHT = 150, 90
BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")


def drawn(one: Mapping[str, Any]) -> Markup | None:
    """The picture; None where it has a form that this edgeml does not know."""
    form = one.get("form")
    if form in ("image", "sound"):
        return _image(str(one.get("png")), form)
    if form == "lines":
        return _lines(one)
    if form == "values":
        return _values(one)
    return None


def _image(png: str, form: str) -> Markup | None:
    if not BASE64.fullmatch(png):
        return None
    words = "the sample" if form == "image" else "its spectrogram, time to the right, low notes at the bottom"
    return Markup(
        f'<img class="{form}" alt="{words}" width="96" height="96" src="data:image/png;base64,{png}">'
    )


def _lines(one: Mapping[str, Any]) -> Markup:
    lines: Sequence[Sequence[int]] = one.get("lines") or ()
    names = [str(name) for name in one.get("names") or ()]
    curves = [
        tag("polyline", points=_points(line), style=f"stroke:var(--series{i % MAX_SERIES})")
        for i, line in enumerate(lines)
    ]
    seconds = one.get("seconds")
    said = f"{', '.join(names)}{f', {seconds:.3g} s' if seconds else ''}"
    return tag("svg", tag("title", said), curves, class_="lines", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")


def _points(line: Sequence[int]) -> str:
    step = WIDTH / max(1, len(line) - 1)
    return " ".join(f"{i * step:.1f},{HEIGHT - HEIGHT * value / 255:.1f}" for i, value in enumerate(line))


def _values(one: Mapping[str, Any]) -> Markup:
    values: Mapping[str, Any] = one.get("values") or {}
    rows = [tag("tr", tag("th", str(name), scope="row"), tag("td", str(v))) for name, v in values.items()]
    rest = one.get("left_out")
    more = tag("small", f"and {rest} more") if rest else None
    return tag("div", tag("table", tag("tbody", rows)), more, class_="values")
