"""Format `vela`: the int8 file compiled by Arm Vela for the Ethos-U of the run's targets."""

from __future__ import annotations

from edgeml.errors import MissingToolError, ModelError
from edgeml.export.given import ExportInput
from edgeml.target.ethosu.vela import Compiled, VelaOptions, compile_to_file
from edgeml.target.measure import known_target
from edgeml.target.meter import MeterUnavailableError, options
from edgeml.target.profile import Target

FOLDER, SUFFIX = "vela/", "_vela.tflite"
FALLBACK = "ethos-u55-128"
"""Target of a run that has no Ethos-U."""


def vela(given: ExportInput) -> dict[str, bytes]:
    """`vela/`: compiled by Arm Vela for the run's Ethos-U targets (where it has none, ethos-u55-128).

    Raises:
        MissingToolError: Vela is not installed.
        ModelError: Vela refuses the model, or leaves operators to the CPU.
    """
    targets = [target for target in given.targets.members if target.rules == "ethos-u"]
    files: dict[str, bytes] = {}
    for target in targets or [known_target(FALLBACK)]:
        wanted = options(target, "vela", VelaOptions)
        try:
            said, content = compile_to_file(given.tflite, wanted)
        except MeterUnavailableError as error:
            raise MissingToolError(f"--format vela: {error}.") from error
        if said.host_ops:
            reasons = "; ".join(dict.fromkeys(c.reason.rstrip(".") for c in said.complaints.values()))
            raise ModelError(
                f"--format vela: Vela {said.version} leaves {said.host_ops} operators to the CPU for "
                f"{target.name}{f' ({reasons})' if reasons else ''}; expected none. Pick another "
                f"candidate or search with --target {target.name}."
            )
        files[f"{FOLDER}{target.name}{SUFFIX}"] = content
        files[f"{FOLDER}{target.name}.txt"] = _summary(said, target, wanted).encode()
    return files


def _summary(said: Compiled, target: Target, wanted: VelaOptions) -> str:
    memory = "".join(f"{name}: {used:,} bytes\n" for name, used in said.memory.items() if used)
    return (
        f"Compiled by Arm Vela {said.version} for {target.name}: {wanted.accelerator}, "
        f"{wanted.system_config}, {wanted.memory_mode}.\n"
        f"What follows is the compiler's estimate, not a run on silicon.\n"
        f"cycles: {said.cycles:,} ({said.latency_ms:.3f} ms at {said.clock_hz / 1e6:g} MHz)\n{memory}"
        f"operators left to the CPU: {said.host_ops}\n"
    )
