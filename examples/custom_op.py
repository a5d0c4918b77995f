"""An op of your own in a search: a ghost module (Han et al. 2020), registered from Python, named in a space.

python examples/custom_op.py [FOLDER] [TRIALS]

EDGEML_EXAMPLE_QUICK=1 trains little. A later command finds the op through the environment:
EDGEML_OPS=examples/custom_op.py edgeml export FOLDER/run --pick knee
"""

import json
import os
import sys
from pathlib import Path

import edgeml
from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Concat, Conv2D, DepthwiseConv2D

SPACE = """\
description: Micro cells with ghost modules beside the usual ops.
kind: cells
stem: {channels: [8, 16]}
cell:
  nodes: 2
  ops: [ghost_3x3, sep_conv_3x3, skip]
stages: {count: 2, repeat: [1, 2], growth: [1.5, 2]}
head: [0, 32]
"""


def ghost(build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str) -> int:
    """Half of the channels by a convolution, the other half from these by a cheap depthwise one."""
    half = channels // 2
    first = build.add(f"{name}/primary", Conv2D(channels - half, 1, stride, activation), source)
    if not half:
        return first
    cheap = build.add(f"{name}/cheap", DepthwiseConv2D(3, 1, activation), first)
    if channels % 2:  # as many ghosts as are wanted: one channel less than there are
        cheap = build.add(f"{name}/fewer", Conv2D(half, 1, 1, activation), cheap)
    return build.add(f"{name}/ghost", Concat(), first, cheap)


# Not under `if __name__`: worker processes import this file to know the op.
edgeml.register_op("ghost_3x3", ghost)


def main(folder: str = "runs/custom_op", trials: int = 8) -> None:
    """Write the space, search digits with it, say where ghosts were chosen."""
    quick = bool(os.environ.get("EDGEML_EXAMPLE_QUICK"))
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    space = root / "ghost_cell.yaml"
    space.write_text(SPACE)
    run = edgeml.search(
        data="digits",
        target="mcu-m7",
        space=str(space),
        trials=1 if quick else trials,
        epochs=2 if quick else None,
        compress="none" if quick else None,
        out=root / "run",
    )
    for row in run.front:
        candidate = json.loads((run.path / "candidates" / row["key"] / "candidate.json").read_text())
        ghosts = list(candidate["choices"].values()).count("ghost_3x3")
        print(f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {ghosts} edges of its cells are ghosts")
    print("exported to", run.export(formats=["tflite", "onnx", "script"]))


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
