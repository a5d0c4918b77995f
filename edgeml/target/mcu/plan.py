"""TfliteModel -> tensor arena of tflite-micro, worked out as its memory planner does.

The arena has two ends: activations and scratch buffers share the head, placed by a greedy planner in order
of size (greedy_memory_planner.cc); structures that live as long as the interpreter fill the tail. The head
is exact where the operators' order is; the sizes of the structures are fitted on converted networks
(bench/truth_mcu.py) and hold for 64-bit pointers, so that estimate and measurement mean the same thing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeml.deploy.tflite import Operator, TfliteModel
from edgeml.errors import ModelError

ALIGNMENT = 16

Count = Callable[[TfliteModel, Operator], int]
"""Bytes that an operator asks for."""

TENSOR_BYTES, NODE_BYTES = 24, 64
"""TfLiteEvalTensor and NodeAndRegistration with 64-bit pointers, as print_allocations() lists them."""

INTERPRETER_BYTES = 722
OPERATOR_BYTES = {
    "ADD": 72,
    "AVERAGE_POOL_2D": 72,
    "CONCATENATION": 72,
    "CONV_2D": 108,
    "DEPTHWISE_CONV_2D": 108,
    "FULLY_CONNECTED": 111,
    "HARD_SWISH": 32,
    "MAX_POOL_2D": 72,
    "MEAN": 73,
    "MUL": 52,
    "PAD": 64,
    "QUANTIZE": 32,
    "RELU": 32,
    "RESHAPE": 36,
    "SOFTMAX": 80,
    "SUB": 72,
}
OTHER_OPERATOR_BYTES = 72
"""Options and kernel data of an operator, from chains of 1, 5 and 17 of them and least squares over 44
converted networks: off by at most 7 bytes on them and on the int8 models of MLPerf Tiny, so rounding to the
alignment makes it exact. What is not listed gets as much as an addition."""

PLANNING_TENSOR_BYTES, PLANNING_BUFFER_BYTES = 32, 40
"""While it plans, tflite-micro keeps an AllocationInfo for each tensor and scratch buffer and planner
entries for each planned buffer in the head; then they are gone, but there must have been room."""


@dataclass(frozen=True)
class Buffer:
    """Bytes that are in use from one operator to another, both included."""

    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Arena:
    """Sizes in bytes: what activations share, what structures take, and the room that planning needs."""

    activations: int
    structures: int
    planning: int

    @property
    def total(self) -> int:
        """The smallest arena."""
        return self.structures + max(self.activations, self.planning)


def aligned(nbytes: int) -> int:
    """Next multiple of the arena's alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lifetimes(model: TfliteModel) -> list[Buffer]:
    """Computed tensors in the file's order, from the operator that writes to the last that reads.

    Inputs live from the start, outputs to the end (micro_allocation_info.cc).
    """
    first: dict[int, int] = dict.fromkeys((*model.inputs, *model.outputs), 0)
    last = dict(first)
    for at, operator in enumerate(model.operators, 1):
        for tensor in operator.outputs:
            first[tensor] = last[tensor] = at
        for tensor in operator.inputs:
            if tensor >= 0:
                last[tensor] = at
    for tensor in model.outputs:
        last[tensor] = len(model.operators)
    tensors = model.tensors
    return [
        Buffer(aligned(tensors[index].nbytes), first[index], last[index])
        for index in sorted(first)
        if tensors[index].nbytes and not tensors[index].is_constant and not tensors[index].is_variable
    ]


def planned(buffers: list[Buffer]) -> int:
    """Buffers -> bytes they share: each, the largest first, in the lowest gap left by those placed."""
    order = sorted(range(len(buffers)), key=lambda index: (-buffers[index].nbytes, -index))
    placed: list[tuple[int, Buffer]] = []
    top = 0
    for index in order:
        wanted = buffers[index]
        offset = 0
        for at, other in placed:
            if other.first > wanted.last or wanted.first > other.last:
                continue
            if at - offset >= wanted.nbytes:
                break
            offset = max(offset, at + other.nbytes)
        place = len(placed)
        while place and placed[place - 1][0] > offset:
            place -= 1
        placed.insert(place, (offset, wanted))
        top = max(top, offset + wanted.nbytes)
    return top


def scratch(model: TfliteModel, rules: dict[str, Count]) -> list[Buffer]:
    """Scratch buffers that the kernels ask for, each alive during its operator only."""
    asked = [
        Buffer(aligned(_asked(rules[operator.name], model, operator)), at, at)
        for at, operator in enumerate(model.operators, 1)
        if operator.name in rules
    ]
    return [buffer for buffer in asked if buffer.nbytes]


def arena(model: TfliteModel) -> Arena:
    """TfliteModel -> Arena of tflite-micro's reference kernels."""
    asked = scratch(model, REFERENCE_SCRATCH)
    buffers = lifetimes(model) + asked
    kept = sum(OPERATOR_BYTES.get(operator.name, OTHER_OPERATOR_BYTES) for operator in model.operators)
    kept += sum(_asked(_channel_bytes, model, operator) for operator in model.operators)
    listed = TENSOR_BYTES * len(model.tensors) + NODE_BYTES * len(model.operators)
    planning = PLANNING_TENSOR_BYTES * (len(model.tensors) + len(asked))
    planning += PLANNING_BUFFER_BYTES * len(buffers)
    structures = round((INTERPRETER_BYTES + listed + kept) / ALIGNMENT) * ALIGNMENT
    return Arena(planned(buffers), structures, planning // ALIGNMENT * ALIGNMENT)


def order_is_forced(model: TfliteModel) -> bool:
    """Every operator reads what the one before it wrote, so a converter cannot list them in another order."""
    return all(
        set(before.outputs) & set(after.inputs) for before, after in itertools.pairwise(model.operators)
    )


def _asked(count: Count, model: TfliteModel, operator: Operator) -> int:
    try:
        return count(model, operator)
    except (IndexError, ValueError) as error:
        shapes = [model.tensors[index].shape for index in (*operator.inputs, *operator.outputs) if index >= 0]
        raise ModelError(
            f"{operator.label} cannot have tensors of shapes {shapes[:4]}; the file is damaged."
        ) from error


def _channel_bytes(model: TfliteModel, operator: Operator) -> int:
    """A multiplier and a shift for each channel; of dense layers where their weights have a scale each."""
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or not operator.outputs:
        return 0
    quantization = model.tensors[operator.inputs[1]].quantization
    each = quantization is not None and len(quantization.scales) > 1
    if operator.name == "FULLY_CONNECTED" and not each:
        return 0
    return 2 * aligned(4 * model.tensors[operator.outputs[0]].shape[-1])


def cmsis_nn_extra_bytes(model: TfliteModel) -> int:
    """What CMSIS-NN's scratch buffers on a Cortex-M with DSP instructions add to the activations' share."""
    with_scratch = planned(lifetimes(model) + scratch(model, CMSIS_NN_SCRATCH))
    return max(0, with_scratch - arena(model).activations)


def cmsis_nn_conditions(model: TfliteModel) -> dict[str, Any]:
    """The same as a measurement's conditions, with a note where there is something to add."""
    extra = cmsis_nn_extra_bytes(model)
    note = f"With CMSIS-NN's kernels the arena needs {extra} bytes more, for their scratch."
    return {"cmsis_nn_extra_bytes": extra} | ({"notes": [note]} if extra else {})


def _mean(model: TfliteModel, operator: Operator) -> int:
    return 4 * model.tensors[operator.outputs[0]].elements


def _conv(model: TfliteModel, operator: Operator) -> int:
    """Two columns of im2col as int16; none for 1x1 (arm_convolve_get_buffer_sizes_s8.c)."""
    _, height, width, channels = model.tensors[operator.inputs[1]].shape
    return 0 if height == width == 1 else 4 * (-(-height * width * channels // 4) * 4)


def _depthwise(model: TfliteModel, operator: Operator) -> int:
    """A column as int16 (arm_depthwise_conv_get_buffer_sizes_s8.c)."""
    _, height, width, channels = model.tensors[operator.inputs[1]].shape
    return 2 * height * width * channels


def _average(model: TfliteModel, operator: Operator) -> int:
    """A sum a channel (arm_avgpool_get_buffer_sizes_s8.c)."""
    return 4 * model.tensors[operator.outputs[0]].shape[-1]


REFERENCE_SCRATCH: dict[str, Count] = {
    "MEAN": _mean,
    "SUM": _mean,
    "TRANSPOSE_CONV": _mean,
}
"""Scratch of the reference kernels: an int32 for each output."""

CMSIS_NN_SCRATCH = REFERENCE_SCRATCH | {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "AVERAGE_POOL_2D": _average,
}
