"""TfliteModel -> what the Edge TPU estimators look at: the mapped layers, and what stays on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgeml.deploy.tflite import Operator, Tensor, TfliteModel
from edgeml.target.coral.host import HostWork, host_work
from edgeml.target.rules import OpVerdict

KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "dense",
    "TRANSPOSE_CONV": "upconv",
    "RESHAPE": "move",
    "SQUEEZE": "move",
    "EXPAND_DIMS": "move",
}
"""Operators that are not listed are "pass": they read and write tensors and have no weights."""


@dataclass(frozen=True)
class MappedLayer:
    """One operator on the Edge TPU.

    Attributes:
        op: operator name.
        kind: "conv", "depthwise", "dense", "upconv", "move" or "pass".
        height, width: of the output; 1 for vectors.
        taps: kernel height times width.
        inputs, outputs: channels that the layer with weights reads and writes.
        traffic_bytes: computed tensors in and out.
        per_channel: its weights have a scale a channel.
        macs: multiply-accumulates.
    """

    op: str
    kind: str
    height: int
    width: int
    taps: int
    inputs: int
    outputs: int
    traffic_bytes: int
    per_channel: bool
    macs: int


@dataclass(frozen=True)
class Workload:
    """A model as the Edge TPU runs it.

    Attributes:
        layers: mapped operators in execution order.
        input_bytes, output_bytes: what crosses the link to and from the mapped part, each inference.
        output_vectors: rows times columns of what crosses back: the runtime copies them one by one out
            of the chip's layout (libedgetpu, executable_layers_info).
        host: what is left on the host.
    """

    layers: tuple[MappedLayer, ...]
    input_bytes: int
    output_bytes: int
    output_vectors: int
    host: HostWork


def workload(model: TfliteModel, verdicts: Sequence[OpVerdict]) -> Workload:
    """Plain model and what becomes of its operators -> Workload."""
    tensors = model.tensors
    mapped = [op for op, verdict in zip(model.operators, verdicts, strict=True) if verdict.mapped]
    host = [op for op, verdict in zip(model.operators, verdicts, strict=True) if not verdict.mapped]
    made = {index for op in mapped for index in op.outputs}
    read = {index for op in mapped for index in op.inputs if index >= 0} - made
    needed = {index for op in host for index in op.inputs} | set(model.outputs)
    back = [tensors[index] for index in made & needed]
    return Workload(
        layers=tuple(_layer(op, tensors) for op in mapped),
        input_bytes=sum(tensors[index].nbytes for index in read if not tensors[index].is_constant),
        output_bytes=sum(tensor.nbytes for tensor in back),
        output_vectors=sum(prod(tensor.shape[:-1]) for tensor in back),
        host=host_work(host, tensors),
    )


def _traffic(op: Operator, tensors: Sequence[Tensor]) -> int:
    """Bytes of computed tensors read and written."""
    inputs = (tensors[index] for index in op.inputs if index >= 0)
    read = sum(tensor.nbytes for tensor in inputs if not tensor.is_constant)
    return read + sum(tensors[index].nbytes for index in op.outputs)


def _layer(op: Operator, tensors: Sequence[Tensor]) -> MappedLayer:
    output = tensors[op.outputs[0]].shape if op.outputs else ()
    height, width = output[1:3] if len(output) == 4 else (1, 1)
    kind = KINDS.get(op.name, "pass")
    weighted = kind not in ("move", "pass") and len(op.inputs) > 1 and op.inputs[1] >= 0
    kernel = tensors[op.inputs[1]] if weighted else None
    taps, inputs, outputs = _kernel(kind, kernel.shape if kernel else ())
    scales = kernel.quantization.scales if kernel and kernel.quantization else ()
    traffic = _traffic(op, tensors)
    return MappedLayer(op.name, kind, height, width, taps, inputs, outputs, traffic, len(scales) > 1, op.macs)


def _kernel(kind: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(taps, input channels, output channels); kernels are (out, k, k, in), (1, k, k, out) or (out, in)."""
    if len(shape) == 4:
        taps = prod(shape[1:3])
        if kind == "depthwise":
            return taps, 1, shape[3]
        return taps, shape[3], shape[0]
    return (1, shape[1], shape[0]) if len(shape) == 2 else (1, 0, 0)
