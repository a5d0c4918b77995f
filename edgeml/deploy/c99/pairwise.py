"""ADD, SUB and MUL -> C."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeml.deploy.c99 import text
from edgeml.deploy.c99.convolution import FAST_SHIFT
from edgeml.deploy.c99.fixed import quantize_multiplier
from edgeml.deploy.c99.step import Step
from edgeml.deploy.c99.tensors import SUM_LIMIT, Activation, Place

LEFT_SHIFT = 20
"""Bits that the common scale of ADD and SUB has more than its inputs (PrepareGeneralAddOp)."""


@dataclass(frozen=True)
class _Operand:
    """One input: computed or constant; `repeated` for every row of the output."""

    scale: float
    zero: int
    elements: int
    computed: Activation | None
    declaration: str
    name: str


def add(place: Place) -> Step:
    """ADD and SUB of one shape, or of a tensor and a row."""
    a, b, output = _operand(place, 0), _operand(place, 1), place.output()
    common = 2 * max(a.scale, b.scale)
    factors = [a.scale / common, b.scale / common, common / ((1 << LEFT_SHIFT) * output.scale)]
    multipliers = [quantize_multiplier(factor) for factor in factors]
    if any(not -31 <= exponent <= 0 for _, exponent in multipliers):
        raise place.refuse("the scales of its inputs and output are too far apart")
    low, high = place.limits(output)
    rows = _rows(place, a, b, output)
    shift = -multipliers[2][1]
    if place.operator.name == "ADD" and a.elements == b.elements and (low, high) == (-128, 127):
        first, second = (a, b) if a.scale >= b.scale else (b, a)
        mantissa, exponent = multipliers[1] if second is b else multipliers[0]
        if 1 <= shift <= FAST_SHIFT:
            return _step(place, "add", first, second, output, {
                "count": output.elements,
                "b_zero": second.zero, "b_multiplier": mantissa, "b_shift": -exponent,
                "offset": first.zero << (LEFT_SHIFT - 1), "multiplier": multipliers[2][0], "shift": shift,
                "twice": 2 * output.zero + 1,
            })  # fmt: skip
    fields = rows | {
        "a_zero": a.zero, "b_zero": b.zero, "out_zero": output.zero, "low": low, "high": high,
        "subtract": int(place.operator.name == "SUB"),
    }  # fmt: skip
    for prefix, (mantissa, exponent) in zip(("a_", "b_", ""), multipliers, strict=True):
        fields |= {f"{prefix}multiplier": mantissa, f"{prefix}shift": -exponent}
    return _step(place, "add_any", a, b, output, fields)


def mul(place: Place) -> Step:
    """MUL of one shape, or of a tensor and a row."""
    a, b, output = _operand(place, 0), _operand(place, 1), place.output()
    mantissa, exponent = quantize_multiplier(a.scale * b.scale / output.scale)
    if exponent < -31 or 255 * 255 << max(0, min(exponent, 40)) >= SUM_LIMIT:
        raise place.refuse("the scales of its inputs and output are too far apart")
    low, high = place.limits(output)
    fields = _rows(place, a, b, output) | {
        "a_zero": a.zero, "b_zero": b.zero, "out_zero": output.zero, "low": low, "high": high,
        "multiplier": mantissa, "shift": -exponent,
    }  # fmt: skip
    return _step(place, "mul", a, b, output, fields)


def _operand(place: Place, position: int) -> _Operand:
    tensor = place.tensor(position)
    if not tensor.is_constant:
        found = place.input(position)
        return _Operand(found.scale, found.zero, found.elements, found, "", "")
    elements = int(np.prod(place.shape(tensor)))
    if tensor.dtype != "INT8" or tensor.data is None or len(tensor.data) != elements:
        raise place.refuse(f"its constant input {position} is no INT8 of its shape")
    name = f"{place.operator.name.lower()}_{place.number}_{position}"
    values = text.array(name, np.frombuffer(tensor.data, np.int8))
    return _Operand(place.scale(tensor), place.zero(tensor), elements, None, values, name)


def _rows(place: Place, a: _Operand, b: _Operand, output: Activation) -> dict[str, int | str]:
    """Rows, columns and steps; refuses shapes that are neither equal nor a tensor and a row of it."""
    columns = min(a.elements, b.elements)
    if max(a.elements, b.elements) != output.elements or output.elements % columns:
        raise place.refuse(f"{a.elements} and {b.elements} values do not give {output.elements}")
    for position, operand in enumerate((a, b)):
        shape = list(place.tensor(position).shape)
        while shape and shape[0] == 1:
            shape.pop(0)
        if (
            operand.elements != output.elements
            and shape != list(output.shape)[len(output.shape) - len(shape) :]
        ):
            raise place.refuse(
                f"its input {position} of shape {list(place.tensor(position).shape)} is no row"
            )
    rows = output.elements // columns
    return {
        "rows": rows,
        "columns": columns,
        "a_step": columns if a.elements == output.elements else 0,
        "b_step": columns if b.elements == output.elements else 0,
    }


def _step(
    place: Place, kind: str, a: _Operand, b: _Operand, output: Activation, fields: dict[str, int | str]
) -> Step:
    name = f"{place.operator.name.lower()}_{place.number}"
    computed = [operand for operand in (a, b) if operand.computed is not None]
    arguments = []
    for operand in (a, b):
        arguments.append(f"{{{computed.index(operand)}}}" if operand.computed else operand.name)
    return Step(
        call=f"{kind}(&{name}, {', '.join(arguments)}, {{out}});",
        inputs=tuple(operand.computed.index for operand in computed if operand.computed),
        output=output.index,
        kernels=(kind,),
        declarations=a.declaration + b.declaration + text.struct(kind, name, fields),
        over=tuple(o.computed.index for o in computed if o.computed and o.elements == output.elements),
        constant_bytes=4 * len(fields) + sum(o.elements for o in (a, b) if o.computed is None),
    )
