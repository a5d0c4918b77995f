"""How wrong `arm_estimate` is: published phone tables and NAS-Bench-201 cells, against MACs alone.

    python bench/truth_arm.py [--json]
    python bench/truth_arm.py --table FILE.csv.gz [--samples 20]    cells on devices of your own

Phone tables: leave-one-model-out; every series is fitted on its own from the same rough prior
(fit_arm.ROUGH), which was not fitted on any of them. Cells: 20 random calibration samples, errors on all
other cells, the median of 20 draws; the prior is the fit on Pixel 3's hosted float32 networks. Which
operators of a cell run (what TFLite's converter leaves, or all of them, as PyTorch does) is decided by the
held-out error on the samples.
FILE has a column nb201_index and one in milliseconds for each device.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.arm_cells import DATA, HELP, HWNAS, Column, column, draws
from bench.arm_tables import Series, read_series
from bench.fit_arm import ROUGH, hosted_float32
from edgeml.target.calibrate.fit import Array, Errors, errors, fit, held_out, macs_prior

Row = dict[str, Any]
ESTIMATOR = "arm_estimate"
CELLS = [(HELP, "raspi4_ms", "cifar10"), (HELP, "pixel3_ms", "cifar10")]
OTHERS = [(HELP, name, "cifar10") for name in ("gold_6226_ms", "1080ti_1_ms", "i7_7820x_tf_fp32_ms")]
OTHERS += [(HWNAS, f"pi5_litert_{task}_ms", task) for task in ("cifar100", "darcy")]
OTHERS += [
    (HWNAS, f"{device}_cifar100_ms", "cifar100") for device in ("pi5_onnx", "pi5_torchmobile", "pixel_litert")
]


def row(against: str, count: int, found: Errors, macs: Errors, note: str) -> Row:
    return {
        "estimator": ESTIMATOR,
        "metric": "latency_ms",
        "against": against,
        "n": count,
        "mape_pct": found.mape_pct,
        "within10_pct": found.within10_pct,
        "within20_pct": found.within20_pct,
        "spearman": found.spearman,
        "baseline_mape_pct": macs.mape_pct,
        "baseline_spearman": macs.spearman,
        "note": note,
    }


def with_start(mmacs: Array) -> Array:
    """MACs and a constant: the baseline's amounts."""
    return np.c_[mmacs, np.ones(len(mmacs))]


def series_row(series: Series) -> Row:
    latency = series.latency_ms
    found = errors(held_out(series.amounts, latency, ROUGH), latency)
    macs = with_start(series.mmacs)
    baseline = errors(held_out(macs, latency, macs_prior(macs)), latency)
    return row(series.name, len(latency), found, baseline, f"leave-one-model-out; {series.source}")


def cells_row(readings: Sequence[Column], samples: int, prior: Array) -> Row:
    """One device's cells: the median over draws of errors on the cells that were not drawn."""
    found: list[tuple[Errors, Errors]] = []
    chosen: list[int] = []
    for drawn in draws(len(readings[0].latency_ms), samples):
        latency = readings[0].latency_ms
        others = np.setdiff1d(np.arange(len(latency)), drawn)
        trials = [
            errors(held_out(one.amounts[drawn], latency[drawn], prior), latency[drawn]) for one in readings
        ]
        best = int(np.argmin([trial.rms_log for trial in trials]))
        chosen.append(best)
        reading = readings[best]
        predicted = reading.amounts[others] @ fit(reading.amounts[drawn], latency[drawn], prior)
        macs = with_start(readings[0].mmacs)
        by_macs = macs[others] @ fit(macs[drawn], latency[drawn], macs_prior(macs))
        found.append((errors(predicted, latency[others]), errors(by_macs, latency[others])))
    medians = [Errors(*np.median([list(vars(pair[i]).values()) for pair in found], axis=0)) for i in (0, 1)]
    executed = sum(chosen) / len(chosen)
    note = f"{samples} calibration samples, median of {len(found)} draws; "
    note += f"lowest Spearman {min(pair[0].spearman or 0 for pair in found):.3f}; "
    note += f"all operators taken to run in {executed:.0%} of draws"
    return row(f"NAS-Bench-201, {readings[0].name}", len(readings[0].latency_ms) - samples, *medians, note)


def cell_rows(columns: Sequence[tuple[Path, str, str]], samples: int) -> list[Row]:
    prior = hosted_float32()
    return [
        cells_row([column(*one, executed=executed) for executed in (False, True)], samples, prior)
        for one in columns
    ]


def rows() -> list[Row]:
    """Every figure; empty where ../shared/data is absent."""
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return []
    return [
        *map(series_row, read_series().values()),
        *cell_rows([*CELLS, *OTHERS], 20),
        *cell_rows(CELLS, 10),
    ]


def table(found: Sequence[Row]) -> str:
    lines = [
        f"{'against':<46}{'n':>6}{'MAPE %':>8}{'<10 %':>7}{'<20 %':>7}{'rho':>7} | {'MACs: %':>8}{'rho':>7}"
    ]
    for one in found:
        rho, other = (
            f"{one[k]:.3f}" if one[k] is not None else "-" for k in ("spearman", "baseline_spearman")
        )
        lines.append(
            f"{one['against']:<46}{one['n']:>6}{one['mape_pct']:>8.1f}{one['within10_pct']:>7.0f}"
            f"{one['within20_pct']:>7.0f}{rho:>7} | {one['baseline_mape_pct']:>8.1f}{other:>7}  {one['note']}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--samples", type=int, default=20)
    given = parser.parse_args()
    if given.table:
        with gzip.open(given.table, "rt") as lines:
            names = [name for name in next(csv.reader(lines)) if name != "nb201_index"]
        found = cell_rows([(given.table, name, "cifar10") for name in names], given.samples)
    else:
        found = rows()
    print(json.dumps(found, indent=1) if given.json else table(found))


if __name__ == "__main__":
    main()
