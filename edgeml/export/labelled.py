"""A TFLite file of an export -> the same with metadata: what it is, what goes in, what comes out."""

from __future__ import annotations

from edgeml.export.given import ExportInput
from edgeml.export.keras_files import output_name
from edgeml.export.metadata import About, Output, described


def labelled(given: ExportInput, model: bytes, rate_hz: int | None = None) -> bytes:
    """With metadata, which does not touch what is computed.

    Args:
        given: what the model is.
        model: TFLite file.
        rate_hz: of the waveform that it takes; None for one that takes what the network does.
    """
    dataset, task = str(given.run["dataset"]["name"]), given.goal.task
    classes = tuple(given.classes) if task == "classification" else ()
    what = {
        "classification": ("classifier", f"Tells {len(classes)} classes of {dataset} apart"),
        "regression": ("regressor", f"Predicts the label of {dataset}"),
        "anomaly": ("anomaly detector", f"Gives back what is normal in {dataset}"),
    }[task]
    about = About(
        name=f"{dataset} {what[0]} {given.key}",
        description=f"{what[1]}; edgeml candidate {given.key}.",
        version=given.key,
        author=f"edgeml {given.run['edgeml']}",
    )
    name = {"classification": "probability"}.get(task, output_name(given))
    output = Output(name, output_said(given), classes, given.graph.output_shape[2])
    return described(model, about, given.kind, output, rate_hz)


def output_said(given: ExportInput) -> str:
    """What the outputs are, in a sentence."""
    goal = given.goal
    if goal.task == "classification":
        return "Probability of each class, 0 to 1 (softmax)."
    if goal.task == "regression":
        return f"Standardised value: label = output * {goal.std!r} + {goal.mean!r}."
    return "The input / 255 again; the mean squared difference between them is the anomaly score."
