"""A trained network and the data it knows: what every way to compress it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Dataset
from edgeml.deploy.fold import Folded, fold
from edgeml.train.build import Weights

IMAGES = 500
"""Calibration images at most."""


@dataclass
class Int8:
    """An artifact and how its activation ranges were chosen.

    Attributes:
        rows: one a calibration tried: images, rule, percentile, accuracy (int8, validation), kept.
    """

    artifact: bytes
    accuracy: float
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, Any]:
        """The calibration that was kept."""
        return next(row for row in self.rows if row["kept"])


@dataclass
class Trained:
    """A fully trained network.

    Attributes:
        graph, weights: the network.
        data: at its resolution.
        seed, recipe: of its training.
        float_accuracy, accuracy: float32 and int8, on validation.
    """

    graph: Graph
    weights: Weights
    data: Dataset
    seed: int
    recipe: Recipe
    float_accuracy: float
    accuracy: float

    @cached_property
    def folded(self) -> dict[str, Folded]:
        """Weights as deployed."""
        return fold(self.graph, self.weights)

    @cached_property
    def images(self) -> Any:
        """Calibration images, uint8."""
        return self.data.calibration(IMAGES, self.seed)

    def calibrated(
        self,
        weights: Weights,
        known: float | None = None,
        finish: Callable[[bytes], bytes] | None = None,
    ) -> Int8:
        """Weights -> the int8 artifact of the calibration that is best on validation; ties go to the first.

        Args:
            weights: by "place:name".
            known: accuracy with the first calibration, where it is known.
            finish: what is done to every artifact.
        """
        from edgeml.deploy import calibrate, runtime

        folded = fold(self.graph, weights)
        quantiser = calibrate.Quantiser(self.graph, folded, self.images[: calibrate.DEFAULT.images])
        observed = calibrate.Observed(self.graph, folded, self.images)
        best: Int8 | None = None
        rows = []
        for choice in calibrate.CHOICES:
            if choice.images > len(self.images) and choice is not calibrate.DEFAULT:
                continue
            artifact = quantiser.artifact(observed.ranges(choice))
            artifact = finish(artifact) if finish else artifact
            first = choice is calibrate.DEFAULT and known is not None
            accuracy = known if first and known is not None else runtime.accuracy(artifact, self.data.val)
            rows.append({**choice.to_dict(), "accuracy": accuracy, "kept": False})
            if best is None or accuracy > best.accuracy:
                best, kept = Int8(artifact, accuracy), len(rows) - 1
        assert best is not None
        rows[kept]["kept"] = True
        return replace(best, rows=rows)
