"""Fit the ethosu_estimate coefficients of the ethos-u profiles to Vela, and print them as YAML.

    python bench/fit_ethosu.py [--architectures 72] [--json]

Random architectures of four spaces at seven input sizes, converted here, with what Vela says of each. The
fit is non-negative least squares on relative errors; the error is leave-one-architecture-out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.random_networks import random_graph, random_tflite  # noqa: E402
from edgeml.deploy.tflite import TfliteModel  # noqa: E402
from edgeml.deploy.tflite_outline import outline  # noqa: E402
from edgeml.target.ethosu.vela import VelaOptions, compile_model  # noqa: E402
from edgeml.target.ethosu.work import TERMS, amounts  # noqa: E402
from edgeml.target.meter import options  # noqa: E402
from edgeml.target.profile import load_target  # noqa: E402

TARGETS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-512", "ethos-u85-256")
SPACES = ("nano", "micro_cell", "mbconv_macro", "nasbench201")
SHAPES = ((8, 8, 1), (16, 16, 1), (28, 28, 1), (32, 32, 3), (48, 48, 3), (64, 64, 3), (96, 96, 3))
ARCHITECTURES, SEED = 72, 100

Array = np.ndarray[Any, Any]


def architectures(count: int, seed: int = SEED) -> Iterator[tuple[TfliteModel, bytes]]:
    """Outline and file of random architectures, spaces and sizes in turn."""
    for index in range(count):
        shape = SHAPES[(index + index // len(SPACES)) % len(SHAPES)]
        graph = random_graph(SPACES[index % len(SPACES)], seed + index, shape)
        yield outline(graph), random_tflite(graph, images=1)


def measured(count: int, seed: int = SEED) -> tuple[Array, dict[str, Array], Array]:
    """Amounts of each architecture, Vela's cycles by target, and MACs."""
    wanted = {name: options(load_target(name), "vela", VelaOptions) for name in TARGETS}
    work, macs, cycles = [], [], {name: [] for name in TARGETS}
    for model, content in architectures(count, seed):
        work.append(list(amounts(model).values()))
        macs.append(model.macs)
        for name, option in wanted.items():
            cycles[name].append(compile_model(content, option).cycles)
    return np.array(work), {name: np.array(of, float) for name, of in cycles.items()}, np.array(macs, float)


def fit(work: Array, cycles: Array) -> Array:
    """Coefficients, none negative, that make the relative errors least."""
    return np.asarray(nnls(work / cycles[:, None], np.ones(len(cycles)))[0])


def left_out(work: Array, cycles: Array) -> Array:
    """Prediction of each architecture by a fit that did not see it."""
    rest = ~np.eye(len(cycles), dtype=bool)
    return np.array([work[i] @ fit(work[rest[i]], cycles[rest[i]]) for i in range(len(cycles))])


def left_out_by_macs(macs: Array, cycles: Array) -> Array:
    """The baseline: cycles proportional to MACs, the factor from the other architectures."""
    logs = np.log(cycles / macs)
    return macs * np.exp((logs.sum() - logs) / (len(logs) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--architectures", type=int, default=ARCHITECTURES)
    parser.add_argument("--json", action="store_true", help="only JSON")
    given = parser.parse_args()
    work, cycles, _ = measured(given.architectures)
    found = {}
    for name in TARGETS:
        errors = np.abs(left_out(work, cycles[name]) / cycles[name] - 1)
        values = dict(zip(TERMS, (float(f"{value:.4g}") for value in fit(work, cycles[name])), strict=True))
        summary = {"mape": errors.mean(), "p90": np.percentile(errors, 90), "largest": errors.max()}
        found[name] = {
            "coefficients": values,
            "left_out": {key: round(float(of), 4) for key, of in summary.items()},
        }
        if not given.json:
            print(name, found[name]["left_out"])
            print("".join(f"  {term}: {value}\n" for term, value in values.items()))
    print(json.dumps({"architectures": given.architectures, "targets": found}))


if __name__ == "__main__":
    main()
