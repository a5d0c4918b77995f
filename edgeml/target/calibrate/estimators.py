"""Target -> what of it can be fitted: estimators that calibration knows, and how their fit is written.

To add one: amounts whose weighted sum is latency_ms, where the weights stand in the profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import expm1

import numpy as np

from edgeml.deploy.tflite import TfliteModel
from edgeml.errors import ConfigError
from edgeml.target.arm_work import TERMS, amounts
from edgeml.target.calibrate.fit import Array
from edgeml.target.coral.latency import DEVICE_TERMS, LAYER_TERMS
from edgeml.target.mcu.cortex_m import work
from edgeml.target.meter import Subject
from edgeml.target.meters import coral_estimate
from edgeml.target.profile import Option, Target

Values = dict[str, float]


@dataclass(frozen=True)
class Estimator:
    """An estimator whose coefficients a few timed models can fit.

    Attributes:
        prior: target -> its coefficients as weights.
        amounts: model, target -> what the weights are multiplied with; their sum is latency_ms.
        write: weights, target -> the profile's coefficients.
        interval: half width of the interval in log units -> the profile's coefficients for it.
        freedom: see fit.fit; 0 fits the scale only.
        dtypes: of the models it takes.
        on_cpu: what LiteRT takes on the device's CPU is what it predicts.
        settings: type, smallest and largest model in millions of MACs -> options for the profile.
    """

    prior: Callable[[Target], Array]
    amounts: Callable[[TfliteModel, Target], Array]
    write: Callable[[Array, Target], Values]
    interval: Callable[[float], Values]
    freedom: float = 1.0
    dtypes: tuple[str, ...] = ("int8",)
    on_cpu: bool = False
    settings: Callable[[str, float, float], dict[str, Option]] | None = None


def estimator_of(target: Target) -> tuple[str, Estimator]:
    """Target -> the first of its meters that is an estimator in the table, with its name.

    Raises:
        ConfigError: it has none, or lacks a coefficient that a fit starts from or writes.
    """
    for name in target.meters:
        if name in ESTIMATORS:
            found = ESTIMATORS[name]
            for written in (*found.write(found.prior(target), target), *found.interval(0.0)):
                target.coefficient(written)
            return name, found
    raise ConfigError(
        f"target {target.name} has no estimator to fit (meters: {', '.join(target.meters) or 'none'}); give "
        f"--base a target with one of {', '.join(ESTIMATORS)}, for example mobile."
    )


def _arm_amounts(model: TfliteModel, target: Target) -> Array:
    found = amounts(model)
    return np.array([found[name] for name in TERMS])


def _named(names: tuple[str, ...]) -> Callable[[Array, Target], Values]:
    return lambda weights, target: dict(zip(names, weights.tolist(), strict=True))


def _factors(half_width: float) -> Values:
    return {"low_factor": float(np.exp(-half_width)), "high_factor": float(np.exp(half_width))}


def _arm_settings(dtype: str, smallest: float, largest: float) -> dict[str, Option]:
    return {"dtype": dtype, "mmacs_from": smallest, "mmacs_to": largest}


_CORTEX_M = ("cortex_m_depthwise_macs", "cortex_m_dense_macs", "cortex_m_output_macs")
"""Weights of the others in MACs of a convolution, whose cycles are cortex_m_cycles_per_mac."""


def _cortex_m_prior(target: Target) -> Array:
    mac = target.coefficient("cortex_m_cycles_per_mac") / target.coefficient("clock_mhz") * 1e3
    return mac * np.array([1.0, *(target.coefficient(name) for name in _CORTEX_M)])


def _cortex_m_amounts(model: TfliteModel, target: Target) -> Array:
    """Millions: a coefficient is milliseconds of a million."""
    found = work(model)
    return np.array([found.conv_macs, found.depthwise_macs, found.dense_macs, found.outputs]) / 1e6


def _cortex_m_write(weights: Array, target: Target) -> Values:
    cycles = float(weights[0]) * target.coefficient("clock_mhz") / 1e3
    others = (weights[1:] / weights[0]).tolist()
    return {"cortex_m_cycles_per_mac": cycles, **dict(zip(_CORTEX_M, others, strict=True))}


def _coral_amounts(model: TfliteModel, target: Target) -> Array:
    return np.array([coral_estimate.estimate(Subject(model), target)["latency_ms"].value])


def _coral_write(weights: Array, target: Target) -> Values:
    """Milliseconds are proportional to these together."""
    return {name: float(weights[0]) * target.coefficient(name) for name in (*LAYER_TERMS, *DEVICE_TERMS)}


ESTIMATORS: Mapping[str, Estimator] = {
    "arm_estimate": Estimator(
        prior=lambda target: np.array([target.coefficient(name) for name in TERMS]),
        amounts=_arm_amounts,
        write=_named(tuple(TERMS)),
        interval=_factors,
        dtypes=("int8", "float32"),
        on_cpu=True,
        settings=_arm_settings,
    ),
    "cortex_m": Estimator(
        prior=_cortex_m_prior,
        amounts=_cortex_m_amounts,
        write=_cortex_m_write,
        interval=lambda half_width: {"cortex_m_error": expm1(half_width)},
    ),
    "coral_estimate": Estimator(
        prior=lambda target: np.ones(1),
        amounts=_coral_amounts,
        write=_coral_write,
        interval=_factors,
        freedom=0.0,
    ),
}
"""Estimators by the name of their meter. Coral's is no sum (streaming hides compute): its scale is fitted."""
