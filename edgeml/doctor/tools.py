"""What devices need here: each meter of the target profiles, and the programs behind them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgeml.doctor.finding import Line, Section
from edgeml.errors import EdgemlError

if TYPE_CHECKING:
    from edgeml.target.meter import MeterEntry
    from edgeml.target.profile import Target

PROGRAMS = {
    "ssh": (["-V"], "boards (ssh://...): install openssh-client"),
    "adb": (["version"], "Android phones (adb:...): install adb"),
    "edgetpu_compiler": (["--version"], "exact Edge TPU figures: coral.ai/docs/edgetpu/compiler"),
    "qemu-aarch64": (["--version"], "instructions of Arm cores: install qemu-user, then make arm-sysroot"),
    "gcc": (["--version"], "proof of exported C99 code: install gcc"),
}
"""Program: arguments that make it say its version, and what is missing without it."""
ANSWER_S = 5.0


def meters() -> Section:
    """Every meter: for which targets it can be used here, and what it lacks for the others."""
    return Section("Meters of the targets", tuple(_meters()))


def programs() -> Section:
    """Programs that meters and exports call."""
    return Section("Programs", tuple(_program(name, *asked) for name, asked in PROGRAMS.items()))


def _meters() -> Iterator[Line]:
    from edgeml.resources import names
    from edgeml.target.measure import known_target
    from edgeml.target.meter_table import METERS

    uses: dict[str, list[Target]] = {}
    for name in names("targets"):
        try:
            target = known_target(name)
        except EdgemlError as error:
            yield Line(f"target {name}", str(error), "problem", "correct the file")
            continue
        for meter in target.meters:
            uses.setdefault(meter, []).append(target)
    for meter, entry in METERS.items():
        lacks: dict[str, list[str]] = {}
        for target in uses.get(meter, []):
            lacks.setdefault(_missing(entry, target), []).append(target.name)
        if not lacks:
            yield Line(meter, f"no target profile uses it: {entry.gives}")
        for missing, targets in sorted(lacks.items()):
            among = ", ".join(targets)
            if missing:
                yield Line(meter, f"not usable here (for {among})", "note", missing.rstrip("."))
            else:
                yield Line(meter, f"usable (for {among}): {entry.gives}")


def _missing(entry: MeterEntry, target: Target) -> str:
    try:
        return entry.missing(target)
    except Exception as error:  # a broken tool must not end the report
        return f"cannot be asked ({type(error).__name__}: {error})"


def _program(name: str, arguments: list[str], use: str) -> Line:
    from edgeml.target.board.process import converse, printable

    path = shutil.which(name)
    if path is None:
        return Line(name, "not found", "note", f"only for {use}")
    try:
        said = converse([path, *arguments], time_limit_s=ANSWER_S, size_limit=1 << 16)
    except OSError as error:
        return Line(name, f"cannot be started ({error.strerror})", "note", f"install it again; for {use}")
    if said.timed_out:
        return Line(name, f"no answer within {ANSWER_S:g} s", "note", f"install it again; for {use}")
    text = (said.stdout or said.stderr).decode("utf-8", "replace")
    first = next((printable(line).strip() for line in text.splitlines() if line.strip()), "no version")
    if said.code < 0:
        return Line(name, f"ended by signal {-said.code}", "note", f"install it again; for {use}")
    return Line(name, first[:100])
