"""What the container that this runs in allows, as Linux's control groups say it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def memory_limit() -> int | None:
    """Bytes that the container may use; None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return int((CGROUP / name).read_text())
    return None


def cpu_quota() -> float | None:
    """Cores that the container's quota allows; None without one."""
    with suppress(OSError, ValueError):
        most, period = (CGROUP / "cpu.max").read_text().split()
        return None if most == "max" else int(most) / int(period)
    with suppress(OSError, ValueError):  # version 1
        folder = CGROUP / "cpu"
        most_us = int((folder / "cpu.cfs_quota_us").read_text())
        return None if most_us <= 0 else most_us / int((folder / "cpu.cfs_period_us").read_text())
    return None


def oom_kills() -> int:
    """Processes of the container that the system has ended for want of memory, as far as it says."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (CGROUP / "memory.events").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return 0
