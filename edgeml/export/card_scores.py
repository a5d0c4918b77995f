"""Spec and Scores -> the sections of the card on how well the model does its task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeml.data.goal import Goal
from edgeml.data.metrics import METRICS
from edgeml.export.literals import markdown_text as text
from edgeml.export.scores import ClassScore, Scores
from edgeml.export.spec import Share, Spec
from edgeml.report import figures
from edgeml.search.finishing.compression import points

MOST_CLASSES = 100
"""With more classes the card lists those of the lowest recall; model.json has all."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells, already Markdown -> a table; nothing where there are no rows."""
    lines = ["| " + " | ".join(cell or "-" for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines]) if lines else ""


def percent_with(share: Share) -> str:
    """A share with its interval: "97.8 % (95.2 % to 99.0 %, n = 269)"."""
    low, high = figures.percent(max(0.0, share.low)), figures.percent(min(1.0, share.high))
    return f"{figures.percent(share.value)} ({low} to {high}, n = {share.n:,})"


def said_with(goal: Goal, share: Share) -> str:
    """A score with its interval, in the metric's own unit: "0.981 (0.97 to 0.99, n = 269)"."""
    ends = sorted((max(0.0, share.low), min(1.0, share.high)), key=goal.value_of)
    return f"{goal.said(share.value)} ({' to '.join(map(goal.said, ends))}, n = {share.n:,})"


def scored(spec: Spec) -> str:
    """Section on the score: int8 and float, test and validation."""
    found, goal = spec.scored, spec.data.goal
    before = " before compression" if spec.search.lineage.compression else ""
    rows = [
        ("int8 artifact, test split", said_with(goal, found.test)),
        ("int8 artifact, validation split", said_with(goal, found.validation)),
        (f"float network{before}, validation split", goal.said(found.validation_float)),
    ]
    if found.validation_float is not None:
        rows.append(("drop from float to int8, validation split", _drop(spec)))
    confirmed = spec.search.lineage.confirmed
    if confirmed and confirmed.test_accuracy and not spec.rebuilt:
        again = said_with(goal, Share.model_validate(confirmed.test_accuracy.model_dump()))
        rows.append(("the same network trained from scratch, int8, test split", again))
    top = goal.metric == "accuracy"
    how = "the 95 % Wilson interval" if top else "the 95 % interval of 1,000 bootstrap samples"
    title = "Accuracy" if top else goal.title[:1].upper() + goal.title[1:]
    parts = [
        f"## {title}\n\nIn brackets {how} and the number of {_samples(spec)}. The test split had no "
        "part in training or in the search; the validation split steered the search, so its figure "
        "flatters." + _unit(goal),
        table(("what", "top-1 accuracy" if top else goal.title), rows),
        *([] if top and goal.task == "classification" else [_metrics(found.metrics)]),
        *([] if found.threshold is None else [_threshold(spec)]),
    ]
    return "\n\n".join(parts)


def _samples(spec: Spec) -> str:
    return "images" if spec.kind == "image" else "samples"


def _drop(spec: Spec) -> str:
    found, goal = spec.scored, spec.data.goal
    assert found.validation_float is not None
    if METRICS[goal.metric].unit == "%":
        return f"{points(found.validation_float, found.validation.value):.1f} percentage points"
    lost = goal.value_of(found.validation_float) - goal.value_of(found.validation.value)
    if found.validation.value == found.validation_float:
        return "none"
    return f"{abs(lost):.3g} {'worse' if found.validation.value < found.validation_float else 'better'}"


def _unit(goal: Goal) -> str:
    if goal.task != "regression":
        return ""
    return (
        f" In the unit of the label; always saying the best constant gives {goal.baseline:.4g} on the "
        "training split."
    )


def _metrics(found: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (METRICS[name].title, *(_value(METRICS[name].unit, row[end]) for end in ("value", "low", "high")))
        for name, row in found.items()
    ]
    shown = table(("metric", "value", "from", "to"), rows)
    return f"Every metric of this task, int8 artifact, test split:\n\n{shown}"


def _value(unit: str, value: float) -> str:
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.3f}" if unit == "" else f"{value:.4g}"


def _threshold(spec: Spec) -> str:
    found = spec.scored.threshold
    assert found is not None
    recall, alarms = (percent_with(Share.model_validate(one)) for one in (found.recall, found.false_alarms))
    return (
        f"**Threshold:** a sample whose score is above {found.value:.6g} is called anomalous. It was chosen "
        f"on the validation split for the best balanced accuracy ({figures.percent(found.balanced_accuracy)} "
        f"there). On the test split it finds {recall} of what is anomalous and calls {alarms} of what is "
        "normal anomalous (false alarms)."
    )


def by_class(scores: Scores) -> str:
    """Section on precision and recall; "" where outputs are no classes."""
    rows = list(scores.classes)
    if not rows:
        return ""
    note = "The int8 artifact on the test split."
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda row: (row.recall is None, row.recall))[:MOST_CLASSES]
        note += (
            f" The {MOST_CLASSES} of {len(scores.classes):,} classes with the lowest recall; `model.json` "
            "(`per_class`) has all."
        )
    shown = table(("class", "precision", "recall", "n"), (_class_row(row) for row in rows))
    mixed = "; ".join(f"{text(a)} taken for {text(b)}: {n}" for a, b, n in scores.confusions)
    return f"## By class\n\n{note}\n\n{shown}" + (f"\n\nMost frequent mistakes: {mixed}." if mixed else "")


def _class_row(row: ClassScore) -> tuple[str, ...]:
    return text(row.name), figures.percent(row.precision), figures.percent(row.recall), str(row.n)


def as_data(spec: Spec) -> dict[str, Any]:
    """What model.json says of the task: how outputs are read, and every metric on the test split."""
    goal, found = spec.data.goal, spec.scored
    said: dict[str, Any] = {
        "task": goal.task,
        "metric": goal.described(),
        "test_metrics": found.metrics,
        "preprocessing": spec.preprocessing,
    }
    if goal.task == "regression":
        said["value"] = {"mean": goal.mean, "std": goal.std, "is": "output * std + mean"}
    if found.threshold is not None:
        said["threshold"] = spec.scored.model_dump(mode="json")["threshold"]
    return said
