"""Times single operators in LiteRT without a delegate: the nanoseconds in edgeml/target/coral/host.py.

python bench/coral_host_ops.py

Post-processing of detections is timed with random scores on 1,917 and 19,206 anchors: the prior of custom_ns.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tests.make_tflite as making
from tests.make_tflite import ModelSpec, OpSpec, make

POST_PROCESS = {
    "max_detections": 10,
    "max_classes_per_detection": 1,
    "detections_per_class": 100,
    "num_classes": 90,
    "use_regular_nms": False,
    "x_scale": 10.0,
    "y_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
    "nms_score_threshold": 1e-8,
    "nms_iou_threshold": 0.6,
}


def best_ns(content: bytes) -> float:
    """Nanoseconds of the fastest of 20 runs on one thread."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    loaded = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    loaded.allocate_tensors()
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        values = rng.random(details["shape"])
        scaled = 0.3 * values if details["dtype"] == np.float32 else 100 * values
        loaded.set_tensor(details["index"], scaled.astype(details["dtype"]))
    loaded.invoke()
    times = []
    for _ in range(20):
        began = time.perf_counter_ns()
        loaded.invoke()
        times.append(time.perf_counter_ns() - began)
    return float(min(times))


def one(op: str, shape: tuple[int, ...], output: tuple[int, ...], *constants, **rest) -> bytes:
    """A model of one operator on one computed input."""
    spec = ModelSpec()
    source = spec.tensor(*shape, dtype=rest.pop("source", "INT8"))
    spec.op(op, [source, *(spec.constant(value) for value in constants)], output, **rest)
    return make(spec)


def addition(shape: tuple[int, ...]) -> bytes:
    spec = ModelSpec()
    source = spec.tensor(*shape)
    spec.op("ADD", [source, source], shape, options=("Add", {}))
    return make(spec)


def convolution() -> bytes:
    """1x1, 512 to 256 channels; scales and zero points as LiteRT wants them."""
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 33, 33, 512), 256)
    plain = making._tensor

    def exact(schema, model, tensor, index):
        made = plain(schema, model, tensor, index)
        if index in (1, 2):
            made.quantization.zeroPoint = [0]
            made.quantization.scale = [0.5 if index == 1 else 0.25]
        return made

    making._tensor = exact
    try:
        return make(spec)
    finally:
        making._tensor = plain


def post_process(anchors: int) -> bytes:
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for name, value in POST_PROCESS.items():
            builder.Key(name)
            {bool: builder.Bool, int: builder.Int, float: builder.Float}[type(value)](value)
    settings = np.frombuffer(bytes(builder.Finish()), np.uint8)
    spec = ModelSpec()
    boxes, scores = (spec.tensor(1, anchors, n, dtype="FLOAT32") for n in (4, 91))
    places = spec.tensor(anchors, 4, dtype="FLOAT32", value=np.full((anchors, 4), 0.5, np.float32))
    spec.outputs = [spec.tensor(*shape, dtype="FLOAT32") for shape in ((1, 10, 4), (1, 10), (1, 10), (1,))]
    custom = "TFLite_Detection_PostProcess"
    spec.ops.append(OpSpec("CUSTOM", [boxes, scores, places], spec.outputs, custom=custom))
    plain = making._op

    def with_settings(schema, op, index):
        made = plain(schema, op, index)
        made.customOptions = settings
        return made

    making._op = with_settings
    try:
        return make(spec)
    finally:
        making._op = plain


def main() -> None:
    """Print nanoseconds a value, or a MAC."""
    image, small, large = (1, 33, 33, 512), (1, 33, 33, 21), (1, 513, 513, 21)
    largest = ("ArgMax", {"outputType": 4})  # INT64
    resize = ("ResizeBilinear", {"alignCorners": True})
    cases = {
        **{
            f"RESIZE_BILINEAR, {kind}": (
                one("RESIZE_BILINEAR", small, large, [513, 513], options=resize, source=kind, dtype=kind),
                np.prod(large),
            )
            for kind in ("UINT8", "INT8")
        },
        **{
            f"ARG_MAX, {kind}": (
                one("ARG_MAX", large, large[:3], 3, dtype="INT64", options=largest, source=kind),
                np.prod(large),
            )
            for kind in ("UINT8", "INT8")
        },
        "ADD": (addition(image), np.prod(image)),
        "QUANTIZE": (one("QUANTIZE", image, image, source="FLOAT32"), np.prod(image)),
        "DEQUANTIZE": (one("DEQUANTIZE", image, image, dtype="FLOAT32"), np.prod(image)),
        "CONV_2D, per MAC": (convolution(), 33 * 33 * 512 * 256),
        "post-processing, 1917 anchors": (post_process(1917), 1917 * 95),
        "post-processing, 19206 anchors": (post_process(19206), 19206 * 95),
    }
    found = {name: round(best_ns(content) / float(count), 3) for name, (content, count) in cases.items()}
    print(json.dumps({"processor": platform.processor() or platform.machine(), "ns": found}, indent=1))


if __name__ == "__main__":
    main()
