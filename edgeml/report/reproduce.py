"""run.json -> the command that starts the same search again."""

from __future__ import annotations

import shlex
from typing import Any

from edgeml.report.run_files import RunFiles
from edgeml.search.finishing.compression import DEFAULT_COMPRESS, DEFAULT_MAX_DROP
from edgeml.search.settings import DEFAULT_FIDELITY, DEFAULT_INHERIT

OPTIONS = {
    "data": "--data",
    "targets": "--target",
    "space": "--space",
    "strategy": "--strategy",
    "trials": "--trials",
    "time_s": "--time",
    "limits": "--limit",
    "seed": "--seed",
    "epochs": "--epochs",
    "fidelity": "--fidelity",
    "inherit": "--inherit",
    "image_size": "--image-size",
    "compress": "--compress",
    "max_drop": "--max-drop",
    "prefer": "--prefer",
    "budget": "--budget",
    "task": "--task",
    "metric": "--metric",
    "label": "--label",
    "group": "--group",
    "window": "--window",
    "stride": "--stride",
}
"""Option of `edgeml search` by the setting it gives."""

UNSAID = {
    "time_s": 0.0,
    "fidelity": DEFAULT_FIDELITY,
    "inherit": DEFAULT_INHERIT,
    "compress": DEFAULT_COMPRESS,
    "max_drop": DEFAULT_MAX_DROP,
    "prefer": "balanced",
    "budget": "standard",
}
"""Settings that the command leaves out where they have these values: the defaults, or no limit."""

SWITCHES = {
    ("curves", False): "--no-curves",
    ("confirm", True): "--confirm",
    ("strict", True): "--strict",
    ("deterministic", True): "--deterministic",
}
"""Switch of `edgeml search` by the setting and the value that it stands for."""


def command(run: RunFiles) -> str:
    """RunFiles -> one line for a POSIX shell, every value quoted where it must be."""
    return " ".join(parts(run))


def parts(run: RunFiles) -> list[str]:
    """The command, then every option with its value, each quoted for a POSIX shell."""
    found = dict(run.run.get("settings") or {})
    settings = {name: value for name, value in found.items() if UNSAID.get(name) != value}
    options = [(option, text) for name, option in OPTIONS.items() for text in _texts(settings.get(name))]
    switches = [switch for (name, value), switch in SWITCHES.items() if settings.get(name) is value]
    out = ("--out", f"{run.name}-again")
    return ["edgeml search", *map(shlex.join, options), *switches, shlex.join(out)]


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return [f"{name}={_text(limit)}" for name, limit in value.items()]
    if isinstance(value, list):
        return [_text(part) for part in value]
    return [_text(value)]


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
