"""Format `c`: the int8 model as C sources for tflite-micro: array, operators, arena, labels, a main."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.errors import MissingToolError, ModelError
from edgeml.export.c_output import header, micro_main
from edgeml.export.given import ExportInput
from edgeml.export.literals import c_string, rows
from edgeml.export.micro_text import DATA_CC, DATA_H, MAIN_CC, OPS_H
from edgeml.export.runtimes import Request, run, softmax_note
from edgeml.target.mcu import process as tflm_process
from edgeml.target.mcu.plan import aligned, cmsis_nn_extra_bytes
from edgeml.target.measure import known_target
from edgeml.target.meter import MeterUnavailableError
from edgeml.target.meters.tflm import MIB, TflmOptions
from edgeml.target.rule_sets import verdicts

FOLDER = "c/"
SEED = 1
"""Of the test input."""

METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
"""Methods of MicroMutableOpResolver that are not their operator's name in camel case."""


def c(given: ExportInput) -> dict[str, bytes]:
    """`c/`: for tflite-micro; the model as an array, its operators, measured arena, labels, a small main.

    Raises:
        MissingToolError: tflite-micro, which measures the arena, is not installed.
        ModelError: tflite-micro has no kernel for an operator, or cannot run the model.
    """
    read = read_model(given.tflite)
    _refuse(given, read)
    arena = _arena(given.tflite)
    outputs = _expected(given, arena)
    return {
        f"{FOLDER}model_data.h": _header(given, read),
        f"{FOLDER}model_data.cc": _data(given),
        f"{FOLDER}model_ops.h": _operators(given, read, arena),
        f"{FOLDER}main.cc": _main(given, outputs),
    }


def methods(names: Sequence[str]) -> list[str]:
    """Operators -> the methods of MicroMutableOpResolver that register them, each once, sorted."""
    return sorted({METHODS.get(name) or _camel(name) for name in names})


def _camel(name: str) -> str:
    return "Add" + "".join(part if part[0].isdigit() else part.capitalize() for part in name.split("_"))


def _refuse(given: ExportInput, read: TfliteModel) -> None:
    own = next((target for target in given.targets.members if target.rules == "tflm"), None)
    refused = [v for v in verdicts(read, None, own or known_target("mcu-m4")) if not v.mapped]
    if refused:
        said = "; ".join(dict.fromkeys(f"{v.op}: {v.reason}. {v.instead}".rstrip(". ") for v in refused))
        raise ModelError(
            f"--format c: tflite-micro refuses {len(refused)} operator{'s' * (len(refused) > 1)} ({said})."
        )


def _arena(model: bytes) -> int:
    """The smallest arena with which tflite-micro runs the model here, measured (bytes)."""
    limits = TflmOptions.model_validate({})
    try:
        found = tflm_process.ask(model, limits.time_limit_s, limits.memory_limit_mib * MIB)
    except MeterUnavailableError as error:
        raise MissingToolError(f"--format c: {str(error).rstrip('.')}.") from error
    return int(found["arena_bytes"])


def _expected(given: ExportInput, arena: int) -> list[int]:
    """What tflite-micro says of the test input: its uint8 outputs."""
    read = read_model(given.tflite)
    taken = read.tensors[read.outputs[0]]
    assert taken.quantization is not None
    with tempfile.TemporaryDirectory(prefix="edgeml-export-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(given.tflite)
        np.save(folder / "input.npy", noise_input(given.graph.input_shape)[None])
        request = Request("tflm", folder / "model.tflite", {"arena_bytes": arena})
        found = run(request, folder / "input.npy", folder / "run")
    if found.reason:
        note = softmax_note(len(given.classes))
        raise ModelError(
            f"--format c: tflite-micro cannot run the model in {arena} bytes: {found.reason}{note}."
        )
    scale, zero = taken.quantization.scales[0], taken.quantization.zero_points[0]
    return [round(float(value) / scale) + zero for value in found.outputs[0]]


def noise_input(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The input of main.cc: the high bytes of a linear congruential generator (Knuth, Numerical Recipes)."""
    state, values = SEED, []
    for _ in range(int(np.prod(shape))):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(state >> 24)
    return np.array(values, np.uint8).reshape(shape)


def _fill(text: str, given: ExportInput, **more: Any) -> bytes:
    """A template with its @NAME@ marks replaced."""
    height, width, channels = given.graph.input_shape
    marks = {
        "key": given.key, "height": height, "width": width, "channels": channels,
        "count": given.graph.output_shape[2], "bytes": len(given.tflite), **more,
    }  # fmt: skip
    for name, value in marks.items():
        text = text.replace(f"@{name}@", str(value))
    return text.encode("ascii")


def _header(given: ExportInput, read: TfliteModel) -> bytes:
    taken = read.tensors[read.outputs[0]].quantization
    assert taken is not None
    told = header(given)
    quantised = {"scale": repr(taken.scales[0]), "zero_point": taken.zero_points[0]}
    return _fill(DATA_H, given, **told, **quantised)


def _data(given: ExportInput) -> bytes:
    digits = [f"0x{byte:02x}" for byte in range(256)]
    array = rows([digits[byte] for byte in given.tflite], 16)
    labels = ""
    if given.goal.task == "classification":
        names = rows([c_string(label) for label in given.classes], 1)
        labels = f"\nconst char *const model_labels[MODEL_CLASSES] = {{\n{names}\n}};\n"
    # The names of classes last: one may be called like a mark.
    return _fill(DATA_CC, given).replace(b"@array@", array.encode()).replace(b"@labels@", labels.encode())


def _operators(given: ExportInput, read: TfliteModel, arena: int) -> bytes:
    calls = methods([operator.name for operator in read.operators])
    lines = "\n".join(f"  if (resolver.{call}() != kTfLiteOk) return kTfLiteError;" for call in calls)
    extra = aligned(cmsis_nn_extra_bytes(read))
    return _fill(
        OPS_H, given, count=len(calls), calls=lines, arena=arena, extra=extra, tool=tflm_process.tool()
    )


def _main(given: ExportInput, outputs: list[int]) -> bytes:
    listed = rows(outputs, 16)
    told = micro_main(given)
    return _fill(MAIN_CC, given, **told, seed=SEED, outputs=listed, count=told["size"])
