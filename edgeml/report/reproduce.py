"""run.json -> the command that starts the same search again."""

from __future__ import annotations

import shlex
from typing import Any

from edgeml.report.run_files import RunFiles

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
    "image_size": "--image-size",
}
"""Option of `edgeml search` by the setting it gives."""

SWITCHES = {("inherit", False): "--no-inherit", ("strict", True): "--strict"}
"""Switch of `edgeml search` by the setting and the value that it stands for."""


def command(run: RunFiles) -> str:
    """RunFiles -> one line for a POSIX shell, every value quoted where it must be."""
    return " ".join(parts(run))


def parts(run: RunFiles) -> list[str]:
    """The command, then every option with its value, each quoted for a POSIX shell."""
    settings = dict(run.run.get("settings") or {})
    if not settings.get("time_s"):
        settings.pop("time_s", None)  # 0 is no limit, which the option does not say
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
