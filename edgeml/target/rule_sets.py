"""Whose refusals a target goes by: the name in its profile's `rules` -> a verdict for every operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import UnknownNameError
from edgeml.target.coral import rules as coral_rules
from edgeml.target.coral import verdicts as coral
from edgeml.target.ethosu import verdicts as ethosu
from edgeml.target.mcu import rules as tflm_rules
from edgeml.target.profile import Target
from edgeml.target.rules import MAPPED_BY_LITERT, OpVerdict, words


class RuleSet(Protocol):
    """A model, its bytes where there are any, and the target -> a verdict for every operator, in order."""

    def __call__(self, model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
        """Judge; never raises for a model that could be read."""
        ...


@dataclass(frozen=True)
class RuleSetEntry:
    """A rule set in the table.

    Attributes:
        judge: the rule set.
        refusals: its refusals, one function each, whose docstring says what the device says and what to use.
    """

    judge: RuleSet
    refusals: tuple[Callable[[Any], bool], ...]


def verdicts(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """Model -> what becomes of every operator on the target.

    Raises:
        UnknownNameError: the profile names a rule set that does not exist.
    """
    return _entry(target).judge(model, content, target)


def refusals(target: Target) -> list[dict[str, str]]:
    """What the target refuses: {"rule", "says" (its own words), "instead"}, in the order of the rules."""
    return spelled(_entry(target))


def spelled(entry: RuleSetEntry) -> list[dict[str, str]]:
    """A rule set's refusals in words, in the order in which they are tried."""
    found = []
    for rule in entry.refusals:
        says, instead = words(rule)
        found.append({"rule": rule.__name__, "says": says, "instead": instead})
    return found


def _entry(target: Target) -> RuleSetEntry:
    name = target.rules or "litert"
    if name not in RULE_SETS:
        raise UnknownNameError("rule set", name, RULE_SETS)
    return RULE_SETS[name]


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

RULE_SETS: dict[str, RuleSetEntry] = {
    "litert": RuleSetEntry(litert, (unresolved_custom_op,)),
    "coral": RuleSetEntry(coral.verdicts, (*coral_rules.MODEL_RULES, *coral_rules.RULES)),
    "tflm": RuleSetEntry(tflm_rules.verdicts, tflm_rules.REFUSALS),
    "ethos-u": RuleSetEntry(ethosu.verdicts, ethosu.REFUSALS),
}
"""Rule sets by the name used in target files."""
