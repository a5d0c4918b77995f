"""Predicted against published, measured or the tools' own figures, for every estimator of the targets.

    python bench/target_truth.py [--json] [--write]

Leave-one-model-out everywhere: no figure below comes from a fit that saw the model. The baseline is MACs
alone, fitted in the same way. Each estimator's rows come from a script of its own (bench/truth_*.py), which
says what it needs of ../shared/data and is skipped, with that reason, where it is not there. `--write` keeps
the rows in bench/results/target_truth.json, from which `make docs` makes the table of docs/targets.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import arm_instructions, truth_arm, truth_coral, truth_mcu, truth_vela  # noqa: E402
from tools.make_docs import TRUTH, truth_table  # noqa: E402

Row = dict[str, Any]
SCRIPTS: dict[str, Callable[[], list[Row]]] = {
    "Edge TPU": truth_coral.rows,
    "phones and Raspberry Pi": truth_arm.rows,
    "microcontrollers": truth_mcu.rows,
    "Ethos-U": truth_vela.rows,
    "aarch64 instructions": arm_instructions.rows,
}
PACKAGES = ("edgeml", "ethos-u-vela", "tflite-micro", "ai-edge-litert", "numpy", "scipy")


def collect() -> tuple[list[Row], list[str]]:
    """Rows of every script, and why some gave none."""
    rows, skipped = [], []
    for name, of in SCRIPTS.items():
        try:
            found = of()
        except FileNotFoundError as error:
            skipped.append(f"{name}: {error}")
            continue
        rows += found
        if not found:
            skipped.append(f"{name}: its data or tool is not on this machine")
    return rows, skipped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only JSON")
    parser.add_argument("--write", action="store_true", help="keep the rows for docs/targets.md")
    options = parser.parse_args()
    rows, skipped = collect()
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    if not options.json:
        print(truth_table(rows))
        for reason in skipped:
            print(f"skipped: {reason}")
    found = {"rows": rows, "skipped": skipped, "versions": versions}
    print(json.dumps(found))
    if options.write:
        TRUTH.parent.mkdir(exist_ok=True)
        TRUTH.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
