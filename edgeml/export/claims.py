"""What an exported file must reach before it is handed over: format -> runtime, reference and thresholds."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeml.arch.layers import DepthwiseConv2D
from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.export import coreml, script
from edgeml.export.given import ExportInput
from edgeml.export.runtimes import Request
from edgeml.export.waveform import waveform_request
from edgeml.target.ethosu.vela import NPU_OP

FLOAT = "the float network"
SCORED = "the scored int8 model (LiteRT)"
REFERENCE = "the scored int8 model (LiteRT reference kernels)"


@dataclass(frozen=True)
class NotHere:
    """The file needs a device that is not here; `reason` says which, and what was checked in its place."""

    reason: str


@dataclass(frozen=True)
class Claim:
    """What a format must reach.

    Attributes:
        against: what it is compared with: FLOAT, SCORED or REFERENCE.
        agreement: least share of samples with the same most probable class; where outputs are no classes, of
            samples whose outputs differ by at most `steps` (root mean square over a sample's outputs).
        max_error: largest difference of a probability; None where rounding is the runtime's own. Where
            outputs are no probabilities, this share of PROBABILITY_STEPS steps.
        request: the candidate and the folder with the format's files -> how to open them, or why not here.
            Raises ModelError where the files are not what they should be.
        unseen: what is checked of a file that only the device can run.
        steps: of the scored model's quantised output, where outputs are no classes.
    """

    against: str
    agreement: float
    max_error: float | None
    request: Callable[[ExportInput, Path], Request | NotHere]
    unseen: str = ""
    steps: float = 1.0

    @property
    def threshold(self) -> str:
        """In words, for classifiers."""
        error = "" if self.max_error is None else f", probabilities within {self.max_error:g}"
        return self._words(f"same class on {self.agreement:.0%} of the samples", error)

    @property
    def threshold_of_values(self) -> str:
        """In words, for networks whose outputs are no classes."""
        most = None if self.max_error is None else self.max_error * PROBABILITY_STEPS
        error = "" if most is None else f", none off by more than {most:.2g} steps"
        return self._words(f"{alike(self.steps)} on {self.agreement:.0%} of the samples", error)

    def _words(self, agreement: str, error: str) -> str:
        words = agreement + (", bit for bit" if self.max_error == 0 else error)
        return "; ".join(part for part in (words if self.agreement else "", self.unseen) if part)


PROBABILITY_STEPS = 256
"""Steps of an int8 softmax from 0 to 1: what is allowed of a probability is allowed of any output."""


def alike(steps: float) -> str:
    """What agreement is where outputs are no classes: "outputs within 1 quantisation step"."""
    return f"outputs within {steps:g} quantisation step{'' if steps == 1 else 's'}"


def _litert(name: str, repeat_grey: bool = False) -> Callable[[ExportInput, Path], Request]:
    def request(given: ExportInput, folder: Path) -> Request:
        channels = 3 if repeat_grey and given.graph.input_shape[2] == 1 else 1
        return Request("litert", folder / name, {"repeat_channels": channels} if channels > 1 else {})

    return request


def _keras(given: ExportInput, folder: Path) -> Request:
    return Request("keras", folder / "model.h5")


def _savedmodel(given: ExportInput, folder: Path) -> Request:
    return Request("savedmodel", folder / "savedmodel")


def _onnx(given: ExportInput, folder: Path) -> Request:
    return Request("onnxruntime", folder / "model.onnx")


def _onnx_int8(given: ExportInput, folder: Path) -> Request:
    read = read_model(given.tflite)
    taken = read.tensors[read.outputs[0]].quantization
    assert taken is not None
    quantised = {"scale": taken.scales[0], "zero_point": taken.zero_points[0]}
    return Request("onnxruntime", folder / "model_int8.onnx", quantised)


def _tflm(given: ExportInput, folder: Path) -> Request:
    """What stands in the C text, not what it was written from."""
    text = (folder / "c" / "model_data.cc").read_text("ascii")
    array = re.search(r"model_data\[\] = \{(.*?)\};", text, re.DOTALL)
    arena = re.search(r"kModelArenaBytes = (\d+);", (folder / "c" / "model_ops.h").read_text("ascii"))
    if array is None or arena is None:
        raise ModelError("the sources hold no array or no arena size; export again.")
    model = folder / "array.tflite"
    model.write_bytes(bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", array[1])))
    return Request("tflm", model, {"arena_bytes": int(arena[1])})


def _c99(given: ExportInput, folder: Path) -> Request | NotHere:
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        return NotHere("not executed: needs a C compiler (cc, gcc or clang on PATH).")
    return Request("c99", folder / "c99", {"compiler": compiler})


def _coreml(given: ExportInput, folder: Path) -> Request | NotHere:
    package = folder / coreml.PACKAGE
    if sys.platform == "darwin":
        return Request("coreml", package, {"classes": coreml.class_names(given)})
    weights, model = (package / coreml.WEIGHTS).read_bytes(), (package / coreml.MODEL).read_bytes()
    for place, folded in given.folded.items():
        kernel = folded.kernel
        if kernel.ndim == 4:  # Core ML has output channels first; a depthwise kernel has one input channel
            depthwise = isinstance(given.graph.by_name[place].layer, DepthwiseConv2D)
            kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        else:
            kernel = kernel.T
        if kernel.size >= 64 and kernel.tobytes() not in weights:  # smaller ones may lie inline
            raise ModelError(f"the package does not hold the kernel of {place}.")
    absent = [name for name in coreml.class_names(given) if name.encode() not in model]
    if absent:
        raise ModelError(f"the package does not hold the class name {absent[0]!r}.")
    return NotHere("not executed: needs macOS. The package holds every kernel and class name byte for byte.")


def _edgetpu(given: ExportInput, folder: Path) -> Request | NotHere:
    compiled = folder / "edgetpu" / "model_edgetpu.tflite"
    if not compiled.exists():
        return Request("litert", folder / "edgetpu" / "model.tflite")
    read = read_model(compiled)
    if not read.compiled_for_edgetpu:
        raise ModelError("edgetpu_compiler wrote a file without an operator for the Edge TPU.")
    host = len(read.operators) - sum(op.name == "CUSTOM" for op in read.operators)
    return NotHere(f"not executed: needs an Edge TPU. The compiled file leaves {host} operators to the host.")


def _vela(given: ExportInput, folder: Path) -> NotHere:
    for path in sorted((folder / "vela").glob("*_vela.tflite")):
        left = [op.label for op in read_model(path).operators if op.custom_code != NPU_OP]
        if left:
            raise ModelError(f"{path.name} leaves {', '.join(left)} to the CPU; expected none.")
    return NotHere("not executed: needs an Ethos-U. The compiled file leaves no operator to the CPU.")


def _script(given: ExportInput, folder: Path) -> Request:
    """The script with the weights as exported; it counts its own parameters."""
    from safetensors.numpy import save_file

    weights = folder / "weights.safetensors"
    save_file(dict(given.weights), weights)
    more = {"weights": str(weights), "parameters": script.parameters(given.graph)}
    return Request("script", folder / script.NAME, more)


CLAIMS: dict[str, Claim] = {
    "tflite": Claim(SCORED, 1.0, 0.0, _litert("model.tflite")),
    "mediapipe": Claim(SCORED, 1.0, 0.0, _litert("model_mediapipe.tflite", repeat_grey=True)),
    "tflite-fp32": Claim(FLOAT, 1.0, 1e-4, _litert("model_fp32.tflite")),
    "tflite-fp16": Claim(FLOAT, 0.99, 0.05, _litert("model_fp16.tflite")),
    "tflite-dynamic": Claim(FLOAT, 0.95, None, _litert("model_dynamic.tflite"), steps=16),
    "tflite-waveform": Claim(SCORED, 0.98, None, waveform_request),
    "edgetpu": Claim(SCORED, 1.0, 0.0, _edgetpu, "compiled: it has an Edge TPU operator, and is not run"),
    "vela": Claim("-", 0.0, None, _vela, "no operator is left to the CPU; it is not run"),
    "onnx": Claim(FLOAT, 1.0, 1e-4, _onnx),
    "onnx-int8": Claim(SCORED, 0.98, None, _onnx_int8, steps=2),
    "keras": Claim(FLOAT, 1.0, 1e-4, _keras),
    "savedmodel": Claim(FLOAT, 1.0, 1e-4, _savedmodel),
    "coreml": Claim(FLOAT, 1.0, 1e-4, _coreml, "not on macOS: kernels and class names byte for byte"),
    "c": Claim(REFERENCE, 0.99, 0.02, _tflm, steps=2),
    "c99": Claim(REFERENCE, 1.0, 0.0, _c99),
    "script": Claim(FLOAT, 1.0, 1e-4, _script),
}
"""Every format of formats.FORMATS.

An autoencoder's dynamic-range file was off by up to 9.3 steps from the float network, the scored int8 model
by 8.2 on the same normal samples (tests/export_input.py `odd_ones`): hence its 16.

tflite-micro and our own C are held to LiteRT's reference kernels, whose arithmetic they share; how often
those and the kernels that scored (XNNPACK) name the same class is the network's, and the proof says it.
"""
