"""Finding: one thing that a guardrail saw in a data set; readers hand theirs on in `Source.findings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEVERITIES = ("error", "warning", "note")
"""An error stops a search, a warning is shown and recorded, a note is recorded."""

SHOWN_EXAMPLES = 8


@dataclass(frozen=True)
class Finding:
    """One kind of fault, how often and where.

    Attributes:
        severity: one of SEVERITIES.
        code: short name with dashes, for example "duplicates-across-splits".
        count: how many samples, files, classes or columns it concerns.
        means: one sentence: what was found and why it matters.
        does: one sentence: what edgeml does about it.
        examples: names of some of them (file names, columns, classes).
    """

    severity: str
    code: str
    count: int
    means: str
    does: str
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"a finding of severity {self.severity!r}, not one of {SEVERITIES}")
        object.__setattr__(self, "examples", tuple(self.examples)[:SHOWN_EXAMPLES])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, as in run.json dataset.guardrails."""
        return {
            "severity": self.severity,
            "code": self.code,
            "count": self.count,
            "means": self.means,
            "does": self.does,
            "examples": list(self.examples),
        }

    @staticmethod
    def from_dict(found: dict[str, Any]) -> Finding:
        """What `to_dict` gave."""
        return Finding(
            str(found["severity"]),
            str(found["code"]),
            int(found["count"]),
            str(found["means"]),
            str(found["does"]),
            tuple(str(name) for name in found["examples"]),
        )
