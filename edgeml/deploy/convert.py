"""Trained model -> TFLite bytes. The graph is written out with constants, so nothing of Keras is left.

A SavedModel of the Keras model takes 4.6 s to write and convert; the same network as a function over
folded constants takes 0.4 s (27 layers, TensorFlow 2.21, 2 cores).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph, Node
from edgeml.arch.layers import (
    Add,
    Concat,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    HardSwish,
    Input,
    Layer,
    Pool2D,
    Softmax,
    window,
)
from edgeml.deploy.fold import Folded
from edgeml.deploy.foreign import first_line
from edgeml.errors import ModelError


def to_tflite(graph: Graph, folded: dict[str, Folded], calibration: NDArray[np.uint8] | None) -> bytes:
    """Folded network -> TFLite flatbuffer with a static batch of 1.

    Args:
        graph: the network.
        folded: its deployed weights.
        calibration: raw uint8 images (n, h, w, c) that fix the activation ranges: full int8 with uint8
            input and output. None gives a float32 model.

    Raises:
        ModelError: the converter refused the network.
    """
    import tensorflow as tf

    if calibration is None:
        return converted(_converter(tf, graph, folded))
    return converted(converter_int8(tf, graph, folded, calibration))


def to_tflite_float16(graph: Graph, folded: dict[str, Folded]) -> bytes:
    """Folded network -> TFLite with float16 weights, float32 input and output: half the size.

    A runtime without float16 arithmetic widens the weights as it loads them (DEQUANTIZE operators).

    Raises:
        ModelError: the converter refused the network.
    """
    import tensorflow as tf

    converter = _converter(tf, graph, folded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converted(converter)


def to_tflite_dynamic(graph: Graph, folded: dict[str, Folded]) -> bytes:
    """Folded network -> TFLite with int8 weights, float32 input and output ("dynamic range").

    No calibration: each activation's range is taken while the model runs. Kernels of fewer than 1,024
    weights stay float32, which is the converter's rule.

    Raises:
        ModelError: the converter refused the network.
    """
    import tensorflow as tf

    converter = _converter(tf, graph, folded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converted(converter)


def _converter(tf: Any, graph: Graph, folded: dict[str, Folded]) -> Any:
    specification = tf.TensorSpec((1, *graph.input_shape), tf.float32, name="image")
    function = tf.function(lambda image: run(tf, graph, folded, image), autograph=False)
    concrete = function.get_concrete_function(specification)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())


def converter_int8(tf: Any, graph: Graph, folded: dict[str, Folded], images: NDArray[np.uint8]) -> Any:
    """The converter, set to full int8 with uint8 input and output."""
    converter = _converter(tf, graph, folded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _representative(images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    # One scale for dense weights: edgetpu_compiler 16 is built on TensorFlow 2.6 and CMSIS-NN releases of
    # that time read the first scale only, so a scale a channel would go wrong without a word.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter


def converted(converter: Any) -> bytes:
    """What the converter makes of its network.

    Raises:
        ModelError: it refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "statistics expected": TensorFlow's note on its own call
            return bytes(converter.convert())
    except Exception as error:
        raise ModelError(f"TensorFlow's converter refused the network: {first_line(error)}") from error


def _representative(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """One image at a time; the first holds a 0 and a 255, so that raw bytes are the int8 input as is."""
    for index, image in enumerate(images):
        raw = image.astype(np.float32)[None]
        if index == 0:
            raw.flat[0], raw.flat[-1] = 0.0, 255.0
        yield [raw]


def run(tf: Any, graph: Graph, folded: dict[str, Folded], image: Any) -> Any:
    """Raw float32 images (n, h, w, c), a TensorFlow tensor -> probabilities (n, classes)."""
    return activations(tf, graph, folded, image)[-1]


def activations(tf: Any, graph: Graph, folded: dict[str, Folded], image: Any) -> list[Any]:
    """The same, with every node's output, in the order of the graph."""
    tensors: list[Any] = []
    for node in graph.nodes:
        inputs = [image] if isinstance(node.layer, Input) else [tensors[source] for source in node.inputs]
        tensors.append(_LAYERS[type(node.layer)](tf, node, folded.get(node.name), inputs))
    return tensors


def _activate(tf: Any, node: Node, tensor: Any) -> Any:
    activation = {"relu6": tf.nn.relu6, "relu": tf.nn.relu, None: tf.identity}
    return activation[node.layer.activation](tensor)  # type: ignore[attr-defined]


def _conv(tf: Any, node: Node, weights: Folded, inputs: list[Any]) -> Any:
    stride = node.layer.stride  # type: ignore[attr-defined]
    return _activate(tf, node, tf.nn.conv2d(inputs[0], weights.kernel, stride, "SAME") + weights.bias)


def _depthwise(tf: Any, node: Node, weights: Folded, inputs: list[Any]) -> Any:
    stride = node.layer.stride  # type: ignore[attr-defined]
    strides = (1, stride, stride, 1)
    tensor = tf.nn.depthwise_conv2d(inputs[0], weights.kernel, strides, "SAME") + weights.bias
    return _activate(tf, node, tensor)


def _pool(tf: Any, node: Node, weights: None, inputs: list[Any]) -> Any:
    layer = node.layer
    assert isinstance(layer, Pool2D)
    pool = tf.nn.avg_pool2d if layer.mode == "avg" else tf.nn.max_pool2d
    side = [window(layer.size, (*inputs[0].shape[1:3], 0))[axis] for axis in (0, 1)]
    return pool(inputs[0], side, layer.stride, "SAME")


def _dense(tf: Any, node: Node, weights: Folded, inputs: list[Any]) -> Any:
    row = inputs[0] if inputs[0].shape.rank == 2 else _reshape(tf, inputs[0], [prod(inputs[0].shape[1:])])
    return tf.matmul(row, weights.kernel) + weights.bias


def _reshape(tf: Any, tensor: Any, shape: Sequence[int]) -> Any:
    """With a static batch where it has one: a free one would become operators of its own."""
    batch = tensor.shape[0]
    return tf.reshape(tensor, [-1 if batch is None else batch, *shape])


_LAYERS: dict[type[Layer], Any] = {
    Input: lambda tf, node, weights, inputs: inputs[0],
    Conv2D: _conv,
    DepthwiseConv2D: _depthwise,
    Pool2D: _pool,
    Add: lambda tf, node, weights, inputs: tf.add(*inputs),
    Concat: lambda tf, node, weights, inputs: tf.concat(inputs, -1),
    GlobalAveragePool: lambda tf, node, weights, inputs: tf.reduce_mean(inputs[0], (1, 2)),
    Flatten: lambda tf, node, weights, inputs: _reshape(tf, inputs[0], node.shape),
    Dense: _dense,
    Softmax: lambda tf, node, weights, inputs: tf.nn.softmax(inputs[0]),
    # The converter knows this form as HARD_SWISH.
    HardSwish: lambda tf, node, weights, inputs: inputs[0] * tf.nn.relu6(inputs[0] + 3.0) * (1.0 / 6),
}
