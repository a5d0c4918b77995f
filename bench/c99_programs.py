"""C99 models built for this computer and an emulated Cortex-M, run on inputs; for benchmarks and tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.c99 import C99, to_c99
from edgeml.deploy.c99.compile import SAME_BYTES
from edgeml.deploy.runtime import interpreter
from edgeml.deploy.tflite import read_model

CORTEX_M = Path(__file__).resolve().parent / "cortex_m"
MACHINES = {"cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
HOST_MAIN = """\
#include <stdio.h>
#include "model.h"
int main(void)
{
    while (fread(model_input(), 1, MODEL_INPUT_BYTES, stdin) == MODEL_INPUT_BYTES) {
        model_run();
        fwrite(model_output(), 1, MODEL_OUTPUT_BYTES, stdout);
    }
    return 0;
}
"""

TRACE = """\
#include <stdio.h>
#define EDGEML_STEP(tensor, values, bytes) fwrite(values, 1, bytes, stdout);
"""


def missing_for_cortex_m() -> str:
    """The program that is not installed, "" where all are."""
    programs = ("arm-none-eabi-gcc", "qemu-system-arm", "gcc")
    return next((program for program in programs if shutil.which(program) is None), "")


def write(model: bytes, folder: Path) -> C99:
    """TFLite bytes -> model.c and model.h in a folder."""
    compiled = to_c99(read_model(model))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in compiled.files.items():
        (folder / name).write_text(text)
    return compiled


def steps_on_host(folder: Path, inputs: NDArray[np.generic], flags: tuple[str, ...] = ("-O2",)) -> bytes:
    """Inputs -> what every operator of a folder's model.c wrote, one after the other, input by input."""
    (folder / "trace.h").write_text(TRACE)
    quiet = HOST_MAIN.replace("fwrite(model_output(), 1, MODEL_OUTPUT_BYTES, stdout);", "")
    (folder / "main.c").write_text(quiet)
    if not (folder / "steps").exists():
        command = ["gcc", *STRICT, *flags, "-include", "trace.h", "model.c", "main.c", "-o", "steps"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)
    done = subprocess.run(
        ["./steps"], cwd=folder, input=inputs.tobytes(), capture_output=True, check=True, timeout=600
    )
    return done.stdout


def reference_steps(model: bytes, inputs: NDArray[np.generic]) -> bytes:
    """The same of LiteRT's reference kernels; operators that only change a shape are left out."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    loaded = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    loaded.allocate_tensors()
    given = loaded.get_input_details()[0]["index"]
    written = [op.outputs[0] for op in read_model(model).operators if op.name not in SAME_BYTES]
    found = []
    for values in inputs:
        loaded.set_tensor(given, values)
        loaded.invoke()
        found += [loaded.get_tensor(tensor).tobytes() for tensor in written]
    return b"".join(found)


def mismatches(
    model: bytes,
    folder: Path,
    inputs: NDArray[np.generic],
    flags: tuple[str, ...] = ("-O2",),
    cpu: str = "",
) -> tuple[int, int]:
    """Bytes of all operators' outputs that differ from LiteRT's reference kernels, and how many there are.

    On this computer, or on the emulated core `cpu`.
    """
    if not (folder / "model.c").exists():
        write(model, folder)
    found = steps_on_cortex_m(folder, inputs, cpu, flags) if cpu else steps_on_host(folder, inputs, flags)
    expected = reference_steps(model, inputs)
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} bytes instead of {len(expected)}")
    different = np.frombuffer(found, np.uint8) != np.frombuffer(expected, np.uint8)
    return int(different.sum()), len(expected)


def on_host(
    folder: Path, inputs: NDArray[np.generic], flags: tuple[str, ...] = ("-O2",)
) -> NDArray[np.uint8]:
    """Inputs -> output bytes of the program that gcc makes of a folder's model.c, one row an input."""
    (folder / "main.c").write_text(HOST_MAIN)
    command = ["gcc", *STRICT, *flags, "model.c", "main.c", "-o", "model"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    done = subprocess.run(
        ["./model"], cwd=folder, input=inputs.tobytes(), capture_output=True, check=True, timeout=600
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(len(inputs), -1)


def steps_on_cortex_m(
    folder: Path, inputs: NDArray[np.generic], cpu: str = "cortex-m4", flags: tuple[str, ...] = ("-O2",)
) -> bytes:
    """As `steps_on_host`, on an emulated core."""
    step = "void write_step(const void *values, unsigned long bytes);\n"
    (folder / "steps.h").write_text(
        f"{step}#define EDGEML_STEP(tensor, values, bytes) write_step(values, bytes);\n"
    )
    on_cortex_m(folder, inputs, cpu, (*flags, "-DSTEPS", "-include", "steps.h"))
    return (folder / "out").read_bytes()


def on_cortex_m(
    folder: Path, inputs: NDArray[np.generic], cpu: str = "cortex-m4", flags: tuple[str, ...] = ("-O2",)
) -> tuple[NDArray[np.uint8], list[int]]:
    """Inputs -> output bytes on an emulated core, and the instructions that each run took."""
    plugin = folder / "libcount.so"
    if not plugin.exists():
        command = ["gcc", "-O2", "-shared", "-fPIC", str(CORTEX_M / "count.c"), "-o", str(plugin)]
        subprocess.run(command, check=True)
    compile_ = ["arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", *STRICT, *flags, "-I.", "-c"]
    subprocess.run([*compile_, "model.c", "-o", "model.o"], cwd=folder, check=True, timeout=300)
    subprocess.run([*compile_, str(CORTEX_M / "start.c"), "-o", "start.o"], cwd=folder, check=True)
    link = [
        "arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", "-nostartfiles", "-T", str(CORTEX_M / "link.ld"),
        "start.o", "model.o", "--specs=nosys.specs", "-Wl,--no-warn-rwx-segments", "-o", "model.elf",
    ]  # fmt: skip
    subprocess.run(link, cwd=folder, check=True)
    (folder / "in").write_bytes(inputs.tobytes())
    run = [
        "qemu-system-arm", "-M", MACHINES[cpu], "-kernel", "model.elf", "-display", "none", "-serial", "none",
        "-monitor", "none", "-semihosting-config", "enable=on,target=native",
        "-plugin", f"{plugin},out=counts",
    ]  # fmt: skip
    subprocess.run(run, cwd=folder, check=True, timeout=600, stdin=subprocess.DEVNULL)
    counts = [int(line) for line in (folder / "counts").read_text().split()]
    outputs = np.frombuffer((folder / "out").read_bytes(), np.uint8).reshape(len(inputs), -1)
    return outputs, counts


def code_bytes(folder: Path) -> int:
    """Bytes of code in the model.o that `on_cortex_m` compiled (.text without tables)."""
    done = subprocess.run(
        ["arm-none-eabi-size", "-A", "model.o"], cwd=folder, capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".text"))


def random_inputs(model: bytes, count: int, seed: int = 0) -> NDArray[np.generic]:
    """Random bytes in the shape and type of a model's input."""
    given = read_model(model)
    tensor = given.tensors[given.inputs[0]]
    kind = np.dtype(tensor.dtype.lower())
    limits = np.iinfo(kind)
    rng = np.random.default_rng(seed)
    return rng.integers(limits.min, limits.max + 1, (count, *tensor.shape)).astype(kind)


def reference(model: bytes, inputs: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Inputs -> output bytes of LiteRT's reference kernels."""
    loaded = interpreter(model, reference=True)
    given, taken = loaded.get_input_details()[0], loaded.get_output_details()[0]
    rows = []
    for values in inputs:
        loaded.set_tensor(given["index"], values)
        loaded.invoke()
        rows.append(loaded.get_tensor(taken["index"]).reshape(-1).copy())
    return np.stack(rows).view(np.uint8)
