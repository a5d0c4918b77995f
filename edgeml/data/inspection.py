"""The work of `edgeml data`: a source -> what it holds and what the guardrails found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeml.data.guardrails.alike import Alike, find_alike
from edgeml.data.guardrails.finding import Finding
from edgeml.data.guardrails.guardrails import bound, check, severities
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, kind_of
from edgeml.data.split import FRACTION, divide
from edgeml.errors import DataError


@dataclass(frozen=True)
class Inspection:
    """What a data set holds and what is wrong with it.

    Attributes:
        path, kind, task, classes: as the reader understood it; kind is image, audio, sensor or table.
        input_shape: (height, width, channels); of recordings (samples, 1, 1).
        counts: samples by part as the source brings them.
        class_counts: samples by class; empty for regression.
        findings: errors first.
        remarks: sentences of the reader.
    """

    path: str
    kind: str
    task: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    counts: Mapping[str, int]
    class_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether a search would start."""
        return not severities(self.findings)["error"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "path": self.path,
            "kind": self.kind,
            "task": self.task,
            "classes": list(self.classes),
            "input_shape": list(self.input_shape),
            "counts": dict(self.counts),
            "class_counts": dict(self.class_counts),
            "ok": self.ok,
            "severities": dict(severities(self.findings)),
            "findings": [finding.to_dict() for finding in self.findings],
            "remarks": list(self.remarks),
        }


def inspect(source: str, options: ReadOptions | None = None) -> Inspection:
    """The name or path of a data set -> Inspection; nothing is trained or written.

    Raises:
        DataError: it cannot be read at all.
    """
    options = options or ReadOptions()
    found = read_source(source, options)
    alike = find_alike(found)
    findings = list(check(found, alike))
    refusal = _refusal(found, alike, options.seed)
    if refusal and not any(finding.severity == "error" for finding in findings):
        findings.insert(0, Finding("error", "cannot-be-split", 1, refusal, "stops."))
    _, height, width, channels = found.parts["train"].inputs.shape
    return Inspection(
        path=found.path,
        kind=kind_of(found.preprocessing),
        task=found.task,
        classes=found.classes,
        input_shape=(height, width, channels),
        counts={part: len(split) for part, split in found.parts.items()},
        class_counts=_class_counts(found),
        findings=tuple(findings),
        remarks=found.warnings,
    )


def _class_counts(found: Source) -> dict[str, int]:
    if found.task == "regression":
        return {}
    labels = np.concatenate([split.labels for split in found.parts.values()])
    counts = np.bincount(labels, minlength=len(found.classes))
    return {name: int(count) for name, count in zip(found.classes, counts, strict=True)}


def _refusal(found: Source, alike: Alike, seed: int) -> str | None:
    """Why a split cannot be made."""
    shares = dict.fromkeys(("val", "test"), FRACTION)
    try:
        divide(found.parts, found.classes, shares, seed, found.path, found.task, *bound(found, alike))
    except DataError as error:
        return str(error)
    return None
