"""The Python interface: `run = edgeml.search(data=..., target=...)`, `run.front`."""

from edgeml.api.data import inspect
from edgeml.api.devices import calibrate, check, measure
from edgeml.api.exports import export, rebuild
from edgeml.api.runs import Run, search
from edgeml.arch.own_ops import register_op

__all__ = ["Run", "calibrate", "check", "export", "inspect", "measure", "rebuild", "register_op", "search"]
