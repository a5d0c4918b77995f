"""RunFiles -> what the guardrails found in the data, worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.data.guardrails.finding import SEVERITIES
from edgeml.report.markup import Child, Markup, tag
from edgeml.report.run_files import RunFiles
from edgeml.report.tables import row, table


def findings(run: RunFiles) -> list[Mapping[str, Any]]:
    """run.json's dataset.guardrails, errors first; nothing in runs older than they are."""
    found = (run.run.get("dataset") or {}).get("guardrails") or ()
    known = [one for one in found if isinstance(one, Mapping)]
    return sorted(known, key=lambda one: _place(str(one.get("severity"))))


def _place(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def sentence(run: RunFiles) -> str | None:
    """How many findings of each severity; None where the run does not know guardrails."""
    if "guardrails" not in (run.run.get("dataset") or {}):
        return None
    found = findings(run)
    if not found:
        return "The guardrails found nothing to object to in the data."
    counts = [(name, sum(one.get("severity") == name for one in found)) for name in SEVERITIES]
    said = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts if n)
    return f"The guardrails found: {said}."


def shown(run: RunFiles) -> Markup | None:
    """The findings as a table."""
    rows = [_row(one) for one in findings(run)]
    heads = ["severity", "what", "how many", "what it means", "what edgeml does", "examples"]
    return table("Guardrails", heads, rows) if rows else None


def _row(one: Mapping[str, Any]) -> Markup:
    severity = str(one.get("severity"))
    cells: list[Child] = [
        tag("span", severity, class_="kind estimate" if severity in SEVERITIES[:2] else "kind"),
        tag("code", str(one.get("code", ""))),
        str(one.get("count", "")),
        str(one.get("means", "")),
        str(one.get("does", "")),
        ", ".join(map(str, one.get("examples") or ())) or "-",
    ]
    return row(cells)
