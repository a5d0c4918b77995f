"""A device of your own: a YAML profile with its limits and coefficients, then a search that keeps to them.

python examples/custom_target.py [FOLDER] [TRIALS]

EDGEML_EXAMPLE_QUICK=1 trains little. Where you have the board, `edgeml calibrate` fits the coefficients to it
(docs/devices.md).
"""

import os
import sys
from pathlib import Path

import edgeml

PROFILE = """\
inherits: mcu-m4
description: A sensor node of ours, Cortex-M4 at 64 MHz with 64 KiB SRAM, of which a network may have 24 KiB.
objectives: [latency_ms, size_bytes]
limits:
  ram_bytes: 24576
  size_bytes: 40000
  latency_ms: 60
coefficients:
  clock_mhz: {value: 64, unit: MHz, source: the node's data sheet, error: none}
space: nano
notes:
  - Milliseconds are the Cortex-M4's of mcu-m4, scaled by the clock; nothing was measured on the node.
"""


def main(folder: str = "runs/custom_target", trials: int = 8) -> None:
    """Write the profile, search digits for it, show that the front keeps to the limits."""
    quick = bool(os.environ.get("EDGEML_EXAMPLE_QUICK"))
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    profile = root / "node.yaml"
    profile.write_text(PROFILE)
    run = edgeml.search(
        data="digits",
        target=str(profile),
        trials=1 if quick else trials,
        epochs=2 if quick else None,
        compress="none" if quick else None,
        prefer="latency",
        out=root / "run",
    )
    for row in run.front:
        latency = row["latency_ms"]
        print(
            f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {latency['value']:.2f} ms {latency['kind']}"
            f"  {row['size_bytes'] / 1000:.1f} kB  RAM {row['ram_bytes'] / 1000:.1f} kB"
        )
    if run.front:
        print("exported to", run.export("preferred", formats=["tflite", "c99"]))


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
