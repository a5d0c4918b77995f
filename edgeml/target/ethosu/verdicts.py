"""Model -> what becomes of every operator on an Ethos-U: by Vela where there is a file, else by our rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import ModelError
from edgeml.target.ethosu.rules import (
    INSTEAD,
    MAPPED,
    MODEL_RULES,
    RULES_U55,
    RULES_U85,
    unsupported_op,
    unsupported_op_u55,
)
from edgeml.target.ethosu.vela import Compiled, Complaint, VelaOptions, compile_model
from edgeml.target.meter import MeterUnavailableError, options
from edgeml.target.profile import Target
from edgeml.target.rules import Op, OpVerdict, Rule, first_refusal, view, words

REFUSALS: tuple[Callable[[Any], bool], ...] = (*MODEL_RULES, *dict.fromkeys((*RULES_U55, *RULES_U85)))
"""Everything this rule set refuses, for the documentation."""

LEAVE = "Leave it to the host: put it before or after everything that should run on the NPU."
_ONE_LINE = 120
"""A constraint longer than this is left out of a verdict; its reason says what was found."""


def verdicts(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """Model -> what becomes of every operator, in execution order.

    Args:
        model: of the file, or outlined.
        content: the file; None before there is one.
        target: its vela options say for which accelerator.

    Raises:
        ConfigError: Vela does not know the configuration of the target.
    """
    wanted = options(target, "vela", VelaOptions)
    refusal = next((rule for rule in MODEL_RULES if rule(model)), None)
    if refusal:
        says, instead = words(refusal)
        return [OpVerdict(i, op.label, False, says, instead) for i, op in enumerate(model.operators)]
    rules = RULES_U85 if wanted.accelerator.startswith("ethos-u85") else RULES_U55
    if content is not None:
        try:
            return _placed(model, compile_model(content, wanted), rules)
        except MeterUnavailableError:
            pass  # the rules are what is left
        except ModelError as error:
            instead = "Convert it again with a static batch of 1 and full int8 quantisation."
            return [
                OpVerdict(i, op.label, False, str(error).rstrip("."), instead)
                for i, op in enumerate(model.operators)
            ]
    return [_by_rules(index, op, rules) for index, op in enumerate(view(model))]


def _by_rules(index: int, op: Op, rules: tuple[Rule, ...]) -> OpVerdict:
    rule = first_refusal(rules, op)
    if rule is None:
        return OpVerdict(index, op.operator.label, True, MAPPED)
    says, _ = words(rule)
    return OpVerdict(index, op.operator.label, False, says, _instead(op, rule))


def _placed(model: TfliteModel, said: Compiled, rules: tuple[Rule, ...]) -> list[OpVerdict]:
    """Vela's placement, in its words."""
    found = []
    names = frozenset(tensor.name for tensor in model.tensors)
    for index, op in enumerate(view(model)):
        name = op.outputs[0].name if op.outputs else ""
        if name not in said.on_cpu:
            found.append(OpVerdict(index, op.operator.label, True, MAPPED))
            continue
        rule = first_refusal(rules, op)
        reason = _reason(said.complaints.get(name), names)
        found.append(OpVerdict(index, op.operator.label, False, reason, _instead(op, rule)))
    return found


def _reason(complaint: Complaint | None, names: frozenset[str]) -> str:
    """Vela's words without the names of tensors, so that operators with one fault read the same."""
    if complaint is None:
        return "Placed on the CPU"
    reason = _TENSOR.sub(
        lambda said: "" if said["name"].removesuffix("_act") in names else said[0], complaint.reason
    )
    short = 0 < len(complaint.constraint) <= _ONE_LINE
    return f"{reason}: {complaint.constraint}".rstrip(".") if short else reason.rstrip(".")


_TENSOR = re.compile(r" (?:\(|on tensor )(?P<name>.*?)\)?$")


def _instead(op: Op, rule: Rule | None) -> str:
    if rule in (unsupported_op, unsupported_op_u55) and op.name in INSTEAD:
        return INSTEAD[op.name]
    return words(rule)[1] if rule else LEAVE
