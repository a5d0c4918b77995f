"""Device and a target -> the target with coefficients fitted to that device, and how wrong they are.

A small designed set of models is timed on the device, or read from a CSV file; the profile's estimator is
fitted to them from its own coefficients (fit.py), and every model is predicted by a fit that has not
seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.errors import ConfigError, DataError
from edgeml.target.arm_work import computes_in
from edgeml.target.calibrate.csv_file import MIN_MODELS, Sample, read_csv
from edgeml.target.calibrate.estimators import Estimator, estimator_of
from edgeml.target.calibrate.fit import Array, Errors, errors, fit, held_out, macs_prior
from edgeml.target.calibrate.write import check_out, inherits, write_profile
from edgeml.target.measure import known_target
from edgeml.target.measurement import Measurement
from edgeml.target.profile import Coefficient, Option, Target

CSV = "csv:"
MAX_MODELS = 30
TIME_LIMIT_S = 1800.0
"""Of the session on the device."""
Z90 = 1.64
"""Standard deviations on both sides that hold 90 % of a normal distribution."""
DIGITS = 4

TimeModels = Callable[[Mapping[str, bytes]], Mapping[str, Measurement]]
"""TFLite files by name -> latency of each, all taken in one session."""


@dataclass(frozen=True)
class Row:
    """One model: measured, and predicted by fits without it, of the estimator and of MACs alone."""

    model: str
    mmacs: float
    measured_ms: float
    predicted_ms: float
    by_macs_ms: float


@dataclass(frozen=True)
class Calibration:
    """A fitted profile.

    Attributes:
        base: name of the profile that was fitted.
        inherits: how the new profile names it: its name, or its path as from the new one's folder.
        device: what was timed.
        date: day, UTC.
        estimator: meter whose coefficients these are.
        dtype: "int8" or "float32", of the models.
        coefficients: by name, with source and error.
        options: settings of the estimator that belong to them.
        rows: the models, in the order they were given.
        held_out: errors of predictions by fits without the model.
        macs_only: the same for a line through MACs.
        notes: what a user should know, one sentence each.
    """

    base: str
    inherits: str
    device: str
    date: str
    estimator: str
    dtype: str
    coefficients: dict[str, Coefficient]
    options: dict[str, Option]
    rows: tuple[Row, ...]
    held_out: Errors
    macs_only: Errors
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Error in one line."""
        return (
            f"{len(self.rows)} models, held-out {_words(self.held_out)}; MACs alone {_words(self.macs_only)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = asdict(self)
        return plain | {"coefficients": {name: one.model_dump() for name, one in self.coefficients.items()}}


def calibrate(
    device: str,
    base: str,
    out: Path,
    *,
    models: int = 20,
    seed: int = 0,
    force: bool = False,
    time_models: TimeModels | None = None,
) -> Calibration:
    """The work of `edgeml calibrate`: time or read, fit, write.

    Args:
        device: "host", "ssh://user@board", "adb[:SERIAL]" or "csv:FILE".
        base: name or path of the profile whose estimator is fitted and whose threads are used.
        out: YAML file to write.
        models: how many are timed; a CSV file has as many as it has.
        seed: of their choice.
        force: replace `out` where it exists.
        time_models: times them; what `device` names when None.

    Raises:
        UnknownNameError: no such base.
        ConfigError: a base without estimator or a coefficient of it, a device it cannot be timed on, a path
            that cannot be used.
        DataError: a CSV file that cannot be used.
        DeviceError, MissingToolError, ModelError: see target.devices.time_on.
    """
    target, parent = known_target(base), inherits(base, out)
    name, estimator = estimator_of(target)
    check_out(out, parent, force)
    if device.startswith(CSV):
        samples = read_csv(Path(device.removeprefix(CSV)))
    elif not estimator.on_cpu:
        raise ConfigError(
            f"target {target.name}: {name} predicts another processor than the CPU that --device {device} "
            "times; time the models there yourself and give csv:FILE."
        )
    else:
        samples = _timed(device, target, models, seed, time_models)
    found = replace(fit_target(target, samples, device), inherits=parent)
    write_profile(found, out, force)
    return found


def _timed(device: str, base: Target, count: int, seed: int, time_models: TimeModels | None) -> list[Sample]:
    from edgeml.deploy.tflite import read_model
    from edgeml.target.calibrate.models import designed_set
    from edgeml.target.devices import check_device, time_on

    if not MIN_MODELS <= count <= MAX_MODELS:
        raise ConfigError(f"--models {count}: expected {MIN_MODELS} to {MAX_MODELS}.")
    if time_models is None:
        check_device(device)
    contents = designed_set(count, seed, base)
    measured = time_models(contents) if time_models else time_on(device, contents, base.threads, TIME_LIMIT_S)
    return [Sample(name, read_model(content), measured[name].value) for name, content in contents.items()]


def fit_target(base: Target, samples: Sequence[Sample], device: str, date: str = "") -> Calibration:
    """Timed models -> Calibration that inherits the base by its name, without writing it.

    Raises:
        ConfigError: the target has no estimator, or lacks a coefficient of it.
        DataError: too few models, of several types, or of a type the estimator does not take.
    """
    name, estimator = estimator_of(base)
    dtype = _one_dtype(samples, name, estimator)
    amounts = np.array([_amounts(sample, base, estimator) for sample in samples])
    latency = np.array([sample.latency_ms for sample in samples])
    mmacs = np.array([sample.model.macs / 1e6 for sample in samples])
    prior = estimator.prior(base)
    weights = fit(amounts, latency, prior, estimator.freedom)
    predicted = held_out(amounts, latency, prior, estimator.freedom)
    line = np.c_[mmacs, np.ones(len(mmacs))]
    by_macs = held_out(line, latency, macs_prior(line))
    left, macs_only = errors(predicted, latency), errors(by_macs, latency)
    today = date or datetime.now(UTC).date().isoformat()
    source = f"calibrated {today} on {device}, {len(samples)} models"
    spans = _spans(amounts, latency, prior, base, estimator)
    return Calibration(
        base=base.name,
        inherits=base.name,
        device=device,
        date=today,
        estimator=name,
        dtype=dtype,
        coefficients=_coefficients(base, estimator, weights, left, spans, source),
        options=estimator.settings(dtype, _rounded(mmacs.min()), _rounded(mmacs.max()))
        if estimator.settings
        else {},
        rows=tuple(
            Row(sample.name, *map(float, values))
            for sample, *values in zip(samples, mmacs, latency, predicted, by_macs, strict=True)
        ),
        held_out=left,
        macs_only=macs_only,
        notes=tuple(_notes(left, macs_only, dtype, estimator, base)),
    )


def _one_dtype(samples: Sequence[Sample], name: str, estimator: Estimator) -> str:
    if len(samples) < MIN_MODELS:
        raise DataError(f"{len(samples)} models were timed, expected at least {MIN_MODELS}; time more.")
    first = samples[0]
    dtype = computes_in(first.model)
    for sample in samples:
        found = computes_in(sample.model)
        if found not in estimator.dtypes:
            raise DataError(
                f"model {sample.name} computes in {found}; {name} takes {' or '.join(estimator.dtypes)}."
            )
        if found != dtype:
            raise DataError(
                f"model {sample.name} computes in {found} and {first.name} in {dtype}; calibrate on models "
                "of one type, the one you will ship (edgeml ships int8)."
            )
    return dtype


def _amounts(sample: Sample, base: Target, estimator: Estimator) -> Array:
    found = estimator.amounts(sample.model, base)
    if not found.sum() > 0:
        raise DataError(f"model {sample.name} has no operator that takes time; leave it out.")
    return found


def _spans(
    amounts: Array, latency: Array, prior: Array, base: Target, estimator: Estimator
) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every coefficient with any one model left out."""
    every = range(len(latency))
    fits = [
        _without(amounts, latency, prior, estimator, np.array([k for k in every if k != i])) for i in every
    ]
    written = [estimator.write(weights, base) for weights in fits]
    return {
        name: (min(one[name] for one in written), max(one[name] for one in written)) for name in written[0]
    }


def _without(
    amounts: Array, latency: Array, prior: Array, estimator: Estimator, kept: NDArray[np.intp]
) -> Array:
    return fit(amounts[kept], latency[kept], prior, estimator.freedom)


def _coefficients(
    base: Target,
    estimator: Estimator,
    weights: Array,
    left: Errors,
    spans: Mapping[str, tuple[float, float]],
    source: str,
) -> dict[str, Coefficient]:
    values = {name: (value, spans[name]) for name, value in estimator.write(weights, base).items()}
    found = {
        name: Coefficient(
            value=_rounded(value),
            unit=base.coefficients[name].unit,
            source=source,
            error=f"{low:.3g} to {high:.3g} with any one model left out",
        )
        for name, (value, (low, high)) in values.items()
    }
    # The mean of n residuals is itself uncertain, hence the root.
    half_width = Z90 * left.rms_log * float(np.sqrt(1 + 1 / len(spans)))
    for name, value in estimator.interval(half_width).items():
        error = f"90 % of models, if errors are like those of the left-out ones (MAPE {left.mape_pct:.1f} %)"
        unit = base.coefficients[name].unit
        found[name] = Coefficient(value=_rounded(value), unit=unit, source=source, error=error)
    return found


def _notes(left: Errors, macs: Errors, dtype: str, estimator: Estimator, base: Target) -> list[str]:
    notes = [
        f"Fitted from the coefficients of {base.name}; what no model of the set has keeps its ratio to them.",
        f"Holds for {dtype} models with {base.threads} thread{'s' if base.threads > 1 else ''} on the device "
        f"and runtime that were timed. Held-out error {_words(left)}.",
    ]
    if estimator.freedom == 0:
        notes.append("Only the scale was fitted: this estimator is not a sum of coefficients times amounts.")
    if left.mape_pct >= macs.mape_pct:
        notes.append(
            f"MACs alone predict these models as well ({_words(macs)}); do not trust the difference."
        )
    return notes


def _words(found: Errors) -> str:
    rank = "undefined" if found.spearman is None else f"{found.spearman:.3f}"
    return f"MAPE {found.mape_pct:.1f} %, Spearman {rank}"


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
