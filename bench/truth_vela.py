"""The vela meter against the program `vela` on the MLPerf Tiny models, to the cycle and to the byte."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeml.target import ethosu_vela
from edgeml.target.ethosu_vela import VelaOptions
from edgeml.target.meter import Subject, options
from edgeml.target.meters import vela
from edgeml.target.profile import Target, load_target

MODELS = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny" / "models"
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
    return [_row(metric, values) for metric, values in pairs.items()]


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
