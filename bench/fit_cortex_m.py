"""Fits the Cortex-M milliseconds of targets/mcu-*.yaml on MLPerf Tiny results and prints their error.

    python bench/fit_cortex_m.py [--json]

cycles = a * (conv MACs + d * depthwise MACs + f * dense MACs + o * outputs). `a` belongs to a board with its
software, d, f and o are shared by the submissions that call CMSIS-NN kernels (four networks a board carry
no more), and lean weakly on PRIOR. Leave-one-model-out: the network is left out of every board's rows.

MLPerf Tiny has no CMSIS-NN submission on a Cortex-M7. Its `a` is the Cortex-M4's times the ratio of cycles
M7 / M4 of the frameworks that were submitted on both; their spread is its error.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import shared_data  # noqa: E402
from edgeml.deploy.tflite import read_model  # noqa: E402
from edgeml.target.mcu.cortex_m import Work, work  # noqa: E402

DATA = shared_data.DATA / "mlperf_tiny"
MODELS = {
    "ad": "ad01_int8.tflite",
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "ic": "pretrainedResnet_quant.tflite",
}
PRIOR = np.log([2.0, 1.0, 6.0])
"""Depthwise, dense and outputs in MACs of a convolution: dense layers and convolutions share an inner loop
(two SMLAD for four MACs), depthwise ones cannot use it, an output takes a
requantization of some 20 cycles."""
PRIOR_WEIGHT = 0.02


@dataclass(frozen=True)
class Board:
    """Rows of one submission: where they are in the results, and the clock its hardware runs at."""

    name: str
    key: tuple[str, str, str]
    clock_mhz: float


REFERENCE = Board("L4R5 tflite-micro of 2021 (reference)", ("v0.5", "reference", "Nucleo-L4R5ZI"), 120)
M4 = Board("L4R5 CMSIS-NN", ("v1.1", "Krai", "NUCLEO-L4R5ZI_MICROTVM-CMSIS-NN"), 120)
M33 = Board("nRF5340 CMSIS-NN", ("v1.1", "Krai", "NRF5340-DK_MICROTVM-CMSIS-NN"), 128)
RENESAS = Board("RA6M4", ("v0.7", "renesas", "EK-RA6M4"), 200)
POOL = (REFERENCE, M4, M33, RENESAS)
PAIRS = (  # the same framework on a Cortex-M4 and a Cortex-M7
    (
        ("v1.1", "Krai", "NUCLEO-L4R5ZI_X-CUBE-AI-7.3"),
        120,
        ("v1.1", "Krai", "NUCLEO-H7A3ZI-Q_X-CUBE-AI-7.3"),
        280,
    ),
    (
        ("v1.1", "STMicroelectronics", "NUCLEO_L4R5ZI"),
        120,
        ("v1.1", "STMicroelectronics", "NUCLEO_H7A3ZI_Q"),
        280,
    ),
    (("v1.1", "plumerai", "NUCLEO-L4R5ZI"), 120, ("v1.1", "plumerai", "DISCO-F746NG"), 216),
    (("v1.1", "bosch", "NUCLEO_L4R5ZI"), 120, ("v1.1", "bosch", "DISCO_F746NG"), 216),
)

Times = dict[tuple[str, str, str], dict[str, float]]


def published() -> Times:
    """(round, org, system) -> milliseconds by network; only complete submissions.

    Raises:
        FileNotFoundError: ../shared/data is not on this machine.
    """
    found: Times = {}
    with (DATA / "mlperf_tiny_results_v0.5_to_v1.3.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["latency_ms"] and row["task"] in MODELS:
                key = (row["round"], row["org"], row["system"])
                found.setdefault(key, {})[row["task"]] = float(row["latency_ms"])
    return {key: times for key, times in found.items() if len(times) == len(MODELS)}


def works() -> dict[str, Work]:
    """Work of the benchmark's networks by name."""
    return {name: work(read_model(DATA / "models" / file)) for name, file in MODELS.items()}


def fit(times: Times, known: dict[str, Work], models: list[str]) -> tuple[np.ndarray, dict[str, float]]:
    """Rows of `models` on POOL -> shared costs (logarithms), and cycles per MAC of each board."""

    def logs(board: Board, shared: np.ndarray) -> list[float]:
        cycles = [times[board.key][name] * 1e3 * board.clock_mhz for name in models]
        macs = [known[name].equivalent_macs(*np.exp(shared)) for name in models]
        return [math.log(c / m) for c, m in zip(cycles, macs, strict=True)]

    def loss(shared: np.ndarray) -> float:
        spread = sum(float(np.var(logs(board, shared))) * len(models) for board in POOL)
        return spread + PRIOR_WEIGHT * float(np.sum((shared - PRIOR) ** 2))

    best = minimize(loss, PRIOR, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-10}).x
    return best, {board.name: math.exp(statistics.mean(logs(board, best))) for board in POOL}


def held_out(times: Times, known: dict[str, Work]) -> dict[str, dict[str, float]]:
    """Board -> network -> milliseconds predicted by a fit that saw the network on no board."""
    found: dict[str, dict[str, float]] = {board.name: {} for board in POOL}
    for left_out in MODELS:
        shared, scales = fit(times, known, [name for name in MODELS if name != left_out])
        macs = known[left_out].equivalent_macs(*np.exp(shared))
        for board in POOL:
            found[board.name][left_out] = scales[board.name] * macs / board.clock_mhz / 1e3
    return found


def by_macs(times: Times, known: dict[str, Work], board: Board) -> dict[str, float]:
    """Network -> milliseconds predicted from MACs and the board's other networks."""
    macs = {name: w.conv_macs + w.depthwise_macs + w.dense_macs for name, w in known.items()}
    found = {}
    for left_out in MODELS:
        rates = [math.log(times[board.key][name] / macs[name]) for name in MODELS if name != left_out]
        found[left_out] = math.exp(statistics.mean(rates)) * macs[left_out]
    return found


def m7_ratios(times: Times) -> list[float]:
    """Cycles M7 / M4 of each framework in PAIRS, the geometric mean over the networks."""
    return [
        math.exp(statistics.mean(math.log(times[b][n] * fast / (times[a][n] * slow)) for n in MODELS))
        for a, slow, b, fast in PAIRS
    ]


def errors(predicted: dict[str, float], true: dict[str, float]) -> list[float]:
    """Signed errors in percent, in the order of MODELS."""
    return [float(100 * (predicted[name] / true[name] - 1)) for name in MODELS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only JSON")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: {DATA} is not on this machine")
        return
    times, known = published(), works()
    shared, scales = fit(times, known, list(MODELS))
    predicted, ratios = held_out(times, known), m7_ratios(times)
    result: dict[str, Any] = {
        "depthwise_dense_output_macs": [round(value, 2) for value in np.exp(shared).tolist()],
        "cycles_per_mac": {name: round(value, 2) for name, value in scales.items()},
        "m7_ratios": [round(value, 3) for value in ratios],
        "m7_cycles_per_mac": round(scales[M4.name] * math.exp(statistics.mean(map(math.log, ratios))), 2),
        "held_out_errors_pct": {
            board.name: [round(error, 1) for error in errors(predicted[board.name], times[board.key])]
            for board in POOL
        },
        "macs_only_errors_pct": {
            board.name: [round(e, 1) for e in errors(by_macs(times, known, board), times[board.key])]
            for board in POOL
        },
    }
    if not options.json:
        for name, value in result.items():
            print(f"{name}: {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
