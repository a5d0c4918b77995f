"""Small int8 models with every operator and shape that C99 is written for, made by TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _conv(tf: Any, rng: Any, x: Any, filters: int, kernel: Any, strides: Any = 1, **more: Any) -> Any:
    tall, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    shape = (tall, wide, x.shape[-1], filters)
    weights = rng.normal(0, (2 / (tall * wide * x.shape[-1])) ** 0.5, shape).astype(np.float32)
    padding = more.pop("padding", "SAME")
    return tf.nn.conv2d(x, weights, strides, padding, **more) + rng.normal(0, 0.3, filters).astype(np.float32)


def _depthwise(tf: Any, rng: Any, x: Any, kernel: Any, multiplier: int = 1, **more: Any) -> Any:
    tall, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    weights = rng.normal(0, 0.5, (tall, wide, x.shape[-1], multiplier)).astype(np.float32)
    stride = more.pop("stride", 1)
    padding = more.pop("padding", "SAME")
    bias = rng.normal(0, 0.3, x.shape[-1] * multiplier).astype(np.float32)
    return tf.nn.depthwise_conv2d(x, weights, (1, stride, stride, 1), padding, **more) + bias


def _dense(tf: Any, rng: Any, x: Any, units: int) -> Any:
    weights = rng.normal(0, x.shape[-1] ** -0.5, (x.shape[-1], units)).astype(np.float32)
    return tf.matmul(x, weights) + rng.normal(0, 0.3, units).astype(np.float32)


def _odd(tf: Any, rng: Any, x: Any) -> Any:
    """Channels that are no multiple of four, windows that are not square, padding of every kind."""
    x = tf.nn.relu(_conv(tf, rng, x, 7, (3, 2), (1, 2)))
    x = tf.nn.relu6(_depthwise(tf, rng, x, 3))
    x = _depthwise(tf, rng, x, (5, 3), stride=2)
    x = _conv(tf, rng, x, 9, 1)
    x = _conv(tf, rng, x, 5, (2, 3), padding="VALID")
    x = tf.nn.relu(_conv(tf, rng, x, 3, 5))
    x = _depthwise(tf, rng, x, 3)
    return tf.nn.softmax(_dense(tf, rng, tf.reshape(x, (1, -1)), 5))


def _dilated(tf: Any, rng: Any, x: Any) -> Any:
    x = tf.nn.relu(_conv(tf, rng, x, 8, 3, dilations=2))
    x = tf.nn.relu(_depthwise(tf, rng, x, 3, dilations=(2, 2)))
    x = _conv(tf, rng, x, 6, 3, padding="VALID", dilations=(1, 2))
    x = _depthwise(tf, rng, x, 3, multiplier=2)
    x = _conv(tf, rng, x, 12, 1, 2)
    return tf.reduce_mean(x, (1, 2), keepdims=True)


def _joined(tf: Any, rng: Any, x: Any) -> Any:
    """Branches: additions, products, concatenation, padding, pools, a row of constants."""
    a = tf.nn.relu6(_conv(tf, rng, x, 8, 3, 2))
    b = _conv(tf, rng, x, 8, 1, 2)
    both = tf.nn.relu(a + b)
    gate = a * tf.reduce_mean(b, (1, 2), keepdims=True)
    less = both - gate
    row = less * rng.normal(1, 0.5, 8).astype(np.float32)
    # One scale for all: what relu leaves no longer starts at the lowest byte.
    wide = tf.concat([a, row, tf.nn.relu(_depthwise(tf, rng, gate, 3)), gate], -1)
    padded = tf.pad(wide, ((0, 0), (1, 2), (0, 1), (0, 0)))
    pooled = tf.nn.avg_pool2d(padded, (3, 2), (2, 1), "VALID")
    pooled = tf.nn.max_pool2d(pooled, 3, 2, "SAME") - tf.nn.avg_pool2d(pooled, 3, 2, "SAME")
    return tf.nn.softmax(_dense(tf, rng, tf.reduce_mean(pooled, (1, 2)), 11))


def _pointwise(tf: Any, rng: Any, x: Any) -> Any:
    """Activations on their own, a hard swish, matrices with an odd number of columns."""
    x = _conv(tf, rng, x, 16, 3)
    x = x * tf.nn.relu6(x + 3.0) * (1.0 / 6)
    pooled = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.nn.relu(pooled) + tf.nn.relu6(pooled)
    x = _conv(tf, rng, x, 13, 1)
    return _dense(tf, rng, tf.reshape(x, (-1, 13)), 6)


def _steep(tf: Any, rng: Any, x: Any) -> Any:
    """Scales above 1/2, which shift left: large weights before narrow activations; dead channels."""
    x = tf.nn.relu6(40 * _conv(tf, rng, x, 6, 3))
    x = tf.nn.relu6(60 * _depthwise(tf, rng, x, 3))
    x = tf.nn.relu6(50 * _conv(tf, rng, x, 8, 1))
    kept = np.array([1, 1, 0, 1, 0, 1, 1, 1], np.float32)
    x = _conv(tf, rng, x, 8, 1) * kept
    return tf.nn.relu6(30 * _dense(tf, rng, tf.reduce_mean(x, (1, 2)), 4))


def _slim(tf: Any, rng: Any, x: Any) -> Any:
    """Depthwise and pointwise layers that fit in little memory only in place; windows odd and even."""
    x = tf.nn.relu(_depthwise(tf, rng, x, 3))
    x = tf.nn.relu(_conv(tf, rng, x, 12, 1))
    x = tf.nn.relu(_depthwise(tf, rng, x, (5, 3)))
    x = _conv(tf, rng, x, 10, 1)
    x = _depthwise(tf, rng, x, (2, 4))
    x = _depthwise(tf, rng, x, 7)
    x = _depthwise(tf, rng, x, (1, 3))
    return tf.reduce_mean(_conv(tf, rng, x, 3, 1), (1, 2))


def _full(tf: Any, rng: Any, x: Any) -> Any:
    """Its arena is fullest in a convolution with large windows, so that one goes without scratch."""
    x = tf.nn.relu(_conv(tf, rng, x, 16, 3))
    x = tf.nn.relu(_conv(tf, rng, x, 15, 5))
    return tf.reduce_mean(x, (1, 2))


MODELS: dict[str, tuple[tuple[int, int, int], Callable[[Any, Any, Any], Any]]] = {
    "odd": ((13, 11, 3), _odd),
    "dilated": ((12, 10, 4), _dilated),
    "joined": ((14, 13, 2), _joined),
    "pointwise": ((6, 5, 5), _pointwise),
    "steep": ((7, 9, 3), _steep),
    "slim": ((11, 9, 12), _slim),
    "full": ((6, 6, 4), _full),
}
"""By name: shape of the input and the network."""


def tflite(name: str, integer: str = "uint8") -> bytes:
    """One of MODELS as an int8 file with random weights."""
    import tensorflow as tf

    shape, network = MODELS[name]
    rng = np.random.default_rng(len(name))
    function = tf.function(lambda image: network(tf, rng, image), autograph=False)
    concrete = function.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    images = np.random.default_rng(0).normal(0, 1, (8, 1, *shape)).astype(np.float32)
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(integer)
    return bytes(converter.convert())
