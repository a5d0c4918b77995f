"""What the knee model gets wrong: confusion of classes, errors, and the worst examples, for the report.

Of the validation split: the test split has been read once, for its score, and whoever looks at its mistakes
begins to tune on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.cell import Arch
from edgeml.data.source import Split
from edgeml.search.evaluate import Job, open_data
from edgeml.search.finishing.picture import picture
from edgeml.search.run_dir import RunDir

FILE = "diagnosis.json"
LAYOUT = 1
MOST_SAMPLES = 2000
"""Samples that are run; every prefix of a split is stratified."""
WORST = 12
MOST_CLASSES = 40
"""More classes have no matrix, only the pairs that are confused most."""
MOST_PAIRS = 30
MOST_POINTS = 400


def diagnose(job: Job, key: str) -> dict[str, Any]:
    """Run a candidate's artifact on the validation split and see where it errs.

    Returns:
        JSON-able: layout, key, split, n (samples run), of (samples there), task, classes, `worst` (truth,
        called, sure, wrong and a picture each), and `confusion` (rows truth, columns called; null above
        MOST_CLASSES classes) with `pairs` ([truth, called, times]); of values `points` ([truth, given]) and
        `mean_error`; of anomalies `points` ([0 normal or 1 anomalous, error]).
    """
    from edgeml.deploy import runtime

    run = RunDir(Path(job.run))
    arch = Arch.from_dict(run.load(key).arch)
    data = open_data(job.run, arch.input_shape, arch.front)
    whole = data.val
    split = whole.take(np.arange(min(len(whole), MOST_SAMPLES)))
    given = split.goal.predictions(runtime.predict(run.model(key), split.inputs), split.inputs)
    made = {"classification": _classes, "regression": _numbers, "anomaly": _anomalies}
    found, worst = made[data.task](given, split)
    return {
        "layout": LAYOUT,
        "key": key,
        "split": "val",
        "n": len(split),
        "of": len(whole),
        "task": data.task,
        "classes": list(data.classes),
        **found,
        "worst": [
            {"index": int(i), **about, **picture(split.inputs[i], data.preprocessing)} for i, about in worst
        ],
    }


Worst = list[tuple[int, dict[str, Any]]]


def _classes(given: NDArray[Any], split: Split) -> tuple[dict[str, Any], Worst]:
    """Confusion; the wrong calls the network was surest of, then the right ones it was least sure of."""
    truth, called = split.labels, given.argmax(1)
    total = given.sum(1)
    sure = given.max(1) / np.where(total > 0, total, 1)
    size = given.shape[1]
    table = np.bincount(truth * size + called, minlength=size * size).reshape(size, size)
    wrong = called != truth
    order = np.lexsort((np.where(wrong, -sure, sure), ~wrong))[:WORST]
    off = table.copy()
    np.fill_diagonal(off, 0)
    pairs = [divmod(int(flat), size) for flat in np.argsort(-off, axis=None, kind="stable")[:MOST_PAIRS]]
    worst = [
        (
            i,
            {
                "truth": int(truth[i]),
                "called": int(called[i]),
                "sure": float(sure[i]),
                "wrong": bool(wrong[i]),
            },
        )
        for i in order
    ]
    return {
        "confusion": table.tolist() if size <= MOST_CLASSES else None,
        "pairs": [[t, c, int(off[t, c])] for t, c in pairs if off[t, c]],
        "errors": int(wrong.sum()),
    }, worst


def _numbers(given: NDArray[Any], split: Split) -> tuple[dict[str, Any], Worst]:
    """Truth against what was given; the largest errors."""
    truth = split.labels.astype(np.float64)
    error = given - truth
    order = np.argsort(-np.abs(error), kind="stable")[:WORST]
    points = [[float(t), float(g)] for t, g in zip(truth[:MOST_POINTS], given[:MOST_POINTS], strict=True)]
    worst = [(i, {"truth": float(truth[i]), "called": float(given[i]), "wrong": True}) for i in order]
    return {"points": points, "mean_error": float(error.mean())}, worst


def _anomalies(given: NDArray[Any], split: Split) -> tuple[dict[str, Any], Worst]:
    """Errors of both kinds; anomalies that look normal and normal ones that look strange, in turn."""
    truth = split.labels
    strange = np.argsort(-given, kind="stable")
    normal = [i for i in strange if truth[i] == 0][: WORST // 2]
    missed = [i for i in strange[::-1] if truth[i] == 1][: WORST // 2]
    points = [[int(t), float(g)] for t, g in zip(truth[:MOST_POINTS], given[:MOST_POINTS], strict=True)]
    rank = np.empty(len(given))
    rank[strange[::-1]] = np.arange(len(given)) / max(1, len(given) - 1)
    order = [*missed, *normal]
    worst = [
        (i, {"truth": int(truth[i]), "error": float(given[i]), "rank": float(rank[i]), "wrong": True})
        for i in order
    ]
    return {"points": points}, worst
