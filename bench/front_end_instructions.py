"""Instructions that audio front ends take on an emulated Cortex-M, counted by a QEMU plugin; bytes compared.

    python bench/front_end_instructions.py [--cpu cortex-m4] [--json FILE]

Clips of one second of noise and tones; outputs are compared with edgeml's own. Instructions are not cycles.
Needs arm-none-eabi-gcc, newlib and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import c99_programs as programs  # noqa: E402
from edgeml.data.audio.front_end import FrontEnd  # noqa: E402
from edgeml.export.front_end import front_end_files  # noqa: E402

CASES = (
    ("logmel-30-20-32", 8000),
    ("logmel-30-20-32", 16000),
    ("logmel-40-20-40", 16000),
    ("mfcc-40-20-13", 16000),
)
_HEADER = """
#include "front_end.h"
#define MODEL_INPUT_BYTES (2 * FRONT_END_SAMPLES)
#define MODEL_OUTPUT_BYTES (FRONT_END_FRAMES * FRONT_END_BINS)
void *model_input(void);
const void *model_output(void);
void model_run(void);
"""
_SOURCE = """
#include "front_end.c"
#include "model.h"
static int16_t given[FRONT_END_SAMPLES];
static uint8_t taken[MODEL_OUTPUT_BYTES];
void *model_input(void) { return given; }
const void *model_output(void) { return taken; }
void model_run(void) { front_end_clip(given, taken); }
"""


def row(name: str, rate_hz: int, cpu: str) -> dict[str, Any]:
    """Figures of one front end at one rate."""
    rng = np.random.default_rng(0)
    t = np.arange(rate_hz) / rate_hz
    clips = np.stack(
        [np.rint(3000 * np.sin(2 * np.pi * hz * t) + rng.normal(0, 100, rate_hz)) for hz in (200, 1000, 3000)]
    ).astype(np.int16)
    with tempfile.TemporaryDirectory(prefix="edgeml-front-") as place:
        folder = Path(place)
        for file, content in front_end_files(name, rate_hz, rate_hz).items():
            (folder / file).write_bytes(content)
        (folder / "model.h").write_text(_HEADER, encoding="ascii")
        (folder / "model.c").write_text(_SOURCE, encoding="ascii")
        outputs, counts = programs.on_cortex_m(folder, clips, cpu)
        code = programs.code_bytes(folder)
    front = FrontEnd.parse(name)
    frames, bins, _ = front.shape(rate_hz, rate_hz)
    wanted = front.apply(clips, rate_hz).reshape(3, -1)
    mean = sum(counts) / len(counts)
    return {
        "front_end": name, "rate_hz": rate_hz, "cpu": cpu, "frames": frames, "bins": bins,
        "instructions_a_second": round(mean), "instructions_a_frame": round(mean / frames),
        "code_bytes": code, "different_bytes": int((outputs != wanted).sum()),
    }  # fmt: skip


def main() -> None:
    """Print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpu", default="cortex-m4", choices=sorted(programs.MACHINES))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = [row(name, rate_hz, asked.cpu) for name, rate_hz in CASES]
    for found in rows:
        print("  ".join(f"{key} {value}" for key, value in found.items()))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
