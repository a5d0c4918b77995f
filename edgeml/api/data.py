"""Data sets: what is in one and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeml.data.inspection import Inspection


def inspect(data: Any, **options: Any) -> Inspection:
    """Check a data set before anything is trained on it; the work of `edgeml data`.

    Args:
        data: as for `search`.
        options: fields of edgeml.data.options.ReadOptions, such as task, label, group and image_size.

    Returns:
        What it holds, and `findings`: faults with severity, count, examples and what edgeml does about each.

    Raises:
        EdgemlError: it cannot be read at all.
    """
    from edgeml.data.given import as_path
    from edgeml.data.inspection import inspect as work
    from edgeml.data.options import ReadOptions

    return work(as_path(data), ReadOptions(**options))
