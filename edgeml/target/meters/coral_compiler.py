"""Edge TPU: what Google's edgetpu_compiler says of a model, where it is on PATH: kind "compiled".

Never run here with the real compiler, which is closed and not stored on the machines edgeml is made on;
its log is read as published logs are written, and tests run a script that prints the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeml.errors import ModelError
from edgeml.target.coral.compile import COMPILER, Compiled, CompilerOptions, compile_model, find_compiler
from edgeml.target.coral.log import apply
from edgeml.target.coral.verdicts import check, coral_options
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Subject, UnreadableModelError, options
from edgeml.target.meters.coral_estimate import ALREADY_COMPILED, nothing_maps
from edgeml.target.profile import Target


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Memory and operators of each model, compiled or read from the cache.

    Raises:
        MeterUnavailableError: no compiler on PATH, or one that does not start.
        UnreadableModelError: a model is compiled already.
        ModelError: the compiler refuses a model, crashes, hangs, or maps nothing of it.
    """
    return {name: _figures(compiled(subject, target)) for name, subject in subjects.items()}


def missing(target: Target) -> str:
    """Why the compiler cannot be used here, "" where it can."""
    compiler = find_compiler()
    return compiler if isinstance(compiler, str) else ""


def compiled(subject: Subject, target: Target) -> Compiled:
    """A plain model -> what the compiler makes of it.

    Raises:
        MeterUnavailableError, UnreadableModelError, ModelError: as `measure`.
    """
    compiler = find_compiler()
    if isinstance(compiler, str):
        raise MeterUnavailableError(compiler)
    if subject.model.compiled_for_edgetpu:
        raise UnreadableModelError(ALREADY_COMPILED)
    wanted, limits = coral_options(target), options(target, "coral_compiler", CompilerOptions)
    made = compile_model(subject.artifact, compiler, wanted.flags, limits.timeout_s)
    if not made.log.mapped:
        predicted = check(subject.model, wanted.runtime, wanted.several_subgraphs)
        raise ModelError(nothing_maps(apply(made.log.rows, predicted) or predicted))
    return made


def _figures(made: Compiled) -> Figures:
    log, tool = made.log, f"{COMPILER} {made.version}"
    loose = log.rounding_bytes
    found = [
        _said("on_chip_bytes", log.on_chip_bytes, loose[0], tool),
        _said("streamed_bytes", log.streamed_bytes, loose[1], tool),
        _said("parameter_bytes", log.on_chip_bytes + log.streamed_bytes, sum(loose), tool),
        Measurement("host_ops", log.host_ops, "operators", "compiled", tool, log.host_ops, log.host_ops),
    ]
    return {figure.metric: figure for figure in found}


def _said(metric: str, value: float, loose: float, tool: str) -> Measurement:
    return Measurement(
        metric, value, "bytes", "compiled", tool, low=max(0.0, value - loose), high=value + loose
    )
