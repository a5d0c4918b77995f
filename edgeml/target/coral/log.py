"""What edgetpu_compiler prints -> CompilerLog: memory lines and the table of operators.

Read by line, without regard to order: compilers 2 to 16 print the same lines with different ones between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeml.target.coral.rules import MAPPED
from edgeml.target.rules import OpVerdict

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_MEMORY = re.compile(r"^(On-chip|Off-chip) memory (used|remaining) for .*?: *([\d.]+) ?(B|KiB|MiB|GiB)\s*$")
_ROW = re.compile(r"^(\S+)\s{2,}(\d+)\s{2,}(\S.*?)\s*$")
_FINAL = (
    "Model not quantized",
    "Didn't find op for builtin opcode",
    "only supports static-sized tensors",
    "already compiled",
    "Invalid model",
)
"""Refusals that a second try would not change, the most telling first."""
_TROUBLE = ("rror", "ERROR", "ailed", "bort", "timed out")
_NOISE = ("Edge TPU Compiler version", "Started a compilation timeout timer", "Compilation child process")


@dataclass(frozen=True)
class Row:
    """A line of the table: so many of one operator share a status."""

    op: str
    count: int
    status: str


@dataclass(frozen=True)
class CompilerLog:
    """What the compiler said.

    Attributes:
        on_chip_bytes: parameters cached on the chip, to the last digit printed.
        streamed_bytes: parameters sent on every inference.
        rounding_bytes: how much the printed digits leave open, of each of the two.
        rows: the table of operators.
    """

    on_chip_bytes: float
    streamed_bytes: float
    rounding_bytes: tuple[float, float]
    rows: tuple[Row, ...]

    @property
    def mapped(self) -> int:
        """Operators on the Edge TPU."""
        return sum(row.count for row in self.rows if row.status == MAPPED)

    @property
    def host_ops(self) -> int:
        """Operators left on the host."""
        return sum(row.count for row in self.rows) - self.mapped


def parse(text: str) -> CompilerLog | None:
    """Log -> CompilerLog; None where it is not the log of a compilation that went well."""
    memory: dict[str, tuple[float, float]] = {}
    rows = []
    for line in text.splitlines():
        if found := _MEMORY.match(line.strip()):
            memory[f"{found[1]} {found[2]}"] = _bytes(found[3], found[4])
        elif found := _ROW.match(line):
            rows.append(Row(found[1], int(found[2]), found[3]))
    if "On-chip used" not in memory or "Off-chip used" not in memory or not rows:
        return None
    (cached, loose), (streamed, also) = memory["On-chip used"], memory["Off-chip used"]
    return CompilerLog(cached, streamed, (loose, also), tuple(rows))


def complaint(text: str) -> str:
    """The line of a log that says what went wrong; "" where nothing does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_NOISE)]
    said = [line for word in (*_FINAL, *_TROUBLE) for line in lines if word in line]
    return (said or lines[-1:] or [""])[0].removeprefix("ERROR: ").rstrip(".")


def is_final(text: str) -> bool:
    """Whether another try would end the same."""
    return any(words in text for words in _FINAL)


def apply(rows: Sequence[Row], predicted: Sequence[OpVerdict]) -> list[OpVerdict] | None:
    """The compiler's table and what was predicted -> verdicts in the compiler's words.

    The table only counts. Where one kind of operator has several statuses, those predicted to map are
    taken to be the mapped ones, earlier ones first. None where table and model do not list the same.
    """
    found = list(predicted)
    for op in {row.op for row in rows} | {verdict.op.partition(":")[0] for verdict in predicted}:
        places = [v.index for v in predicted if v.op.partition(":")[0] == op]
        places.sort(key=lambda index: not found[index].mapped)
        said = [row for row in rows if row.op == op]
        said.sort(key=lambda row: row.status != MAPPED)
        statuses = [row.status for row in said for _ in range(row.count)]
        if len(statuses) != len(places):
            return None
        for index, status in zip(places, statuses, strict=True):
            found[index] = _said(found[index], status)
    return found


def _said(verdict: OpVerdict, status: str) -> OpVerdict:
    if status == MAPPED:
        return replace(verdict, mapped=True, reason=MAPPED, instead="")
    instead = verdict.instead or "leave it to the host: put it after everything that should map"
    return replace(verdict, mapped=False, reason=status, instead=instead)


def _bytes(number: str, unit: str) -> tuple[float, float]:
    """(value, half a unit of the last digit), in bytes."""
    digits = len(number.partition(".")[2])
    loose = 0.5 * 10**-digits * UNITS[unit] if unit != "B" else 0.0
    return float(number) * UNITS[unit], loose
