"""An exception of foreign code -> words for a message."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What it says went wrong; its class where it says nothing, as LiteRT's may."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
