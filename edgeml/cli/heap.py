"""How this process's C library keeps memory that was freed."""

from __future__ import annotations

import ctypes

LARGE = 256 * 1024
"""Bytes from which a block of memory goes back to the system when it is freed."""
M_MMAP_THRESHOLD = -3  # malloc.h of glibc


def return_large_blocks() -> bool:
    """Have glibc give large blocks back once they are freed; says whether it does.

    Left alone it raises its threshold to the largest block that was ever freed, up to 32 MiB, and the arrays
    of a surrogate, each a little larger than the last, then lie between small objects in a heap that only
    grows: 2,000 trials took 100 MB (bench/endurance.py soak). On other C libraries nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE))
