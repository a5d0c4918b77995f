"""Published latencies -> the coefficients of the Arm profiles, as YAML lines with their errors.

    python bench/fit_arm.py

Pixel 3's hosted int8 networks are fitted from a rough prior; Pixel 4 and the one-thread profile `mobile`
have few models and start from that fit. Raspberry Pi 4 and 5 are fitted on NAS-Bench-201 cells in float32 and
start from Pixel 3's hosted float32 networks: what the cells lack (depthwise and large dense layers) keeps its
ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from bench.arm_cells import DATA, HELP, HWNAS, column
from bench.arm_tables import Series, read_series
from edgeml.target.arm_work import TERMS
from edgeml.target.calibrate_fit import Array, Errors, errors, fit, held_out

PARTS = 5
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
    "pooling_ms_per_melement": 0.1,
    "operator_ms": 0.005,
}
ROUGH = np.array([_ROUGH[name] for name in TERMS])
"""Rounded guesses: 100 GMAC/s in matrix kernels, a third of it depthwise, dense layers bound by memory, some
gigaelements per second moved, 5 us an operator."""


@dataclass(frozen=True)
class Fitted:
    """Coefficients of a profile with the errors of models left out."""

    coefficients: Array
    errors: Errors
    count: int
    mmacs: Array


def fit_series(series: Series, prior: Array = ROUGH) -> Fitted:
    found, latency = series.amounts, series.latency_ms
    left = errors(held_out(found, latency, prior), latency)
    return Fitted(fit(found, latency, prior), left, len(latency), series.mmacs)


@cache
def hosted_float32() -> Array:
    """Coefficients of Pixel 3's hosted float32 networks: the prior for NAS-Bench-201 cells."""
    return fit_series(read_series()["Pixel 3, 4 threads, float32"]).coefficients


def fit_cells(name: str, task: str) -> Fitted:
    """All cells of a column; errors by PARTS-fold cross-validation."""
    cells = column(HELP if name in ("pixel3_ms", "raspi4_ms") else HWNAS, name, task)
    part = np.random.default_rng(0).integers(PARTS, size=len(cells.latency_ms))
    predicted = np.empty(len(part))
    for i in range(PARTS):
        found = fit(cells.amounts[part != i], cells.latency_ms[part != i], hosted_float32())
        predicted[part == i] = cells.amounts[part == i] @ found
    coefficients = fit(cells.amounts, cells.latency_ms, hosted_float32())
    return Fitted(coefficients, errors(predicted, cells.latency_ms), len(part), cells.mmacs)


def int8_ratios(*phones: str) -> Array:
    """int8 over float32 latency of the networks that a phone's tables have in both."""
    found = []
    for phone in phones:
        for ending in ("", " (2018)"):
            pair = [read_series().get(f"{phone}, {dtype}{ending}") for dtype in ("int8", "float32")]
            if pair[0] and pair[1]:
                floats = dict(zip(pair[1].networks, pair[1].latency_ms, strict=True))
                found += [y / floats[n] for n, y in zip(pair[0].networks, pair[0].latency_ms, strict=True)]
    return np.array(found)


def lines(name: str, found: Fitted) -> str:
    left = found.errors
    width = np.exp(Z90 * left.rms_log)
    text = [
        f"# {name}: {found.count} models of {found.mmacs.min():.0f} to {found.mmacs.max():.0f} M MACs, "
        f"left-out MAPE {left.mape_pct:.1f} %, {left.within20_pct:.0f} % within 20 %, "
        f"Spearman {left.spearman:.3f}"
    ]
    text += [f"  {term}: {value:.3g}" for term, value in zip(TERMS, found.coefficients, strict=True)]
    return "\n".join([*text, f"  low_factor: {1 / width:.3g}", f"  high_factor: {width:.3g}"])


def main() -> None:
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return
    tables = read_series()
    pixel3 = fit_series(tables["Pixel 3, 4 threads, int8"])
    print(lines("pixel3", pixel3))
    print(lines("pixel4", fit_series(tables["Pixel 4, 4 threads, int8"], pixel3.coefficients)))
    print(lines("mobile", fit_series(tables["Pixel 3, 1 thread, int8"], pixel3.coefficients)))
    for name, column_name, task in (
        ("rpi4", "raspi4_ms", "cifar10"),
        ("rpi5", "pi5_litert_cifar100_ms", "cifar100"),
    ):
        print(lines(name, fit_cells(column_name, task)))
    for name, phones in (
        ("rpi4", ("Pixel 1, 1 thread", "Pixel 2, 1 thread")),
        ("rpi5", ("Pixel 4, 4 threads",)),
    ):
        ratios = int8_ratios(*phones)
        print(f"# {name} int8 over float32 on {', '.join(phones)}: n {len(ratios)}, ", end="")
        print(f"lowest {ratios.min():.2f}, median {np.median(ratios):.2f}, highest {ratios.max():.2f}")


if __name__ == "__main__":
    main()
