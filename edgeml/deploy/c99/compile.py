"""TfliteModel -> one C99 file and its header, without any library behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from edgeml.deploy.c99 import convolution, dense, pairwise, simple
from edgeml.deploy.c99.arena import Block, aligned, plan
from edgeml.deploy.c99.source import header, source
from edgeml.deploy.c99.step import Step
from edgeml.deploy.c99.tensors import Place
from edgeml.deploy.c99.text import identifier
from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import ModelError

Translator = Callable[[Place], Step]

TRANSLATORS: dict[str, Translator] = {
    "ADD": pairwise.add,
    "AVERAGE_POOL_2D": simple.pool,
    "CONCATENATION": simple.concat,
    "CONV_2D": convolution.conv,
    "DEPTHWISE_CONV_2D": convolution.depthwise,
    "FULLY_CONNECTED": dense.dense,
    "HARD_SWISH": simple.swish,
    "MAX_POOL_2D": simple.pool,
    "MEAN": simple.mean,
    "MUL": pairwise.mul,
    "PAD": simple.pad,
    "QUANTIZE": simple.quantize,
    "RELU": simple.relu,
    "RELU6": simple.relu,
    "RELU_N1_TO_1": simple.relu,
    "SOFTMAX": simple.softmax,
    "SUB": pairwise.add,
}
"""Every operator that becomes code."""

SCRATCH_SHARE = 0.02
"""What faster kernels may add to the arena."""

SAME_BYTES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
"""Operators whose output is their input under another shape: they become nothing."""


@dataclass(frozen=True)
class C99:
    """A compiled model.

    Attributes:
        files: name -> text; one .c, one .h.
        prefix: what its C names start with.
        arena_bytes: static memory for all activations, input and output included.
        constant_bytes: tables in flash: weights, biases, multipliers, look-up tables.
        operators: names in execution order, those that became nothing left out.
        input_bytes, output_bytes: sizes of the one input and the one output.
    """

    files: dict[str, str]
    prefix: str
    arena_bytes: int
    constant_bytes: int
    operators: tuple[str, ...]
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Program:
    """Steps and where each tensor lies in the arena."""

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    offsets: dict[int, int]
    scratch: tuple[int, ...]
    arena_bytes: int


def to_c99(model: TfliteModel, name: str = "model") -> C99:
    """Int8 model -> C99 whose output bytes are those of LiteRT's reference kernels.

    Args:
        model: as read by deploy.tflite.
        name: of the files and the prefix of every public C name; made a C identifier.

    Raises:
        ModelError: an operator, type or shape that is not translated; the message says which.
    """
    prefix = identifier(name)
    program = compiled(model)
    given, taken = model.inputs[0], model.outputs[0]
    sizes = model.tensors[given].elements, model.tensors[taken].elements
    text = {
        f"{prefix}.h": header(model, prefix, program.arena_bytes),
        f"{prefix}.c": source(program, prefix, given, taken, kernel, model),
    }
    return C99(
        text, prefix, program.arena_bytes, sum(s.constant_bytes for s in program.steps), program.names, *sizes
    )


def kernel(name: str) -> str:
    """Text of a kernel's source file in the package."""
    return (files("edgeml.deploy.c99") / "kernels" / name).read_text(encoding="ascii")


def compiled(model: TfliteModel) -> Program:
    """TfliteModel -> its steps with everything placed in the arena."""
    if model.subgraphs != 1 or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"the model has {model.subgraphs} subgraphs, {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs; C99 is written for models with one of each."
        )
    root = {model.inputs[0]: model.inputs[0]}
    steps: list[Step] = []
    names: list[str] = []
    for number, operator in enumerate(model.operators):
        place = Place(model, operator, number)
        if operator.name in SAME_BYTES:
            _rename(place, root)
            continue
        if operator.name not in TRANSLATORS:
            raise place.refuse("it is not among the operators that are translated")
        step = TRANSLATORS[operator.name](place)
        if any(tensor not in root for tensor in step.inputs):
            raise place.refuse("it reads a tensor that nothing has written")
        _new(place, root, step.output)
        steps.append(step)
        names.append(operator.label)
    if model.outputs[0] not in root:
        raise ModelError("the model's output is written by none of its operators; convert it again.")
    return _placed(model, tuple(steps), tuple(names), root)


def _new(place: Place, root: dict[int, int], tensor: int) -> None:
    if tensor in root or place.model.tensors[tensor].is_constant:
        raise place.refuse("it writes a tensor that is an input, a constant or already written")
    root[tensor] = tensor


def _rename(place: Place, root: dict[int, int]) -> None:
    source, output = place.input(0, "INT8|UINT8"), place.output("INT8|UINT8")
    if source.elements != output.elements or source.dtype != output.dtype:
        raise place.refuse(f"{source.elements} {source.dtype} become {output.elements} {output.dtype}")
    if source.index not in root:
        raise place.refuse("it reads a tensor that nothing has written")
    _new(place, root, output.index)
    root[output.index] = root[source.index]


def _placed(
    model: TfliteModel, steps: tuple[Step, ...], names: tuple[str, ...], root: dict[int, int]
) -> Program:
    first, last = {model.inputs[0]: 0}, {model.inputs[0]: 0}
    for at, step in enumerate(steps, 1):
        for tensor in step.inputs:
            last[root[tensor]] = at
        first[step.output] = last[step.output] = at
    last[root[model.outputs[0]]] = len(steps) + 1
    home = dict(root)
    for at, step in enumerate(steps, 1):
        for tensor in step.over:
            owner = home[root[tensor]]
            fits = model.tensors[tensor].elements == model.tensors[step.output].elements
            if fits and last[owner] == at and owner != step.output:
                home[step.output] = owner
                last[owner] = last[step.output]
                break
    owners = sorted({home[root[tensor]] for tensor in first})
    blocks = [Block(aligned(model.tensors[owner].elements), first[owner], last[owner]) for owner in owners]
    steps = _leaner(blocks, steps)
    places, size = plan([*blocks, *_scratch(steps)])
    by_owner = dict(zip(owners, places, strict=False))
    rest = iter(places[len(owners) :])
    scratch = tuple(next(rest) if step.scratch_bytes else 0 for step in steps)
    offsets = {tensor: by_owner[home[root[tensor]]] for tensor in root}
    return Program(steps, names, offsets, scratch, size)


def _scratch(steps: Sequence[Step]) -> list[Block]:
    return [Block(aligned(s.scratch_bytes), at, at) for at, s in enumerate(steps, 1) if s.scratch_bytes]


def _leaner(blocks: list[Block], steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps, those without scratch instead where theirs would cost more than SCRATCH_SHARE of the arena."""
    if plan([*blocks, *_scratch(steps)])[1] <= (limit := int(plan(blocks)[1] * (1 + SCRATCH_SHARE))):
        return steps
    chosen = []
    for at, step in enumerate(steps, 1):
        live = sum(block.nbytes for block in blocks if block.first <= at <= block.last)
        chosen.append(step.lean if step.lean and live + step.scratch_bytes > limit else step)
    return tuple(chosen)
