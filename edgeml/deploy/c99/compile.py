"""TfliteModel -> one C99 file and its header, without any library behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from edgeml.deploy.c99 import convolution, dense, pairwise, simple
from edgeml.deploy.c99.placing import Program, placed
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


def to_c99(model: TfliteModel, name: str = "model") -> C99:
    """Int8 model -> C99 whose output bytes are those of LiteRT's reference kernels.

    Args:
        model: as read by deploy.tflite.
        name: of the files and the prefix of every public C name; made a C identifier.

    Raises:
        ModelError: an operator, type or shape that is not translated; the message says which.
    """
    prefix = identifier(name)
    program, names = compiled(model)
    given, taken = model.inputs[0], model.outputs[0]
    sizes = model.tensors[given].elements, model.tensors[taken].elements
    text = {
        f"{prefix}.h": header(model, prefix, program.arena_bytes),
        f"{prefix}.c": source(program, names, prefix, kernel, model),
    }
    return C99(text, prefix, program.arena_bytes, sum(s.constant_bytes for s in program.steps), names, *sizes)


def kernel(name: str) -> str:
    """Text of a kernel's source file in the package."""
    return (files("edgeml.deploy.c99") / "kernels" / name).read_text(encoding="ascii")


def compiled(model: TfliteModel) -> tuple[Program, tuple[str, ...]]:
    """TfliteModel -> its steps with everything placed in the arena, and their operators' names."""
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
    sizes = {tensor: model.tensors[tensor].elements for tensor in root}
    return placed(steps, root, sizes, model.inputs[0], model.outputs[0]), tuple(names)


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
