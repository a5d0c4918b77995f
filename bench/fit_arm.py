"""Published latencies -> the coefficients of the Arm profiles, as YAML lines with their errors.

    python bench/fit_arm.py

Pixel 3's hosted int8 networks are fitted from a rough prior; Pixel 4 and the one-thread profile `mobile`
have few models and start from that fit. Raspberry Pi 4 and 5 are fitted on random cells of NAS-Bench-201
in float32 and start from Pixel 3's hosted float32 networks: what the cells lack (depthwise and large dense
layers) keeps its ratio. All their 3x3 convolutions grow alike, so that the cells cannot tell multiplying from
gathering patches; the core's peak rate can: no multiply-accumulate takes less. With it the fit on Raspberry
Pi 4 has the shape of the MobileNets that XNNPACK's authors timed there, without it not (last lines printed).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.arm_cells import DATA, HELP, HWNAS, column, draws
from bench.arm_tables import Series, network, read_series
from edgeml.target.arm_work import TERMS, amounts
from edgeml.target.calibrate.fit import Array, Errors, errors, fit

CELLS = 200
PEAK_MMACS = {"rpi4": 1.5e6 * 4 / 1e6, "rpi5": 2.4e6 * 8 / 1e6}
"""Millions of float32 multiply-accumulates a core can do in a millisecond: clock in kHz times one 4-lane FMLA
(Cortex-A72) or two (A76) a cycle; Arm's software optimization guides of both cores."""
Z90 = 1.64
"""Standard deviations on both sides that hold 90 % of a normal distribution."""

_ROUGH = {
    "spatial_ms_per_mmac": 0.01,
    "pointwise_ms_per_mmac": 0.01,
    "depthwise_ms_per_mmac": 0.03,
    "dense_ms_per_mmac": 0.05,
    "gather_ms_per_melement": 0.3,
    "write_ms_per_melement": 0.5,
    "weights_ms_per_melement": 0.2,
    "elementwise_ms_per_melement": 0.3,
    "activation_ms_per_melement": 0.6,
    "pooling_ms_per_melement": 0.1,
    "operator_ms": 0.005,
}
ROUGH = np.array([_ROUGH[name] for name in TERMS])
"""Rounded guesses: 100 GMAC/s in matrix kernels, a third of it depthwise, dense layers bound by memory, some
gigaelements per second moved, 5 us an operator."""


UNITS = {"mmac": "ms a million MACs", "melement": "ms a million elements", "ms": "ms an operator"}


@dataclass(frozen=True)
class Fitted:
    """Coefficients of a profile, errors of models left out, every coefficient's range when they are."""

    coefficients: Array
    errors: Errors
    low: Array
    high: Array
    mmacs: Array


def cross_validated(work: Array, latency: Array, prior: Array, part: Array, mmacs: Array) -> Fitted:
    """Models of one part are left out together."""
    predicted, fits = np.empty(len(latency)), []
    for name in np.unique(part):
        fits.append(fit(work[part != name], latency[part != name], prior))
        predicted[part == name] = work[part == name] @ fits[-1]
    whole, every = fit(work, latency, prior), np.array(fits)
    return Fitted(whole, errors(predicted, latency), every.min(0), every.max(0), mmacs)


def fit_series(series: Series, prior: Array = ROUGH) -> Fitted:
    part = np.array(series.networks)
    return cross_validated(series.amounts, series.latency_ms, prior, part, series.mmacs)


@cache
def hosted_float32() -> Array:
    """Coefficients of Pixel 3's hosted float32 networks: the prior for NAS-Bench-201 cells."""
    return fit_series(read_series()["Pixel 3, 4 threads, float32"]).coefficients


XNNPACK_RPI4_MS = {
    "mobilenet_v1_1.0_224": 77,
    "mobilenet_v2_1.0_224": 46,
    "mobilenet_v3_large_1.0": 40,
    "mobilenet_v3_small_1.0": 15,
}
"""float32 with all cores on RPi 4 (BCM2711, ARM64); README of google/XNNPACK, measured in February 2022."""


def over_xnnpack(coefficients: Array) -> str:
    """Estimate over XNNPACK's own figure: one number for all networks where the shape is right."""
    work = np.array([list(amounts(network(name)).values()) for name in XNNPACK_RPI4_MS])
    return ", ".join(f"{ratio:.2f}" for ratio in work @ coefficients / list(XNNPACK_RPI4_MS.values()))


def fit_cells(table: Path, name: str, task: str, peak_mmacs: float) -> Fitted:
    """CELLS random cells; errors on all others, ranges over ten such choices."""
    cells = column(table, name, task)
    least = np.array(
        [1 / peak_mmacs if term.endswith("mmac") and "dense" not in term else 0 for term in TERMS]
    )
    fits = [
        fit(cells.amounts[drawn], cells.latency_ms[drawn], hosted_float32(), least=least)
        for drawn in draws(len(cells.latency_ms), CELLS, 10)
    ]
    others = np.setdiff1d(np.arange(len(cells.latency_ms)), draws(len(cells.latency_ms), CELLS, 1)[0])
    left = errors(cells.amounts[others] @ fits[0], cells.latency_ms[others])
    every = np.array(fits)
    return Fitted(fits[0], left, every.min(0), every.max(0), cells.mmacs)


def int8_ratios(phone: str) -> Array:
    """int8 over float32 latency of the networks that a table has in both."""
    whole, floats = (read_series()[f"{phone}, {dtype}"] for dtype in ("int8", "float32"))
    known = dict(zip(floats.networks, floats.latency_ms, strict=True))
    pairs = zip(whole.networks, whole.latency_ms, strict=True)
    return np.array([latency / known[name] for name, latency in pairs if name in known])


def lines(name: str, found: Fitted) -> str:
    left = found.errors
    width = np.exp(Z90 * left.rms_log)
    count = f"{len(found.mmacs)} models of {found.mmacs.min():.0f} to {found.mmacs.max():.0f} M MACs"
    text = [
        f"# {name}: {count}, left out: MAPE {left.mape_pct:.1f} %, {left.within10_pct:.0f} % within 10 %, "
        f"{left.within20_pct:.0f} % within 20 %, Spearman {left.spearman:.3f}"
    ]
    for term, value, low, high in zip(TERMS, found.coefficients, found.low, found.high, strict=True):
        unit = UNITS[term.rpartition("_")[2]]
        text.append(
            f"  {term}: {{value: {value:.3g}, unit: {unit}, source: *fit, error: {low:.3g} to {high:.3g}}}"
        )
    for term, value in (("low_factor", 1 / width), ("high_factor", width)):
        text.append(f"  {term}: {{value: {value:.3g}, unit: times the estimate, source: *fit, error: *left}}")
    return "\n".join(text)


def main() -> None:
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return
    tables = read_series()
    pixel3 = fit_series(tables["Pixel 3, 4 threads, int8"])
    print(lines("pixel3", pixel3))
    print(lines("pixel4", fit_series(tables["Pixel 4, 4 threads, int8"], pixel3.coefficients)))
    print(lines("mobile", fit_series(tables["Pixel 3, 1 thread, int8"], pixel3.coefficients)))
    rpi4 = fit_cells(HELP, "raspi4_ms", "cifar10", PEAK_MMACS["rpi4"])
    print(lines("rpi4", rpi4))
    print(lines("rpi5", fit_cells(HWNAS, "pi5_litert_cifar100_ms", "cifar100", PEAK_MMACS["rpi5"])))
    for phone in ("Pixel 1, 1 thread", "Pixel 2, 1 thread", "Pixel 3, 4 threads", "Pixel 4, 4 threads"):
        ratios = int8_ratios(phone)
        print(f"# int8 over float32, {phone}: n {len(ratios)}, lowest {ratios.min():.2f}, ", end="")
        print(f"median {np.median(ratios):.2f}, highest {ratios.max():.2f}")
    free = fit_cells(HELP, "raspi4_ms", "cifar10", float("inf"))
    print(f"# rpi4 over XNNPACK's MobileNets: {over_xnnpack(rpi4.coefficients)}")
    print(f"# without the peak rate: {over_xnnpack(free.coefficients)}")


if __name__ == "__main__":
    main()
