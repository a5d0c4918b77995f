"""Format `edgetpu`: the int8 file for a Coral Edge TPU, compiled where edgetpu_compiler is, else ready."""

from __future__ import annotations

import shlex

from edgeml.errors import ModelError
from edgeml.export.given import ExportInput
from edgeml.target.check import Check, check
from edgeml.target.coral.compile import COMPILER, find_compiler
from edgeml.target.coral.verdicts import coral_options
from edgeml.target.measure import known_target
from edgeml.target.meter import Subject
from edgeml.target.meters import coral_compiler
from edgeml.target.profile import Target

COMPILED, READY, HOW = "edgetpu/model_edgetpu.tflite", "edgetpu/model.tflite", "edgetpu/COMPILE.txt"
SAID = "edgetpu/COMPILED.txt"


def edgetpu(given: ExportInput) -> dict[str, bytes]:
    """`edgetpu/`: compiled where edgetpu_compiler is on PATH, else checked, ready for it, with the command.

    Raises:
        ModelError: `edgeml check` finds a problem, or the compiler refuses the model.
    """
    target = _target(given)
    found = check(given.tflite, target, f"candidate {given.key}")
    if not found.ok:
        raise ModelError(
            f"--format edgetpu: the model is not fit for {target.name}: {' '.join(found.problems)}"
        )
    compiler = find_compiler()
    if isinstance(compiler, str):
        return {READY: given.tflite, HOW: _how(found, target, compiler).encode()}
    made = coral_compiler.compiled(Subject.of(given.tflite), target)
    rows = "".join(f"{row.count} x {row.op}: {row.status}\n" for row in made.log.rows)
    said = (
        f"Compiled by {COMPILER} {made.version} for {target.name}. What it says of the operators:\n"
        f"{made.log.mapped} on the Edge TPU, {made.log.host_ops} on the host\n{rows}"
    )
    return {COMPILED: made.model, SAID: said.encode()}


def _target(given: ExportInput) -> Target:
    """The run's own Edge TPU, else Coral's USB accelerator."""
    own = (target for target in given.targets.members if target.rules == "coral")
    return next(own, None) or known_target("coral")


def _how(found: Check, target: Target, missing: str) -> str:
    flags = shlex.join(coral_options(target).flags)
    command = f"{COMPILER} -s {flags} model.tflite".replace("  ", " ")
    return (
        f"model.tflite is int8, checked for {target.name} (`edgeml check`), and not compiled:\n{missing}\n\n"
        f"Compile it with\n\n    {command}\n\n"
        f"which writes model_edgetpu.tflite, the file for the device.\n\n{_placement(found)}"
    )


def _placement(found: Check) -> str:
    """Which operators the Edge TPU runs, and which stay on the host, with the reason."""
    host = [op for op in found.ops if not op.mapped]
    lines = [f"Operators on the Edge TPU: {len(found.ops) - len(host)} of {len(found.ops)}."]
    lines += [f"On the host: {op.op} (operator {op.index}): {op.reason}. {op.instead}" for op in host]
    if not host:
        lines.append("None stays on the host.")
    return "\n".join(lines) + "\n"
