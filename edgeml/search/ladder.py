"""Fidelity file -> Ladder: the rungs of a search, from the cheapest training to the full one.

A rung is a share of full training: epochs, part of the data, input resolution, width and cells. What each
costs, and which share of all training it may have, decides what is done next (search/rungs.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.arch.cell import Arch
from edgeml.arch.scale import scaled
from edgeml.arch.space import Task
from edgeml.errors import ConfigError
from edgeml.resources import find, load_yaml, validation_message
from edgeml.train.fidelity import Fidelity

WORTH_RUNGS = 5
"""With fewer trials there is nothing to choose from: every one is trained fully."""

SMALLEST = 32
"""Samples a step that a rung's `batch` leaves, where full training has more."""

Part = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Rung:
    """A share of full training; every factor is above 0 and at most 1.

    Attributes:
        epochs: of full training's epochs, those of the rungs below included.
        data: of the training samples.
        resolution: of the input's height and width.
        width: of the channels.
        cells: of the cells of each stage.
        batch: of full training's batch size, 32 samples at least where it has them: short trainings lack
            optimiser steps (docs/decisions/005).
        share: of all training that this rung may have; the shares of a ladder add up to 1.
    """

    epochs: float
    data: float = 1.0
    resolution: float = 1.0
    width: float = 1.0
    cells: float = 1.0
    batch: float = 1.0
    share: float = 1.0

    @property
    def whole(self) -> bool:
        """Whether the network itself is trained, not a smaller one in its place."""
        return self.resolution == self.width == self.cells == 1

    @property
    def cost(self) -> float:
        """Of training from scratch at this rung, where full training costs 1 (MACs of the samples seen)."""
        return self.epochs * self.data * self.resolution**2 * self.width**2 * self.cells

    def scaled(self, arch: Arch) -> Arch:
        """The network that is trained for `arch` on this rung."""
        return arch if self.whole else scaled(arch, self.resolution, self.width, self.cells)


@dataclass(frozen=True)
class Ladder:
    """Rungs from cheap to full.

    Attributes:
        name: of its file.
        rungs: all of them.
        carry: a promoted network goes on from its own weights.
        first: index of the rung on which new architectures are trained; the top where they are few.
    """

    name: str
    rungs: tuple[Rung, ...]
    carry: bool = True
    first: int = 0

    @property
    def top(self) -> int:
        """Index of full training."""
        return len(self.rungs) - 1

    @property
    def climbs(self) -> bool:
        """Whether there is a rung below full training."""
        return self.first < self.top

    @property
    def used(self) -> tuple[Rung, ...]:
        """The rungs from the first on."""
        return self.rungs[self.first :]

    def cost(self, index: int) -> float:
        """Of what is trained on a rung, those below already done; full training from scratch costs 1."""
        rung = self.rungs[index]
        if not self.goes_on(index):
            return rung.cost
        before = self.rungs[index - 1]
        return rung.cost * (rung.epochs - before.epochs) / rung.epochs

    def fidelity(self, index: int, full: Fidelity) -> Fidelity:
        """What a network trains on a rung, those below already done."""
        rung = self.rungs[index]
        before = self.rungs[index - 1].epochs if self.goes_on(index) else 0.0
        return replace(
            full,
            epochs=full.epochs * (rung.epochs - before),
            batch_size=max(min(SMALLEST, full.batch_size), round(full.batch_size * rung.batch)),
            data_fraction=rung.data,
            resolution=rung.resolution,
            width=rung.width,
            cells=rung.cells,
        )

    def goes_on(self, index: int) -> bool:
        """Whether a rung adds to the training of the one below: more epochs, and weights that fit."""
        if index == self.first:
            return False
        rung, before = self.rungs[index], self.rungs[index - 1]
        fits = (rung.width, rung.cells) == (before.width, before.cells)
        return self.carry and fits and rung.epochs > before.epochs

    def check(self, task: Task) -> None:
        """Refuse a lower resolution for inputs that cannot be had at one.

        Raises:
            ConfigError: says which rung.
        """
        low = [(i, rung.resolution) for i, rung in enumerate(self.rungs, start=1) if rung.resolution < 1]
        if low and not task.resizable:
            raise ConfigError(
                f"--fidelity {self.name}: rung {low[0][0]} has resolution {low[0][1]:g}, "
                "which only images have, expected 1 for these data; lower its epochs or data instead."
            )

    def for_trials(self, trials: int) -> Ladder:
        """The ladder of a run of so many trials: only full training where they are few."""
        if trials >= WORTH_RUNGS or not self.top:
            return self
        return replace(self, rungs=(*self.rungs[:-1], replace(self.rungs[-1], share=1.0)), first=self.top)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of its file."""
        return {"name": self.name, "rungs": [asdict(rung) for rung in self.rungs], "carry": self.carry}


FULL = Ladder("full", (Rung(1.0),))
"""One rung: every candidate is trained fully."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RungFile(_Strict):
    """One rung of a fidelity file."""

    epochs: Part = 1.0
    data: Part = 1.0
    resolution: Part = 1.0
    width: Part = 1.0
    cells: Part = 1.0
    batch: Part = 1.0
    share: float = Field(1.0, gt=0)


class FidelityFile(_Strict):
    """A fidelity file."""

    description: str = Field(min_length=1)
    rungs: list[RungFile] = Field(min_length=1, max_length=6)
    carry: bool = True


def load_ladder(name: str) -> Ladder:
    """Name or path -> Ladder.

    Raises:
        UnknownNameError: no such fidelity.
        ConfigError: the file does not validate or its rungs do not rise; names the file and the rung.
    """
    path = find("fidelities", name, "fidelity")
    value, lines = load_yaml(path)
    try:
        file = FidelityFile.model_validate(value)
    except ValidationError as error:
        raise ConfigError(validation_message(path, lines, error)) from error
    rungs = [Rung(**rung.model_dump()) for rung in file.rungs]
    problem = _not_rising(rungs)
    if problem:
        raise ConfigError(f"{path}:{lines.get(('rungs', problem[0]), 1)}: {problem[1]}")
    total = sum(rung.share for rung in rungs)
    return Ladder(path.stem, tuple(replace(rung, share=rung.share / total) for rung in rungs), file.carry)


def _not_rising(rungs: Sequence[Rung]) -> tuple[int, str] | None:
    """Index of the first rung that is not more training than the one before, and what is wrong."""
    for index, (before, rung) in enumerate(pairwise(rungs), start=1):
        for factor in ("epochs", "data", "resolution", "width", "cells"):
            low, high = getattr(before, factor), getattr(rung, factor)
            if high < low:
                return index, (
                    f"rung {index + 1} has {factor} {high:g} after {low:g} on the rung below; "
                    "rungs go from less training to more, so raise it."
                )
        if rung.cost <= before.cost:
            return index, f"rung {index + 1} is no more training than the rung below; raise its epochs."
    last = rungs[-1]
    if last.cost < 1:
        return len(rungs) - 1, (
            f"the last rung is {100 * last.cost:.3g} % of full training; make it full "
            "(epochs, data, resolution, width and cells 1): final accuracies come from it."
        )
    return None
