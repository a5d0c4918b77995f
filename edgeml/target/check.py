"""TFLite bytes and a target -> Check: a verdict per operator, figures without a stopwatch, limits kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeml.errors import ModelError
from edgeml.target.limits import describe, violations
from edgeml.target.measure import figures_at_rest
from edgeml.target.meter import Figures, Subject
from edgeml.target.profile import Target
from edgeml.target.rule_sets import verdicts
from edgeml.target.rules import OpVerdict


@dataclass(frozen=True)
class Check:
    """What a target makes of a model.

    Attributes:
        model: name or path, for people.
        target: name of the profile.
        ops: a verdict for every operator, in execution order.
        figures: what is known without timing anything.
        limits: what the device allows, by metric.
        problems: one sentence for each reason why the model cannot be used as it is.
        notes: what a user should know besides.
    """

    model: str
    target: str
    ops: tuple[OpVerdict, ...]
    figures: Figures
    limits: Mapping[str, float]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """The device takes the model within its limits."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """What `edgeml check --json` prints."""
        return {
            "model": self.model,
            "target": self.target,
            "ok": self.ok,
            "ops": [vars(op) for op in self.ops],
            "metrics": {name: figure.to_dict() for name, figure in self.figures.items()},
            "limits": [
                {"metric": name, "limit": limit, "value": self.figures[name].value if known else None}
                for name, limit in self.limits.items()
                for known in [name in self.figures]
            ],
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


def check(content: bytes, target: Target, name: str = "the model") -> Check:
    """TFLite bytes -> Check.

    Raises:
        ModelError: not a TFLite file, or damaged.
    """
    subject = Subject.of(content)
    ops = tuple(verdicts(subject.model, content, target))
    problems = _refusals(ops, target)
    figures: Figures = {}
    try:
        figures = figures_at_rest(subject, target)
    except ModelError as error:
        if not problems:  # else it only says again what the refusals say
            problems.append(str(error))
    limits = target.limit_values()
    known = {metric: figure.value for metric, figure in figures.items()}
    problems += [
        f"{metric} is {describe(metric, known[metric])} {figures[metric].kind}, "
        f"{target.name} has {describe(metric, limits[metric])}."
        for metric in violations(known, limits)
        if metric != "host_ops"
    ]
    return Check(name, target.name, ops, figures, limits, tuple(problems), _notes(figures))


def _refusals(ops: tuple[OpVerdict, ...], target: Target) -> list[str]:
    """One sentence for each reason, however many operators have it; none where a fallback is allowed.

    What LiteRT on a CPU refuses has nothing to fall back to.
    """
    allowed = target.limits.host_ops if target.rules else 0
    refused = [op for op in ops if not op.mapped]
    if not refused or allowed is None or len(refused) <= allowed:
        return []
    by_reason: dict[tuple[str, str], list[OpVerdict]] = {}
    for op in refused:
        by_reason.setdefault((op.reason, op.instead), []).append(op)
    found = []
    for (reason, instead), same in by_reason.items():
        names = list(dict.fromkeys(op.op for op in same))
        what = "the model" if len(same) == len(ops) else f"{len(same)} x {', '.join(names)}"
        found.append(f"{target.name} refuses {what}: {reason}. {_sentence(instead)}".strip())
    return found


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}." if text else ""


def _notes(figures: Figures) -> tuple[str, ...]:
    """What the meters had to say beside their figures."""
    said = [note for figure in figures.values() for note in figure.conditions.get("notes", [])]
    said += [
        f"{name} is extrapolated: {figure.conditions['outside_fit']}."
        for name, figure in figures.items()
        if "outside_fit" in figure.conditions
    ]
    return tuple(dict.fromkeys(said))
