"""Operators left on the host processor -> what they cost on a reference processor.

An Edge TPU model ends on the host where it does not map: resizing and argmax of a segmentation, decoding
of a detector. What those cost is read off a processor we have (bench/coral_host_ops.py); a fitted factor a
device (`host_factor` of its profile) says how much slower its host is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeml.deploy.tflite import Operator, Tensor

NS_PER_VALUE = {
    "RESIZE_BILINEAR": 1.5,
    "ARG_MAX": 1.0,
    "ADD": 2.0,
    "MUL": 2.0,
    "SUB": 2.0,
    "QUANTIZE": 0.2,
    "DEQUANTIZE": 0.2,
}
"""Nanoseconds a value (of the inputs or the outputs, whichever are more) on one core of an AMD EPYC with
LiteRT 2.3 and no delegate: bench/coral_host_ops.py prints them. Other operators: OTHER_NS."""
OTHER_NS = 0.1
NS_PER_MAC = 0.053
"""Of a convolution or dense layer, same source."""


@dataclass(frozen=True)
class HostWork:
    """What is left on the host.

    Attributes:
        operators: how many.
        reference_ms: milliseconds of the builtin ones on the reference processor.
        custom_values: values that the custom ones read.
    """

    operators: int
    reference_ms: float
    custom_values: int


def host_work(left: Iterable[Operator], tensors: Sequence[Tensor]) -> HostWork:
    """Operators left on the host -> HostWork."""
    count = custom = 0
    nanoseconds = 0.0
    for op in left:
        count += 1
        values = _values(op, tensors)
        if op.name == "CUSTOM":
            custom += values
        elif op.macs:
            nanoseconds += NS_PER_MAC * op.macs
        else:
            nanoseconds += NS_PER_VALUE.get(op.name, OTHER_NS) * values
    return HostWork(count, nanoseconds / 1e6, custom)


def _values(op: Operator, tensors: Sequence[Tensor]) -> int:
    """Computed values read or written, whichever are more."""
    inputs = (tensors[index] for index in op.inputs if index >= 0)
    read = sum(tensor.elements for tensor in inputs if not tensor.is_constant)
    return max(read, sum(tensors[index].elements for index in op.outputs))
