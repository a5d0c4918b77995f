"""What an export says without durations: they differ each time, and stay in the run.

So the same candidate gives the same folder, byte for byte, and a --deterministic search the same export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DURATIONS = frozenset(
    ("time_s", "finished_at_s", "at_s", "train_s", "besides_s", "cpu_s", "compress_s", "seconds")
)
"""Of candidate.json and of proofs: what took how long, and when it was done."""


def undated(value: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON values without durations, at any depth."""
    return {name: _plain(found) for name, found in value.items() if name not in DURATIONS}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return undated(value)
    return [_plain(one) for one in value] if isinstance(value, list) else value
