"""TfliteModel -> the work an Ethos-U does for it, as amounts that Vela's cycles are proportional to.

The NPU multiplies blocks: output channels are padded to 16, and input channels to 16 with the kernel's pixels
one by one, or to 8 with the kernel's pixels padded to 4, whichever is less (Vela's depth-first and
part-kernel-first traversals). What an amount costs on an accelerator is the profile's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from edgeml.deploy.tflite import Operator, TfliteModel

TERMS = {
    "ethosu_mac_cycles": "padded multiply-accumulates of convolutions and dense layers",
    "ethosu_depthwise_cycles": "padded multiply-accumulates of depthwise convolutions",
    "ethosu_write_cycles": "padded results of convolutions",
    "ethosu_weight_cycles": "weights, and 10 a channel for bias and scale",
    "ethosu_add_cycles": "padded results of additions",
    "ethosu_table_cycles": "padded results of hard swish, softmax, joins and requantisation",
    "ethosu_pool_cycles": "elements under the windows of poolings and means",
    "ethosu_operator_cycles": "operators",
}
"""The estimator's coefficients and what each is multiplied with."""

Shape = tuple[int, ...]
_BLOCK = 16
_BIAS = 10
"""Bytes of bias and scale a channel (Ethos-U55 TRM)."""


def amounts(model: TfliteModel) -> dict[str, float]:
    """Model -> amount for every name in TERMS."""
    found = dict.fromkeys(TERMS, 0.0)
    for operator in model.operators:
        if operator.name in _FREE or not operator.outputs:
            continue
        found["ethosu_operator_cycles"] += 1
        inputs = [model.tensors[index].shape for index in operator.inputs if index >= 0]
        output = model.tensors[operator.outputs[0]].shape
        for name, amount in _COUNT.get(operator.name, _table)(operator, inputs, output).items():
            found[f"ethosu_{name}_cycles"] += amount
    return found


_FREE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


def _pad(size: int, block: int) -> int:
    return -(-size // block) * block


def _padded(shape: Shape) -> int:
    """Elements with padded channels; a free dimension counts as 1."""
    return prod(map(abs, shape[:-1])) * _pad(abs(shape[-1]), _BLOCK) if shape else 1


def _conv(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    if len(inputs) < 2 or len(inputs[1]) != 4 or len(output) != 4:
        return _table(operator, inputs, output)
    (_, tall, wide, depth), (_, height, width, channels) = inputs[1], output
    kernel, places = tall * wide, _pad(height, 2) * _pad(width, 2)
    written = {"write": float(places * _pad(channels, _BLOCK))}
    if operator.name == "DEPTHWISE_CONV_2D":
        macs, weights = written["write"] * _pad(kernel, 4), kernel * channels
        return written | {"depthwise": macs, "weight": weights + _BIAS * channels}
    reads = kernel * _pad(depth, _BLOCK)
    if kernel > 1:
        reads = min(reads, _pad(kernel, 4) * _pad(depth, 8))
    weights = kernel * depth * channels
    return written | {"mac": written["write"] * reads, "weight": weights + _BIAS * channels}


def _dense(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    if len(inputs) < 2 or len(inputs[1]) != 2:
        return _table(operator, inputs, output)
    units, depth = inputs[1]
    macs = _pad(units, _BLOCK) * _pad(depth, _BLOCK)
    return {"mac": macs, "weight": units * depth + _BIAS * units}


def _pool(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    window = operator.integer("filter_h", 1) * operator.integer("filter_w", 1)
    return {"pool": _padded(output) * window}


def _mean(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    return {"pool": _padded(inputs[0] if inputs else output)}


def _add(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    return {"add": _padded(output)}


def _table(operator: Operator, inputs: Sequence[Shape], output: Shape) -> dict[str, float]:
    return {"table": _padded(output)}


_COUNT: dict[str, Callable[[Operator, Sequence[Shape], Shape], dict[str, float]]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MUL": _add,
    "SUB": _add,
}
"""How the work of an operator is counted; any other is looked up in a table or copied."""
