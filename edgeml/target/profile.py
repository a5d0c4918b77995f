"""Target: what a device allows and costs, from targets/NAME.yaml. A file may `inherits:` another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.errors import ConfigError
from edgeml.resources import find, load_yaml, validation_message

MAX_DEPTH = 8


class Coefficient(BaseModel):
    """A number of an estimator, with where it comes from and how wrong it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    value: float
    unit: str
    source: str = Field(min_length=1)
    error: str = Field(min_length=1)


class LimitsFile(BaseModel):
    """What the device has; None is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size_bytes: float | None = Field(None, gt=0)
    ram_bytes: float | None = Field(None, gt=0)
    macs: float | None = Field(None, gt=0)
    latency_ms: float | None = Field(None, gt=0)


class Target(BaseModel):
    """A device profile.

    Attributes:
        name: file stem.
        description: one sentence: device, runtime, threads.
        objectives: metrics to minimise beside accuracy.
        limits: what the device has.
        meters: names of meters for latency, in order of preference.
        space: search space used when the user names none.
        threads: of the host runtime.
        coefficients: numbers of the estimators.
        notes: what a user should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str = Field(min_length=1)
    objectives: list[Literal["latency_ms", "size_bytes", "ram_bytes", "macs"]] = Field(min_length=1)
    limits: LimitsFile = LimitsFile.model_validate({})
    meters: list[str] = []
    space: str = "micro_cell"
    threads: int = Field(1, ge=1, le=256)
    coefficients: dict[str, Coefficient] = {}
    notes: list[str] = []

    def limit_values(self) -> dict[str, float]:
        """Limits that are set."""
        return {name: value for name, value in self.limits.model_dump().items() if value is not None}


def load_target(name: str) -> Target:
    """Name or path -> Target, with everything it inherits.

    Raises:
        UnknownNameError: no such target.
        ConfigError: the file does not validate, or inherits in a circle.
    """
    path = find("targets", name, "target")
    value, lines = _merged(path, ())
    value["name"] = path.stem
    try:
        return Target.model_validate(value)
    except ValidationError as error:
        raise ConfigError(validation_message(path, lines, error)) from error


def _merged(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    if path in seen or len(seen) > MAX_DEPTH:
        chain = " -> ".join(p.stem for p in (*seen, path))
        raise ConfigError(f"{path}: `inherits` goes in a circle ({chain}); remove one of them.")
    value, lines = load_yaml(path)
    parent = value.pop("inherits", None)
    if parent is None:
        return value, lines
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: inherits: found {parent!r}, expected the name of a target.")
    inherited, _ = _merged(find("targets", parent, "target"), (*seen, path))
    return _overlay(inherited, value), lines


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
