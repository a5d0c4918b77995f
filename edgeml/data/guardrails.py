"""Source -> findings: what is wrong with a data set, before anything is trained on it.

CHECKS look at labels, at samples that are alike, and at values; readers add what only files show
(`Source.findings`). An error stops a search, warnings are kept for the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeml.data.finding import SEVERITIES, Finding
from edgeml.data.guardrail_alike import Alike, alike_findings, find_alike
from edgeml.data.guardrail_labels import label_findings
from edgeml.data.guardrail_near import near_findings
from edgeml.data.guardrail_values import value_findings
from edgeml.data.source import Source, some
from edgeml.errors import DataError

Check = Callable[[Source, Alike], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (label_findings, value_findings, alike_findings, near_findings)


@dataclass(frozen=True, eq=False)
class Checked:
    """What the guardrails found.

    Attributes:
        findings: errors first, then warnings, then notes.
        together: (n,) int64 for the train part: equal numbers must stay in one split, because their bytes are
            equal; None where there are none, or where equal samples are no copies (tables, sensor windows).
    """

    findings: tuple[Finding, ...]
    together: NDArray[np.int64] | None


def stop(findings: Iterable[Finding], where: str) -> None:
    """Refuse data with errors.

    Raises:
        DataError: one sentence on the first error, and where to see all.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        first = errors[0]
        named = f" ({some(first.examples, 3)})" if first.examples else ""
        more = f" and {len(errors) - 1} more errors" if len(errors) > 1 else ""
        raise DataError(
            f"{where}: {first.means.rstrip('.')}{named}{more}; see `edgeml data {where}` and correct it."
        )


def check(source: Source) -> Checked:
    """All guardrails on a source, those of its reader included."""
    alike = find_alike(source)
    found = [*source.findings, *(finding for one in CHECKS for finding in one(source, alike))]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Checked(tuple(found), _together(source, alike))


def _together(source: Source, alike: Alike) -> NDArray[np.int64] | None:
    """Copies among pictures and recordings; rows of a table may be equal and no copies."""
    if kind_of(source) not in ("image", "audio") or {"val", "test"} <= set(source.parts):
        return None
    numbers = alike.numbers["train"]
    return numbers if len(np.unique(numbers)) < len(numbers) else None


def merged(groups: NDArray[np.int64], together: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups that share copies become one, so that neither is divided."""
    _, group = np.unique(groups, return_inverse=True)
    _, copy = np.unique(together, return_inverse=True)
    number = group
    while True:
        of_copy = np.full(len(copy), len(group))
        np.minimum.at(of_copy, copy, number)
        of_group = np.full(len(group), len(group))
        np.minimum.at(of_group, group, of_copy[copy])
        if (of_group[group] == number).all():
            return number.astype(np.int64)
        number = of_group[group]


def kind_of(source: Source) -> str:
    """Kind of the inputs: "image", "audio", "sensor" or "table"."""
    return str(source.preprocessing.get("kind", "image"))


def severities(findings: Iterable[Finding]) -> Mapping[str, int]:
    """How many findings of each severity."""
    listed = [finding.severity for finding in findings]
    return {severity: listed.count(severity) for severity in SEVERITIES}
