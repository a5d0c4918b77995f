"""Edge TPU (Coral): TfliteModel -> what becomes of every operator, as edgetpu_compiler would say it.

The verdicts are predictions: they equal the compiled files and logs we know (tests/test_coral_rules.py),
but "large activation tensors" and "Internal compiler error" cannot be foreseen. Where the profile lists
coral_compiler and the compiler is there, what it says of the file counts instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from edgeml.deploy.tflite import EDGETPU_OP, TfliteModel
from edgeml.errors import ModelError
from edgeml.target.coral.compile import CompilerOptions, compile_model, find_compiler
from edgeml.target.coral.log import apply
from edgeml.target.coral.rules import (
    INSTEAD,
    LATEST_RUNTIME,
    MAPPED,
    MAX_VERSION,
    MODEL_RULES,
    RULES,
    SECOND_SUBGRAPH,
    SINCE,
    unsupported_op,
)
from edgeml.target.meter import Options, options
from edgeml.target.profile import Target
from edgeml.target.rules import Op, OpVerdict, first_refusal, view, words


class CoralOptions(Options):
    """The Edge TPU runtime on the device, and whether the compiler is called with -a."""

    runtime: int = Field(LATEST_RUNTIME, ge=10, le=99)
    several_subgraphs: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """What edgetpu_compiler is told."""
        oldest = () if self.runtime >= LATEST_RUNTIME else ("-m", str(self.runtime))
        return (*oldest, "-a") if self.several_subgraphs else oldest


def coral_options(target: Target) -> CoralOptions:
    """A profile's `options: {coral_estimate: ...}`.

    Raises:
        ConfigError: they do not fit.
    """
    return options(target, "coral_estimate", CoralOptions)


def verdicts(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """Rule set "coral": model -> a verdict for every operator, the compiler's own where it is at hand."""
    wanted = coral_options(target)
    predicted = check(model, wanted.runtime, wanted.several_subgraphs)
    if content is None or "coral_compiler" not in target.meters or model.compiled_for_edgetpu:
        return predicted
    compiler = find_compiler()
    if isinstance(compiler, str):
        return predicted
    limit = options(target, "coral_compiler", CompilerOptions).timeout_s
    try:
        log = compile_model(content, compiler, wanted.flags, limit).log
    except ModelError:  # coral_compiler says so
        return predicted
    return apply(log.rows, predicted) or predicted


def check(
    model: TfliteModel,
    runtime: int = LATEST_RUNTIME,
    several_subgraphs: bool = False,
    any_version: bool = False,
) -> list[OpVerdict]:
    """Model -> a verdict for every operator, in execution order.

    Args:
        model: a plain model; of one that is compiled already only the compiled part counts as mapped.
        runtime: version of the Edge TPU runtime on the device.
        several_subgraphs: as with the compiler's -a: what follows an unsupported operator may map too.
        any_version: leave operator versions aside (the networks would map if converted by an older tool).
    """
    refusal = refuses(model, any_version)
    if refusal is not None:
        reason, instead = refusal
        return [
            OpVerdict(index, op.label, True, MAPPED)
            if op.custom_code == EDGETPU_OP
            else OpVerdict(index, op.label, False, reason, instead)
            for index, op in enumerate(model.operators)
        ]
    ops = view(model)
    refusals = [_refusal(op, runtime) for op in ops]
    mapped = _mapped(model, [refusal is None for refusal in refusals], several_subgraphs)
    return [_verdict(index, ops[index], refusals[index], index in mapped) for index in range(len(ops))]


def refuses(model: TfliteModel, any_version: bool = False) -> tuple[str, str] | None:
    """Model -> (what the compiler says of it as a whole, what to do), or None where it takes it."""
    for rule in MODEL_RULES:
        if rule(model):
            if rule.__name__ != "version_too_new":
                return words(rule)
            if not any_version:
                return ", ".join(lint_versions(model)), words(rule)[1]
    return None


def lint_versions(model: TfliteModel) -> list[str]:
    """Operator versions that compiler 16 does not register, in its words, each once."""
    found = dict.fromkeys((op.name, op.version) for op in model.operators)
    return [
        f"Didn't find op for builtin opcode '{name}' version '{version}'"
        for name, version in found
        if version > MAX_VERSION.get(name, version)
    ]


def _refusal(op: Op, runtime: int) -> tuple[str, str] | None:
    if SINCE.get(op.name, 0) > runtime:
        return words(unsupported_op)[0], f"update the Edge TPU runtime to {SINCE[op.name]} or later"
    rule = first_refusal(RULES, op)
    if rule is None:
        return None
    reason, instead = words(rule)
    return reason, INSTEAD.get(op.name, instead)


def _verdict(index: int, op: Op, refusal: tuple[str, str] | None, mapped: bool) -> OpVerdict:
    if mapped:
        return OpVerdict(index, op.operator.label, True, MAPPED)
    if refusal is None:
        instead = "replace or move to the end the operators before it that do not map"
        return OpVerdict(index, op.operator.label, False, SECOND_SUBGRAPH, instead, follows=True)
    return OpVerdict(index, op.operator.label, False, *refusal)


def _mapped(model: TfliteModel, supported: Sequence[bool], several: bool) -> set[int]:
    """Operators that run on the Edge TPU: the first group of supported ones, or all of them.

    Groups are made as TFLite makes them (PartitionGraphIntoIndependentNodeSubsets, graph_info.cc): the
    first operator that can run decides what the group holds, then everything of its kind that can run
    joins. Files list operators in execution order, so one pass fills a group.
    """
    if several:
        return {index for index, good in enumerate(supported) if good}
    computed = {tensor for op in model.operators for tensor in op.outputs}
    ready = set(range(len(model.tensors))) - computed
    todo: Iterable[int] = range(len(model.operators))
    kind = False
    group: list[int] = []
    while not (group and kind):
        group = []
        for index in todo:
            op = model.operators[index]
            runs = all(tensor < 0 or tensor in ready for tensor in op.inputs)
            if runs and not group:
                kind = supported[index]
            if runs and supported[index] == kind:
                group.append(index)
                ready.update(op.outputs)
        if not group:
            return set()
        done = set(group)
        todo = [index for index in todo if index not in done]
    return set(group)
