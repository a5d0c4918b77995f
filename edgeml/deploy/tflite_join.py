"""Two TFLite models -> one that runs the second on what the first gives; weights stay byte for byte."""

from __future__ import annotations

from typing import Any

from edgeml.deploy.tflite_edit import packed_model, unpacked
from edgeml.errors import ModelError


def joined(first: bytes, second: bytes) -> bytes:
    """The first model's output becomes the second's input: same type and shape; signatures are dropped.

    Raises:
        ModelError: not such models, or one of several subgraphs.
    """
    _, root = unpacked(first)
    _, other = unpacked(second)
    if len(root.subgraphs) != 1 or len(other.subgraphs) != 1:
        raise ModelError("models of several subgraphs cannot be joined; expected one in each.")
    graph, added = root.subgraphs[0], other.subgraphs[0]
    if len(graph.outputs) != 1 or len(added.inputs) != 1:
        raise ModelError("models are joined at one tensor; expected one output and one input.")
    given, taken = graph.tensors[graph.outputs[0]], added.tensors[added.inputs[0]]
    if given.type != taken.type or list(given.shape) != list(taken.shape):
        raise ModelError(
            f"the first model gives {list(given.shape)} and the second takes {list(taken.shape)}; expected "
            "the same shape and type."
        )
    given.quantization = taken.quantization
    place = _places(added, len(graph.tensors), int(added.inputs[0]), int(graph.outputs[0]))
    for tensor in added.tensors:
        tensor.buffer += len(root.buffers)
    for operator in added.operators:
        operator.opcodeIndex += len(root.operatorCodes)
        for name in ("inputs", "outputs", "intermediates"):
            listed = getattr(operator, name)
            if listed is not None:
                setattr(operator, name, [place[int(index)] for index in listed])
    graph.tensors = [*graph.tensors, *added.tensors]
    graph.operators = [*graph.operators, *added.operators]
    graph.outputs = [place[int(index)] for index in added.outputs]
    root.buffers = [*root.buffers, *other.buffers]
    root.operatorCodes = [*root.operatorCodes, *other.operatorCodes]
    root.signatureDefs, root.metadata = None, None
    return packed_model(root)


def _places(graph: Any, offset: int, at: int, output: int) -> dict[int, int]:
    """Tensor of the second model -> tensor of both; -1 is an input that is left out."""
    found = {index: offset + index for index in range(len(graph.tensors))}
    return {**found, -1: -1, at: output}
