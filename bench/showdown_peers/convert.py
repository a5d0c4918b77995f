"""Keras network -> full-integer int8 file, its accuracy and its multiply-accumulates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION = 500
"""Training samples that the ranges of activations are read from."""


# user code begins
def to_int8(model: Any, x: NDArray[np.float32]) -> bytes:
    """Keras network, training inputs -> flatbuffer with int8 inputs and outputs.

    https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # Keras 3 keeps variables where the converter does not look (READ_VARIABLE then fails): frozen first.
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    drawn = np.random.default_rng(0).permutation(len(x))[:CALIBRATION]
    converter.representative_dataset = lambda: ([x[i : i + 1]] for i in drawn)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


# user code ends
def accuracy(flat: bytes, x: NDArray[np.float32], y: NDArray[np.int64], batch: int = 50) -> float:
    """int8 file, inputs, labels -> share that it gets right."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=flat, num_threads=2)
    given = interpreter.get_input_details()[0]
    try:
        interpreter.resize_tensor_input(given["index"], (batch, *given["shape"][1:]), strict=False)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError):  # a Reshape that holds the batch of one
        batch = 1
        interpreter = tf.lite.Interpreter(model_content=flat, num_threads=2)
        interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = given["quantization"]
    right = 0
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), part.dtype)])
        quantised = np.clip(np.round(filled / scale + zero), -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], quantised.reshape(given["shape"]))
        interpreter.invoke()
        answers = interpreter.get_tensor(made["index"]).reshape(batch, -1)[: len(part)].argmax(-1)
        right += int((answers == y[start : start + batch]).sum())
    return right / len(y)


# user code begins
def macs(model: Any) -> int:
    """Keras network -> multiply-accumulates of its convolutions and dense layers, for one sample."""
    total = 0
    for layer in getattr(model, "layers", []):
        kind = type(layer).__name__
        if getattr(layer, "layers", None):
            total += macs(layer)
        elif kind in ("Conv2D", "Conv1D", "DepthwiseConv2D"):
            places = int(np.prod(layer.output.shape[1:-1]))
            total += places * int(np.prod(layer.kernel.shape))
        elif kind == "SeparableConv2D":
            places = int(np.prod(layer.output.shape[1:-1]))
            kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
            total += places * sum(int(np.prod(kernel.shape)) for kernel in kernels)
        elif kind == "Dense":
            total += int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
    return total


# user code ends
