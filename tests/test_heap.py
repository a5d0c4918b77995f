"""Memory of freed arrays goes back to the system, also where small objects lie between them."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

GROW = """
import sys
import numpy as np
import psutil
from edgeml.cli.heap import return_large_blocks

if sys.argv[1] == "asked":
    assert return_large_blocks()
np.ones(3 << 20)  # 24 MB, freed at once: glibc's own threshold is above the arrays that follow
held = []
before = psutil.Process().memory_info().rss
for _ in range(60):
    large = np.ones(1 << 17)  # 1 MiB
    held.append((large, np.ones(4000)))  # 32 kB
held = [small for _, small in held]
del large
print(psutil.Process().memory_info().rss - before)
"""


def grown(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", GROW, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed blocks like that")
def test_freed_arrays_go_back_to_the_system() -> None:
    assert grown("asked") < 10e6 < 50e6 < grown("left alone")
