"""This computer in a few words: what a latency that was measured on it depends on."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@cache
def cpu_name() -> str:
    """The processor's model name; "unknown" where the system does not say."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def measured_on() -> dict[str, str]:
    """Processor and system, as conditions; without the computer's name, as reports are handed on."""
    return {"cpu": cpu_name(), "host": platform.platform()}
