"""edgeml: from a folder of data and a device to Pareto-optimal int8 models.

The public interface is what `__all__` names. Importing it loads nothing heavy.
"""

import edgeml.search  # noqa: F401  (the room; loaded first, so that the name below stays the function)
from edgeml.api import Run, calibrate, check, inspect, measure, rebuild, register_op, search
from edgeml.errors import EdgemlError

__all__ = [
    "EdgemlError",
    "Run",
    "calibrate",
    "check",
    "inspect",
    "measure",
    "rebuild",
    "register_op",
    "search",
]
