"""Stands in for edgetpu_compiler in tests: not the compiler, a script that prints what published logs show.

What it does is in the file `mode` beside it, one word a call (the last one stays); every call is appended
to `calls`. It writes MODEL_edgetpu.tflite into the folder given with -o as the compiler does.
"""

from __future__ import annotations

import sys
from pathlib import Path

VERSION = "Edge TPU Compiler version 16.0.384591198\n"
LOG = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 600 seconds.

Model compiled successfully in 1057 ms.

Input model: model.tflite
Input size: 1.25MiB
Output model: model_edgetpu.tflite
Output size: 1.56MiB
On-chip memory used for caching model parameters: 1.32MiB
On-chip memory remaining for caching model parameters: 5.33MiB
Off-chip memory used for streaming uncached model parameters: 64.50KiB
Number of Edge TPU subgraphs: 1
Total number of operations: 5
Operation log: model_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model \
will instead run on the CPU, which is slower. If possible, consider updating your model to use only \
operations supported by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: {mapped}
Number of operations that will run on CPU: {host}

Operator                       Count      Status

{table}

Compilation child process completed within timeout period.
Compilation succeeded!
"""
TABLE = """CONV_2D                        2          Mapped to Edge TPU
CONV_2D                        1          More than one subgraph is not supported
LEAKY_RELU                     1          Operation not supported
SOFTMAX                        1          More than one subgraph is not supported"""
NONE = "CONV_2D                        3          Operation is working on an unsupported data type"
SAYS = {
    "internal": VERSION + "Internal compiler error. Aborting!\n",
    "float": VERSION + "Invalid model: model.tflite\nModel not quantized\n",
    "version": VERSION
    + "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'\nERROR: Registration failed.\n\n"
    + "Invalid model: model.tflite\nModel could not be parsed\n",
    "large": VERSION + "Compilation failed: Compilation failed due to large activation tensors in model.\n"
    "Compilation child process completed within timeout period.\nCompilation failed!\n",
}

SCRIPT = '''#!{python}
"""Scripted stand-in for edgetpu_compiler, made by a test: see tests/scripted_edgetpu_compiler.py."""
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.scripted_edgetpu_compiler import LOG, NONE, SAYS, TABLE, VERSION
here = Path(__file__).resolve().parent
if "--version" in sys.argv:
    if (here / "mode").read_text().split()[0] == "mute":
        sys.exit(127)
    print(VERSION, end="")
    sys.exit(0)
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
modes = (here / "mode").read_text().split()
mode = modes[min((here / "calls").read_text().count("\\n"), len(modes)) - 1]
folder = Path(sys.argv[sys.argv.index("-o") + 1])
if mode in ("good", "none"):
    model = Path(sys.argv[-1])
    folder.joinpath(model.stem + "_edgetpu.tflite").write_bytes(b"compiled " + model.read_bytes())
    print(LOG.format(mapped=2, host=3, table=TABLE if mode == "good" else NONE), end="")
elif mode == "hang":
    time.sleep(600)
elif mode == "crash":
    os.abort()
elif mode == "garbage":
    print("\\x1b[31m<<%$ 42 \\x00 nothing that was asked for")
elif mode == "flood":
    while True:
        print("x" * 4096)
elif mode == "half":
    print(LOG.format(mapped=2, host=3, table=TABLE)[:600], end="")
else:
    print(SAYS[mode], end="")
    sys.exit(1)
'''


def install(folder: Path, *modes: str) -> Path:
    """Put the stand-in into a folder as edgetpu_compiler; returns it."""
    folder.mkdir(exist_ok=True)
    file = folder / "edgetpu_compiler"
    root = str(Path(__file__).resolve().parent.parent)
    file.write_text(SCRIPT.format(python=sys.executable, root=root))
    file.chmod(0o755)
    (folder / "calls").write_text("")
    set_modes(folder, *modes)
    return file


def set_modes(folder: Path, *modes: str) -> None:
    """What the next calls do, one word a call."""
    (folder / "mode").write_text(" ".join(modes))


def calls(folder: Path) -> list[str]:
    """Arguments of every compilation so far."""
    return (folder / "calls").read_text().splitlines()
