"""What a device refuses, one function a refusal: its docstring is what the user reads.

The first paragraph is what the device (or its compiler) says, word for word where we have seen it; the
second says what to do instead. `words` takes them apart, so that message, docs and test name are one text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgeml.deploy.tflite import Operator, Tensor, TfliteModel

MAPPED_BY_LITERT = "LiteRT runs it on the CPU"


@dataclass(frozen=True)
class OpVerdict:
    """What becomes of one operator.

    Attributes:
        index: place in the model's execution order.
        op: name, for example "CONV_2D" or "CUSTOM:Name".
        mapped: it runs on the accelerator.
        reason: in the device's own words.
        instead: what to use instead; "" where it is mapped.
        follows: it would map, were it not for an operator before it.
    """

    index: int
    op: str
    mapped: bool
    reason: str
    instead: str = ""
    follows: bool = False


@dataclass(frozen=True)
class Op:
    """An operator with its tensors at hand; absent optional inputs are left out of `inputs`."""

    operator: Operator
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def name(self) -> str:
        """BuiltinOperator's name."""
        return self.operator.name

    @property
    def data(self) -> tuple[Tensor, ...]:
        """Tensors computed at run time: inputs that are no constants, and outputs."""
        return (*(tensor for tensor in self.inputs if not tensor.is_constant), *self.outputs)

    @property
    def axes(self) -> tuple[int, ...] | None:
        """Second input as axes of the first, counted from 0; None where it is not constant."""
        if len(self.inputs) < 2 or not self.inputs[0].shape:
            return None
        values = self.inputs[1].integers()
        return None if values is None else tuple(axis % len(self.inputs[0].shape) for axis in values)


Rule = Callable[[Op], bool]
"""True where the device refuses the operator."""

ModelRule = Callable[[TfliteModel], bool]
"""True where the device refuses the whole model."""


def view(model: TfliteModel) -> list[Op]:
    """Model -> its operators with their tensors, in execution order."""
    tensors = model.tensors
    return [
        Op(
            operator,
            tuple(tensors[index] for index in operator.inputs if index >= 0),
            tuple(tensors[index] for index in operator.outputs),
        )
        for operator in model.operators
    ]


def words(rule: Rule | ModelRule) -> tuple[str, str]:
    """Rule -> (what the device says, what to do instead), both from its docstring."""
    says, _, instead = (inspect.getdoc(rule) or "").partition("\n\n")
    return " ".join(says.split()).removesuffix("."), " ".join(instead.split())


def first_refusal(rules: Iterable[Rule], op: Op) -> Rule | None:
    """The first rule that refuses the operator; None where all let it pass."""
    return next((rule for rule in rules if rule(op)), None)
