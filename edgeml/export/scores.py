"""The int8 artifact on the test split -> accuracy with its interval, and precision and recall by class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeml.data.dataset import Split
from edgeml.search.final import interval


@dataclass(frozen=True)
class ClassScore:
    """One class on the test split.

    Attributes:
        name: of the class.
        n: images of it.
        precision: of the images that were called so, the share that is; None where none was.
        recall: of its images, the share that was called so; None where there are none.
    """

    name: str
    n: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Scores:
    """What the artifact gets on the test split.

    Attributes:
        accuracy: {value, low, high, n}, the 95 % Wilson interval.
        classes: in the order of the outputs.
        confusions: (true class, what it was called, how often), the most frequent mistakes first.
    """

    accuracy: dict[str, float]
    classes: tuple[ClassScore, ...]
    confusions: tuple[tuple[str, str, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


CONFUSIONS = 5
"""How many of the most frequent mistakes are kept."""


def score(model: bytes, classes: tuple[str, ...], test: Split) -> Scores:
    """TFLite bytes and the test split -> Scores; one inference an image.

    Raises:
        ModelError: LiteRT cannot run it, or the images are of another size.
    """
    from edgeml.deploy.runtime import predict

    called, count = predict(model, test.inputs).argmax(-1), len(classes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (test.labels, called), 1)
    hits, of_class, of_call = np.diag(table), table.sum(1), table.sum(0)
    rows = tuple(
        ClassScore(
            name,
            int(of_class[i]),
            float(hits[i] / of_call[i]) if of_call[i] else None,
            float(hits[i] / of_class[i]) if of_class[i] else None,
        )
        for i, name in enumerate(classes)
    )
    wrong = table - np.diag(hits)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    worst = ((int(flat) // count, int(flat) % count) for flat in order)
    confusions = tuple((classes[i], classes[j], int(wrong[i, j])) for i, j in worst if wrong[i, j])
    return Scores(interval(int(hits.sum()), len(test)), rows, confusions)
