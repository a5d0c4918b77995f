"""Source -> findings: what is wrong with a data set, before anything is trained on it.

CHECKS look at labels, at samples that are alike, and at values; readers add what only files show
(`Source.findings`). An error stops a search, warnings are kept for the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeml.data.guardrails.alike import Alike, alike_findings, find_alike
from edgeml.data.guardrails.finding import SEVERITIES, Finding
from edgeml.data.guardrails.labels import label_findings
from edgeml.data.guardrails.near import near_findings
from edgeml.data.guardrails.values import value_findings
from edgeml.data.source import Source, kind_of, shown, some
from edgeml.errors import DataError

Check = Callable[[Source, Alike], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (label_findings, value_findings, alike_findings, near_findings)


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


def check(source: Source, alike: Alike | None = None) -> tuple[Finding, ...]:
    """All guardrails on a source, those of its reader included; errors first, then warnings, then notes."""
    alike = alike or find_alike(source)
    found = [*source.findings, *(finding for one in CHECKS for finding in one(source, alike))]
    if source.skipped and not any(finding.code == "corrupt-files" for finding in found):
        found.append(_skipped(source.skipped))
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return tuple(found)


def _skipped(names: Sequence[str]) -> Finding:
    """What a reader that has no finding of its own could not read."""
    return Finding(
        "warning",
        "corrupt-files",
        len(names),
        f"{len(names)} files cannot be read.",
        "leaves them out; --strict makes it an error.",
        tuple(shown(name) for name in names),
    )


def copies(source: Source, alike: Alike) -> NDArray[np.int64] | None:
    """Samples of the train part that must stay in one split, because their bytes are equal.

    Returns:
        (n,), equal numbers for such samples; None where there are none, or where equal samples are no copies:
        rows of tables and sensor windows may well be equal.
    """
    if kind_of(source.preprocessing) not in ("image", "audio") or {"val", "test"} <= set(source.parts):
        return None
    numbers = alike.numbers["train"]
    return numbers if len(np.unique(numbers)) < len(numbers) else None


def bound(source: Source, alike: Alike) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """What no split may divide: (groups of the train part, those that share copies made one; its copies)."""
    groups, together = source.groups.get("train"), copies(source, alike)
    if groups is not None and together is not None:
        groups = merged(groups, together)
    return groups, together


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


def severities(findings: Iterable[Finding]) -> Mapping[str, int]:
    """How many findings of each severity."""
    listed = [finding.severity for finding in findings]
    return {severity: listed.count(severity) for severity in SEVERITIES}
