"""The vela meter against the program `vela` to the cycle and to the byte; ethosu_estimate against Vela."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from bench import fit_ethosu
from bench.shared_data import DATA
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.vela import VelaOptions
from edgeml.target.meter import Subject, options
from edgeml.target.meters import ethosu_estimate, vela
from edgeml.target.profile import Target, load_target

MODELS = DATA / "mlperf_tiny" / "models"
INT8 = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "str_ww_ref_model")
INT8 += ("pretrainedResnet_large_int8",)
TARGETS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-512", "ethos-u85-256")
COLUMNS = {
    "cycles": ("cycles_total", 1),
    "ram_bytes": ("sram_memory_used", 1024),
    "flash_bytes": ("off_chip_flash_memory_used", 1024),
}
"""Figure -> column of Vela's summary and its unit."""


def console(model: Path, wanted: VelaOptions) -> dict[str, str]:
    """The summary that the program writes."""
    with tempfile.TemporaryDirectory() as name:
        program = Path(sys.executable).with_name("vela")
        subprocess.run([program, *wanted.arguments(model, Path(name))], check=True, capture_output=True)
        (file,) = Path(name).glob("*_summary_*.csv")
        with file.open(newline="") as opened:
            return next(csv.DictReader(opened))


def rows() -> list[dict[str, Any]]:
    """One row a figure.

    Raises:
        FileNotFoundError: the models or Vela are not there; says which.
    """
    if not MODELS.is_dir():
        raise FileNotFoundError(f"{MODELS} is not on this machine")
    if reason := ethosu_vela.missing():
        raise FileNotFoundError(reason)
    pairs: dict[str, list[tuple[float, float]]] = {metric: [] for metric in COLUMNS}
    for name in TARGETS:
        for metric, pair in _pairs(load_target(name)):
            pairs[metric].append(pair)
    return [*(_row(metric, values) for metric, values in pairs.items()), *_estimates()]


def _estimates() -> Iterator[dict[str, Any]]:
    """ethosu_estimate against Vela: architectures left out of the fit, and networks of other people."""
    work, cycles, macs = fit_ethosu.measured(fit_ethosu.ARCHITECTURES)
    for name in TARGETS:
        own, base = (fit_ethosu.left_out(work, cycles[name]), fit_ethosu.left_out_by_macs(macs, cycles[name]))
        note = "leave-one-architecture-out, random architectures of four spaces"
        yield _estimate_row(name, "Vela on edgeml's own architectures", own, cycles[name], base, note)
        target = load_target(name)
        subjects = {model: Subject.of((MODELS / f"{model}.tflite").read_bytes()) for model in INT8}
        said = vela.measure(subjects, target)
        guess = ethosu_estimate.measure(subjects, target)
        true = np.array([figures["cycles"].value for figures in said.values()])
        ours = np.array([figures["cycles"].value for figures in guess.values()])
        counts = np.array([float(subject.model.macs) for subject in subjects.values()])
        by_macs = counts * np.exp(np.log(cycles[name] / macs).mean())
        note = "none of them in the fit"
        yield _estimate_row(name, "Vela on the MLPerf Tiny models", ours, true, by_macs, note)


def _estimate_row(target: str, against: str, ours: Any, true: Any, base: Any, note: str) -> dict[str, Any]:
    errors = np.abs(ours / true - 1)
    return {
        "estimator": f"ethosu_estimate, {target}",
        "metric": "cycles",
        "against": against,
        "n": len(true),
        "mape_pct": float(100 * errors.mean()),
        "within10_pct": float(100 * (errors <= 0.1).mean()),
        "within20_pct": float(100 * (errors <= 0.2).mean()),
        "spearman": float(spearmanr(ours, true).statistic),
        "baseline_mape_pct": float(100 * np.abs(base / true - 1).mean()),
        "baseline_spearman": float(spearmanr(base, true).statistic),
        "note": note,
    }


def _pairs(target: Target) -> Iterator[tuple[str, tuple[float, float]]]:
    """(figure, (the meter's, the program's)) of every model; flash only where the target has one."""
    wanted = options(target, "vela", VelaOptions)
    for name in INT8:
        model = MODELS / f"{name}.tflite"
        own, program = vela.measure({"": Subject.of(model.read_bytes())}, target)[""], console(model, wanted)
        for metric, (column, unit) in COLUMNS.items():
            if metric in own:
                yield metric, (own[metric].value, float(program[column]) * unit)


def _row(metric: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    equal = sum(ours == theirs for ours, theirs in pairs)
    errors = [abs(ours / theirs - 1) * 100 if theirs else 100.0 * (ours != 0) for ours, theirs in pairs]
    return {
        "estimator": "vela meter, ethos-u profiles",
        "metric": metric,
        "against": f"the program vela on {len(INT8)} MLPerf Tiny models",
        "n": len(pairs),
        "mape_pct": sum(errors) / len(errors),
        "within10_pct": 100 * sum(error <= 10 for error in errors) / len(errors),
        "within20_pct": 100 * sum(error <= 20 for error in errors) / len(errors),
        "spearman": None,
        "baseline_mape_pct": None,
        "baseline_spearman": None,
        "note": f"equal on {equal} of {len(pairs)} (models x targets); the compiler's own figure",
    }


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
