"""The report's script: Vega, Vega-Lite, Vega-Embed and the page's own lines, bundled once a computer.

Bundling takes 3 s of the processor (Xeon, 2.5 GHz), reading it again .01. What it makes is kept under
$XDG_CACHE_HOME/edgeml/report/KEY.js; KEY is a hash of the versions and of the page's own lines, and the first
line of the file is the hash of the rest, so that a damaged one is made anew.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from edgeml.data.scratch import cache_folder
from edgeml.durable import whole
from edgeml.report.style import DRAW

KEPT = 4
"""Bundles that stay: of some versions of edgeml that a user has side by side."""


@cache
def bundle() -> str:
    """The script, fit to stand inside a page."""
    import altair
    import vl_convert

    vega_lite = ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    about = repr((version("vl-convert-python"), vega_lite, DRAW))
    kept = cache_folder("report") / f"{_hash(about)[:32]}.js"
    script = _read(kept)
    if script is None:
        script = vl_convert.javascript_bundle(DRAW, vl_version=vega_lite)
        script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
        _keep(kept, script)
    return script


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(kept: Path) -> str | None:
    with suppress(OSError, ValueError):
        digest, _, script = kept.read_bytes().decode().partition("\n")
        if digest == _hash(script):
            return script
    return None


def _keep(kept: Path, script: str) -> None:
    """A report without a cache is only slower, so what cannot be written is not."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole(kept) as staging:
            staging.write_bytes(f"{_hash(script)}\n{script}".encode())
        by_age = sorted(kept.parent.glob("*.js"), key=lambda file: file.stat().st_mtime)
        for old in by_age[:-KEPT]:
            old.unlink()
