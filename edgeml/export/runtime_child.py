"""Runs in a process of its own: opens one exported model with its real runtime and runs samples through it.

Started by runtimes.py as a file, so it imports nothing of edgeml: it has what a user's program would have.

Request (a JSON file): {"runtime": name in RUNTIMES, "model": path, "inputs": path of uint8 .npy (n, h, w, c),
"compare": inputs that count, "budget_s": seconds for running, "out": path}, and what the runtime needs.
Answer (a line of JSON): {"tool": name and version, "n": inputs run, "compared": of which to compare,
"seconds": s}, or {"error": words}; the outputs, real numbers (n, outputs), are in the file `out`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

LEAST = 20
"""Samples that are compared however slow the runtime is."""

Run = Callable[[Any], Any]
"""uint8 inputs (n, h, w, c) -> outputs (n, outputs): probabilities, a value, or the input again."""
Opened = tuple[str, Run, int]
"""Name and version of the runtime, the model in it, and how many inputs it takes at once."""


def litert(asked: dict[str, Any]) -> Opened:
    """LiteRT: XNNPACK, or its reference kernels with "reference"."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    reference = bool(asked.get("reference"))
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    model = Interpreter(asked["model"], num_threads=1, experimental_op_resolver_type=resolver)
    model.allocate_tensors()
    given, taken = model.get_input_details()[0], model.get_output_details()[0]

    def run(inputs: Any) -> Any:
        model.set_tensor(given["index"], inputs.astype(given["dtype"]))
        model.invoke()
        return _real(model.get_tensor(taken["index"]), *taken["quantization"])

    kernels = " reference kernels" if reference else ""
    return f"LiteRT {version('ai-edge-litert')}{kernels}", run, 1


def onnxruntime(asked: dict[str, Any]) -> Opened:
    """The CPU provider of onnxruntime; `scale` and `zero_point` are those of a quantised output."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 3
    # Else int8 products overflow 16 bits on CPUs with AVX2 but no VNNI (docs/decisions/010-exports.md).
    settings.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(asked["model"], settings, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}[given.type]
    quantised = (asked.get("scale", 0.0), asked.get("zero_point", 0))

    def run(inputs: Any) -> Any:
        return _real(session.run(None, {given.name: inputs.astype(kind)})[0], *quantised)

    return f"onnxruntime {version('onnxruntime')}", run, given.shape[0] if given.shape[0] == 1 else 64


def keras(asked: dict[str, Any]) -> Opened:
    """tf_keras, which is Keras 2."""
    import tf_keras

    model = tf_keras.models.load_model(asked["model"], compile=False)

    def run(inputs: Any) -> Any:
        return model(inputs.astype(np.float32), training=False).numpy()

    return f"tf_keras {version('tf_keras')}", run, 64


def savedmodel(asked: dict[str, Any]) -> Opened:
    """TensorFlow, through the serving signature."""
    import tensorflow as tf

    loaded = tf.saved_model.load(asked["model"])
    serve = loaded.signatures["serving_default"]
    (given,) = serve.structured_input_signature[1]

    def run(inputs: Any) -> Any:
        assert loaded is not None  # the signature holds no reference to it
        (found,) = serve(**{given: tf.constant(inputs)}).values()
        return found.numpy()

    return f"TensorFlow {version('tensorflow')}", run, 64


def tflm(asked: dict[str, Any]) -> Opened:
    """tflite-micro's interpreter in an arena of `arena_bytes`."""
    from tflite_micro import runtime

    model = runtime.Interpreter.from_file(asked["model"], arena_size=asked["arena_bytes"])
    given, taken = model.get_input_details(0), model.get_output_details(0)
    parameters = taken["quantization_parameters"]

    def run(inputs: Any) -> Any:
        model.set_input(inputs.astype(given["dtype"]), 0)
        model.invoke()
        return _real(model.get_output(0), parameters["scales"][0], parameters["zero_points"][0])

    return f"tflite-micro {version('tflite-micro')}", run, 1


_C99_MAIN = """
#include <stdio.h>
#include "model.h"
int main(void)
{
    int i;
    while (fread(model_input(), 1, MODEL_INPUT_BYTES, stdin) == MODEL_INPUT_BYTES) {
        model_run();
        for (i = 0; i < MODEL_OUTPUT_BYTES; i++) {
            float value = MODEL_OUTPUT_SCALE * (float)(model_output()[i] - MODEL_OUTPUT_ZERO);
            fwrite(&value, sizeof value, 1, stdout);
        }
    }
    return 0;
}
"""


def c99(asked: dict[str, Any]) -> Opened:
    """The folder's model.c and model.h, built by this computer's `compiler`."""
    made = Path(asked["out"]).with_name("c99")
    made.mkdir()
    (made / "main.c").write_text(_C99_MAIN, encoding="ascii")
    command = [asked["compiler"], "-std=c99", "-O2", f"-I{asked['model']}", f"{asked['model']}/model.c"]
    built = subprocess.run(
        [*command, str(made / "main.c"), "-o", str(made / "model")],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(f"{asked['compiler']} refuses it: {built.stderr.strip()[:200]}")
    said = subprocess.run([asked["compiler"], "-dumpversion"], capture_output=True, text=True, check=True)

    def run(inputs: Any) -> Any:
        done = subprocess.run([str(made / "model")], input=inputs.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.float32).reshape(len(inputs), -1)

    return f"{asked['compiler']} {said.stdout.strip()}", run, 64


def coreml(asked: dict[str, Any]) -> Opened:
    """Core ML, through coremltools on macOS. Never run here: no Mac was at hand."""
    import coremltools as ct
    from PIL import Image

    model = ct.models.MLModel(asked["model"])

    def run(inputs: Any) -> Any:
        found = model.predict({"image": Image.fromarray(inputs[0].squeeze())})
        return np.array([[found["classLabel_probs"][name] for name in asked["classes"]]])

    return f"Core ML (coremltools {version('coremltools')})", run, 1


def script(asked: dict[str, Any]) -> Opened:
    """train.py, imported as a module, with `weights` in its network of `parameters` numbers."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("train_script", asked["model"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.Network(0)
    net.load(Path(asked["weights"]))
    held = sum(int(np.prod(v.shape)) for v in [*net.weights.values(), *net.statistics.values()])
    if not held == module.PARAMETERS == asked["parameters"]:
        raise RuntimeError(f"its network has {held} parameters, expected {asked['parameters']}")
    return f"TensorFlow {version('tensorflow')}", net.predict, 64


RUNTIMES: dict[str, Callable[[dict[str, Any]], Opened]] = {
    "litert": litert,
    "onnxruntime": onnxruntime,
    "keras": keras,
    "savedmodel": savedmodel,
    "coreml": coreml,
    "tflm": tflm,
    "c99": c99,
    "script": script,
}
"""By the name in a request."""


def _real(outputs: Any, scale: float, zero_point: int) -> Any:
    """Quantised outputs as real numbers; floats as they are."""
    outputs = np.asarray(outputs)
    return (outputs.astype(np.float32) - zero_point) * np.float32(scale) if scale else outputs


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """A request -> the answer; the outputs are written to a file."""
    inputs = np.load(asked.get("waveforms") or asked["inputs"], mmap_mode="r", allow_pickle=False)
    tool, run, batch = RUNTIMES[asked["runtime"]](asked)
    channels = asked.get("repeat_channels", 1)
    outputs: list[Any] = []
    began = time.monotonic()

    def go_on(end: int) -> None:
        while (done := sum(map(len, outputs))) < end:
            taken = np.array(inputs[done : min(done + batch, end)])
            outputs.append(run(np.repeat(taken, channels, -1) if channels > 1 else taken))

    compared = min(asked["compare"], len(inputs))
    go_on(min(LEAST, compared))
    each = (time.monotonic() - began) / min(LEAST, compared)
    compared = min(compared, max(LEAST, int(asked["budget_s"] / each)))
    go_on(compared)
    each = (time.monotonic() - began) / compared
    if each * len(inputs) <= asked["budget_s"]:
        go_on(len(inputs))
    found = np.concatenate(outputs).astype(np.float32)
    np.save(asked["out"], found.reshape(len(found), -1))
    return {"tool": tool, "n": len(found), "compared": compared, "seconds": time.monotonic() - began}


def main() -> None:
    """Answer one request, on what was standard output; libraries print to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Of the Keras that TensorFlow imports only the second is used here.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        found = answer(asked)
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        found = {"error": f"{type(error).__name__}: {said[0][:300]}"}
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
