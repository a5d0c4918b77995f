"""Target: what a device allows and costs, from targets/NAME.yaml; `inherits:` names another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.errors import ConfigError
from edgeml.resources import find, is_path, load_yaml, validation_message

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
    flash_bytes: float | None = Field(None, gt=0)
    streamed_bytes: float | None = Field(None, ge=0)
    host_ops: float | None = Field(None, ge=0)
    macs: float | None = Field(None, gt=0)
    latency_ms: float | None = Field(None, gt=0)


class Fact(BaseModel):
    """Something known about a device, and from where."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    what: str = Field(min_length=1)
    value: str = Field(min_length=1)
    source: str = Field(min_length=1)


Option = bool | int | float | str | None | list[str]


class Target(BaseModel):
    """A device profile.

    Attributes:
        name: file stem.
        description: one sentence: device, runtime, threads.
        rules: whose refusals count, a name in rule_sets.RULE_SETS; None where all LiteRT runs is welcome.
        objectives: metrics to minimise beside accuracy.
        limits: what the device has; `host_ops: 0` lets no operator fall back to the host processor.
        meters: names of meters, in order of preference: the first that gives a metric decides it.
        options: settings of meters, by meter.
        space: search space used when the user names none.
        threads: of the runtime on the device.
        coefficients: numbers of the estimators.
        facts: the device, each with its source.
        notes: what a user should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str = Field(min_length=1)
    rules: str | None = None
    objectives: list[
        Literal["latency_ms", "size_bytes", "ram_bytes", "flash_bytes", "macs", "instructions"]
    ] = Field(min_length=1)
    limits: LimitsFile = LimitsFile.model_validate({})
    meters: list[str] = []
    options: dict[str, dict[str, Option]] = {}
    space: str = "micro_cell"
    threads: int = Field(1, ge=1, le=256)
    coefficients: dict[str, Coefficient] = {}
    facts: list[Fact] = []
    notes: list[str] = []

    def coefficient(self, name: str) -> float:
        """Value of a coefficient.

        Raises:
            ConfigError: the profile lacks it.
        """
        if name not in self.coefficients:
            raise ConfigError(
                f"target {self.name}: coefficients lack {name!r}; add it, or inherit a profile that has it."
            )
        return self.coefficients[name].value

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
        raise ConfigError(f"{path}: inherits: found {parent!r}, expected the name or path of a target.")
    inherited, _ = _merged(_parent(path, parent), (*seen, path))
    return _overlay(inherited, value), lines


def _parent(path: Path, parent: str) -> Path:
    """A path in `inherits` is as from the folder of the file that says it, so that both can be moved."""
    return find("targets", str(path.parent / parent) if is_path(parent) else parent, "target")


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
