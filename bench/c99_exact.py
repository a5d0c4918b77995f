"""C99 models against LiteRT's reference kernels: bytes of every operator's output that differ, and arenas.

    python bench/c99_exact.py [--inputs 1000] [--networks 24] [--cpu cortex-m4] [--json FILE]

Random architectures of every search space with random weights, and MLPerf Tiny's int8 models where they are;
uniformly random input bytes. Beside it the arena, compared with what tflite-micro's planner gives activations
("head"). The programs are built by gcc for this computer, so in plain C; with --cpu for an emulated core and
its DSP instructions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import c99_programs as programs  # noqa: E402
from bench.random_networks import random_graph, random_tflite  # noqa: E402
from edgeml.deploy.tflite import read_model  # noqa: E402
from edgeml.target.mcu import process as tflm_process  # noqa: E402

DATA = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data" / "mlperf_tiny" / "models"
MLPERF = {
    "MLPerf Tiny KWS": "kws_ref_model.tflite",
    "MLPerf Tiny ResNet-8": "pretrainedResnet_quant.tflite",
    "MLPerf Tiny VWW": "vww_96_int8.tflite",
    "MLPerf Tiny anomaly": "ad01_int8.tflite",
    "MLPerf Tiny streaming": "str_ww_ref_model.tflite",
}
SPACES = ("micro_cell", "mbconv_macro", "nano", "nasbench201")
SHAPES = ((8, 8, 3), (10, 8, 1), (9, 7, 2), (12, 6, 1), (7, 11, 3))
CHUNK = 20
"""Inputs run at once; every tensor of each is kept."""


def models(count: int) -> Iterator[tuple[str, bytes]]:
    """(name, file) of the random networks, the spaces in turn, then MLPerf Tiny's."""
    for index in range(count):
        space = SPACES[index % len(SPACES)]
        shape = SHAPES[index % len(SHAPES)]
        graph = random_graph(space, 1000 + index, shape, (10, 2, 5)[index % 3])
        yield f"{space} {1000 + index} {'x'.join(map(str, shape))}", random_tflite(graph, index)
    for name, file in MLPERF.items():
        if (DATA / file).exists():
            yield name, (DATA / file).read_bytes()
    if not DATA.exists():
        print(f"MLPerf Tiny's models are left out: {DATA} is not there.", file=sys.stderr)


def row(name: str, model: bytes, count: int, cpu: str) -> dict[str, Any]:
    """One model's figures."""
    began, different, compared = time.monotonic(), 0, 0
    read = read_model(model)
    with tempfile.TemporaryDirectory(prefix="edgeml-c99-") as folder:
        compiled = programs.write(model, Path(folder))
        for start in range(0, count, CHUNK):
            inputs = programs.random_inputs(model, min(CHUNK, count - start), start)
            wrong, total = programs.mismatches(model, Path(folder), inputs, cpu=cpu)
            different, compared = different + wrong, compared + total
    head = None
    if not tflm_process.missing():
        head = tflm_process.ask(model, 120, 8 << 30)["head_bytes"]
    return {
        "model": name, "cpu": cpu or "host", "macs": read.macs, "operators": len(compiled.operators),
        "inputs": count,
        "compared_bytes": compared, "different_bytes": different, "arena_bytes": compiled.arena_bytes,
        "tflm_head_bytes": head, "arena_ratio": round(compiled.arena_bytes / head, 4) if head else None,
        "constant_bytes": compiled.constant_bytes, "tflite_bytes": len(model),
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def main() -> None:
    """Print the table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--cpu", default="", choices=("", *programs.MACHINES))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    print("| model | MACs | inputs | bytes compared | different | arena | tflite-micro head | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, model in models(asked.networks):
        rows.append(found := row(name, model, asked.inputs, asked.cpu))
        print(
            f"| {name} | {found['macs']:,} | {found['inputs']:,} | {found['compared_bytes']:,} | "
            f"{found['different_bytes']} | {found['arena_bytes']:,} | {found['tflm_head_bytes'] or '-'} | "
            f"{found['arena_ratio'] or '-'} |",
            flush=True,
        )
        if asked.json:
            asked.json.write_text(json.dumps({"numpy": np.__version__, "rows": rows}, indent=1) + "\n")
    print(f"{len(rows)} models, {sum(r['different_bytes'] for r in rows)} bytes different")


if __name__ == "__main__":
    main()
