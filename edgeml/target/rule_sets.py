"""Whose refusals a target goes by: the name in its profile's `rules` -> a verdict for every operator."""

from __future__ import annotations

from typing import Protocol

from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import UnknownNameError
from edgeml.target.profile import Target
from edgeml.target.rules import MAPPED_BY_LITERT, OpVerdict, words


class RuleSet(Protocol):
    """A model, its bytes where there are any, and the target -> a verdict for every operator, in order."""

    def __call__(self, model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
        """Judge; never raises for a model that could be read."""
        ...


def verdicts(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """Model -> what becomes of every operator on the target.

    Raises:
        UnknownNameError: the profile names a rule set that does not exist.
    """
    name = target.rules or "litert"
    if name not in RULE_SETS:
        raise UnknownNameError("rule set", name, RULE_SETS)
    return RULE_SETS[name](model, content, target)


def litert(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """LiteRT on a CPU: every builtin operator runs; custom ones only where LiteRT brings them."""
    reason, instead = words(unresolved_custom_op)
    return [
        OpVerdict(index, op.label, True, MAPPED_BY_LITERT)
        if not (op.name == "CUSTOM" and op.custom_code not in _OWN_CUSTOM_OPS)
        else OpVerdict(index, op.label, False, f"{reason}: {op.custom_code}", instead)
        for index, op in enumerate(model.operators)
    ]


def unresolved_custom_op(model: TfliteModel) -> bool:
    """Encountered unresolved custom op.

    Replace it by builtin operators; what edgetpu_compiler wrote runs only with an Edge TPU.
    """
    return any(code not in _OWN_CUSTOM_OPS for code in model.custom_ops)


_OWN_CUSTOM_OPS = ("TFLite_Detection_PostProcess",)
"""Custom operators that LiteRT's BuiltinOpResolver registers (tflite/core/kernels/register.cc)."""

RULE_SETS: dict[str, RuleSet] = {"litert": litert}
"""Rule sets by the name used in target files."""
