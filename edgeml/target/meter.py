"""What a meter is: models in, figures out. Meters are in target/meters/, their table in meter_table.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.errors import ConfigError, ModelError
from edgeml.target.measurement import Measurement
from edgeml.target.profile import Target

Figures = dict[str, Measurement]
"""Measurements of one model by metric."""


class MeterUnavailableError(Exception):
    """The tool or the device is not there; the target's next meter is tried. The text says why, for users."""


class UnreadableModelError(ModelError):
    """The meter cannot look into a model, one that is compiled already say; others may have figures of it."""


@dataclass(frozen=True)
class Subject:
    """A model as meters see it.

    Attributes:
        model: its operators and shapes: read from the file, or outlined from an architecture.
        content: the .tflite file; None before there is one (only meters with `before_training` get those).
    """

    model: TfliteModel
    content: bytes | None = None

    @staticmethod
    def of(content: bytes) -> Subject:
        """TFLite bytes -> Subject.

        Raises:
            ModelError: not a TFLite file, or damaged.
        """
        return Subject(read_model(content), content)

    @property
    def artifact(self) -> bytes:
        """The file, for meters that need one."""
        assert self.content is not None, "this meter needs an artifact: no before_training"
        return self.content


class Meter(Protocol):
    """Models by name -> figures of each by metric, measured together where that matters."""

    def __call__(self, subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
        """Measure.

        Raises:
            MeterUnavailableError: the tool or device is not there.
            ModelError: the device cannot run a model; the message says why.
            UnreadableModelError: only other meters can say something of a model.
        """
        ...


class Options(BaseModel):
    """Settings of one meter, from `options: {METER: {...}}` of a profile. Subclass to have some."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def longest_s(self) -> float:
        """Seconds that the meter may take for a model by limits of its own; 0 where it has none."""
        return 0.0


class TimeLimited(Options):
    """Options of a meter that gives up on a model after `time_limit_s`."""

    time_limit_s: float = Field(60, gt=0)

    @property
    def longest_s(self) -> float:
        """Seconds of a model."""
        return self.time_limit_s


Some = TypeVar("Some", bound=Options)


def options(target: Target, meter: str, kind: type[Some]) -> Some:
    """A target's settings of a meter, validated.

    Raises:
        ConfigError: they do not fit; names profile, meter and option.
    """
    try:
        return kind.model_validate(target.options.get(meter, {}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("options", meter, *first["loc"]))
        raise ConfigError(
            f"target {target.name}: {where}: {first['msg']}, found {first['input']!r}."
        ) from error


def _nothing_missing(target: Target) -> str:
    """Usable everywhere."""
    return ""


@dataclass(frozen=True)
class MeterEntry:
    """A meter in the table.

    Attributes:
        measure: the meter.
        kinds: what it may give, and of which kind each figure is (see measurement.KINDS).
        does: one sentence for users.
        before_training: works on an outline alone.
        wall_clock: differs from run to run, so the front is measured again in one session.
        options: its settings.
        missing: target -> why it cannot be used here and how that changes, "" where it can.
    """

    measure: Meter
    kinds: Mapping[str, str]
    does: str
    before_training: bool = False
    wall_clock: bool = False
    options: type[Options] = Options
    missing: Callable[[Target], str] = _nothing_missing

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it may give."""
        return tuple(self.kinds)

    @property
    def gives(self) -> str:
        """The same with the kinds: "ram_bytes measured; flash_bytes estimated"."""
        by_kind: dict[str, list[str]] = {}
        for metric, kind in self.kinds.items():
            by_kind.setdefault(kind, []).append(metric)
        return "; ".join(f"{', '.join(metrics)} {kind}" for kind, metrics in by_kind.items())
