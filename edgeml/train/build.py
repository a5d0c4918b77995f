"""Graph -> Network: the reading of a Graph that trains, in TensorFlow's plain operators.

All trained parameters lie in one vector, all BatchNorm statistics in another. A Keras model has two to four
variables a layer, and with them the gradient clipping, the optimiser and the weight decay have operators for
each: most of what tracing a step costs, and of a small network's step as well (bench/training_loop.py).
`edgeml.train.keras_model` is the same network as a Keras model.
"""

from __future__ import annotations

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
)
from edgeml.train.initialise import initial

Weights = dict[str, NDArray[np.float32]]
"""Weights by "place:name", for example "stage0/cell1/node1/edge0/conv:kernel"."""

BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-3
STATISTICS = ("mean", "variance")


class Network:
    """A graph with weights; called with raw float32 images 0..255 (n, h, w, c) it gives logits (n, classes).

    Attributes:
        graph: what it computes.
        parameters: tf.Variable (p,), everything that is trained, place after place.
        statistics: tf.Variable (s,), BatchNorm's moving means and variances, place after place.
    """

    def __init__(self, graph: Graph, weights: Weights) -> None:
        import tensorflow as tf

        self.graph, self._tf = graph, tf
        shapes = {f"{node.name}:{name}": s for node in graph.nodes for name, s in node.weight_shapes.items()}
        self._trained = {key: s for key, s in shapes.items() if not key.endswith(STATISTICS)}
        self._moving = {key: s for key, s in shapes.items() if key.endswith(STATISTICS)}
        self.parameters = tf.Variable(_joined(weights, self._trained), name="parameters")
        self.statistics = tf.Variable(_joined(weights, self._moving), name="statistics", trainable=False)
        self.outputs = tf.function(self._outputs, autograph=False)

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Logits; with `training`, by the batch's own statistics, and the moving ones follow."""
        logits, found = self.forward(self.parameters.read_value(), images, training)
        if training:
            self.follow(found)
        return logits

    def forward(self, parameters: Any, images: Any, training: bool) -> tuple[Any, Any]:
        """Parameters (p,) and raw images -> logits and, with `training`, the batch's statistics (s,)."""
        tf = self._tf
        if tuple(images.shape[1:]) != self.graph.input_shape:
            raise ValueError(f"images of {tuple(images.shape[1:])}, expected {self.graph.input_shape}")
        values = _pieces(tf, parameters, self._trained)
        if not training:
            values.update(_pieces(tf, self.statistics.read_value(), self._moving))
        pass_ = _Pass(tf, self.graph, values, training)
        tensors: list[Any] = []
        for node in self.graph.nodes:
            inputs = [tensors[source] for source in node.inputs] or [images]
            tensors.append(_LAYERS[type(node.layer)](pass_, node, node.layer, *inputs))
        return tensors[-1], tf.concat(pass_.statistics, 0) if pass_.statistics else self.statistics[:0]

    def follow(self, found: Any) -> None:
        """Move BatchNorm's statistics towards those of a batch."""
        self.statistics.assign_sub((1 - BATCH_NORM_MOMENTUM) * (self.statistics - found))

    def kernels(self) -> NDArray[np.float32]:
        """1 where a parameter belongs to a kernel, else 0, shape (p,)."""
        ones = {key: np.full(s, key.endswith(":kernel"), np.float32) for key, s in self._trained.items()}
        return _joined(ones, self._trained)

    def get(self) -> Weights:
        """All weights by "place:name"."""
        return {
            **_cut(self.parameters.numpy(), self._trained),
            **_cut(self.statistics.numpy(), self._moving),
        }

    def set(self, weights: Weights) -> None:
        """Write weights; what `weights` lacks stays as it is."""
        merged = {**self.get(), **weights}
        self.parameters.assign(_joined(merged, self._trained))
        self.statistics.assign(_joined(merged, self._moving))

    def _outputs(self, images: Any) -> Any:
        """Raw uint8 images -> what `__call__` gives."""
        return self(self._tf.cast(images, self._tf.float32))


def build(graph: Graph, seed: int = 0, initialiser: str = "he_normal") -> Network:
    """Graph -> Network from raw float32 values 0..255 (n, h, w, c) to logits (n, classes).

    The final Softmax is left to the loss and to the converter.

    Args:
        graph: what to build.
        seed: of the weights; the same seed gives the same weights.
        initialiser: of convolutions, one of `edgeml.arch.recipe.INITIALISERS`.
    """
    return Network(graph, initial(graph, seed, initialiser))


def get_weights(model: Network, graph: Graph) -> Weights:
    """Weights of a built network by "place:name" (float32), in the order of `graph`."""
    found = model.get()
    return {
        f"{node.name}:{name}": found[f"{node.name}:{name}"]
        for node in graph.nodes
        for name in node.weight_shapes
    }


def set_weights(model: Network, graph: Graph, weights: Weights) -> None:
    """Write weights into a built network; places that `weights` lacks keep what they have."""
    places = {f"{node.name}:{name}" for node in graph.nodes for name in node.weight_shapes}
    model.set({key: value for key, value in weights.items() if key in places})


def _joined(weights: Weights, shapes: dict[str, tuple[int, ...]]) -> NDArray[np.float32]:
    parts = [np.zeros(0, np.float32)]
    for key, shape in shapes.items():
        if weights[key].shape != tuple(shape):
            raise ValueError(f"weight {key} has shape {weights[key].shape}, expected {tuple(shape)}")
        parts.append(weights[key].astype(np.float32).ravel())
    return np.concatenate(parts)


def _cut(vector: NDArray[np.float32], shapes: dict[str, tuple[int, ...]]) -> Weights:
    ends = np.cumsum([prod(shape) for shape in shapes.values()])[:-1]
    parts = np.split(vector, ends) if shapes else []
    return {key: part.reshape(shape).copy() for (key, shape), part in zip(shapes.items(), parts, strict=True)}


def _pieces(tf: Any, vector: Any, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """The tensors that a vector holds, in one operator and a reshape (no copy) for each."""
    if not shapes:
        return {}
    sizes = [prod(shape) for shape in shapes.values()]
    parts = tf.raw_ops.SplitV(value=vector, size_splits=sizes, axis=0, num_split=len(sizes))
    return {
        key: part if len(shape) == 1 else tf.raw_ops.Reshape(tensor=part, shape=list(shape))
        for (key, shape), part in zip(shapes.items(), parts, strict=True)
    }


class _Pass:
    """One walk through the network: weights by place, and the batch statistics met on the way."""

    def __init__(self, tf: Any, graph: Graph, values: dict[str, Any], training: bool) -> None:
        self.tf, self.graph, self.values, self.training = tf, graph, values, training
        self.ops = tf.raw_ops
        self.statistics: list[Any] = []
        self.unknown = [tf.constant([], tf.float32)] * 2  # one constant for all layers: less to trace

    def norm(self, node: Node, tensor: Any, activation: str | None) -> Any:
        """BatchNorm (Ioffe & Szegedy 2015) and activation."""
        known = self.unknown if self.training else [self.values[f"{node.name}:{s}"] for s in STATISTICS]
        mean, variance = known
        tensor, mean, variance, *_ = self.ops.FusedBatchNormV3(
            x=tensor,
            scale=self.values[f"{node.name}:gamma"],
            offset=self.values[f"{node.name}:beta"],
            mean=mean,
            variance=variance,
            epsilon=BATCH_NORM_EPSILON,
            is_training=self.training,
        )
        if self.training:
            self.statistics += (mean, variance)
        if activation is None:
            return tensor
        return self.ops.Relu6(features=tensor) if activation == "relu6" else self.ops.Relu(features=tensor)


def _input(at: _Pass, node: Node, layer: Input, images: Any) -> Any:
    return images * layer.scale


def _conv(at: _Pass, node: Node, layer: Conv2D, tensor: Any) -> Any:
    strides, kernel = [1, layer.stride, layer.stride, 1], at.values[f"{node.name}:kernel"]
    if kernel.shape[:2] == (1, 1) and layer.stride == 1:
        tensor = _pointwise(at, kernel, tensor)
    else:
        tensor = at.ops.Conv2D(input=tensor, filter=kernel, strides=strides, padding="SAME")
    return at.norm(node, tensor, layer.activation)


def _pointwise(at: _Pass, kernel: Any, tensor: Any) -> Any:
    """A 1x1 convolution as a product of matrices: oneDNN's convolutions take longer to set up than to do."""
    before, after = kernel.shape[2:]
    rows = at.ops.Reshape(tensor=tensor, shape=[-1, before])
    product = at.ops.MatMul(a=rows, b=at.ops.Reshape(tensor=kernel, shape=[before, after]))
    return at.ops.Reshape(tensor=product, shape=[-1, *tensor.shape[1:3], after])


def _depthwise(at: _Pass, node: Node, layer: DepthwiseConv2D, tensor: Any) -> Any:
    strides, kernel = [1, layer.stride, layer.stride, 1], at.values[f"{node.name}:kernel"]
    tensor = at.ops.DepthwiseConv2dNative(input=tensor, filter=kernel, strides=strides, padding="SAME")
    return at.norm(node, tensor, layer.activation)


def _pool(at: _Pass, node: Node, layer: Pool2D, tensor: Any) -> Any:
    size, strides = [1, *at.graph.window(node), 1], [1, layer.stride, layer.stride, 1]
    if layer.mode == "avg":
        return at.ops.AvgPool(value=tensor, ksize=size, strides=strides, padding="SAME")
    return at.ops.MaxPool(input=tensor, ksize=size, strides=strides, padding="SAME")


def _add(at: _Pass, node: Node, layer: Add, one: Any, other: Any) -> Any:
    return at.ops.AddV2(x=one, y=other)


def _concat(at: _Pass, node: Node, layer: Concat, *tensors: Any) -> Any:
    return at.ops.ConcatV2(values=tensors, axis=3)


def _global_pool(at: _Pass, node: Node, layer: GlobalAveragePool, tensor: Any) -> Any:
    return at.ops.Mean(input=tensor, axis=[1, 2])


def _flatten(at: _Pass, node: Node, layer: Flatten, tensor: Any) -> Any:
    return at.ops.Reshape(tensor=tensor, shape=[-1, *node.shape])


def _dense(at: _Pass, node: Node, layer: Dense, tensor: Any) -> Any:
    if layer.dropout and at.training:
        tensor = at.tf.nn.dropout(tensor, layer.dropout)
    if tensor.shape.rank == 4:
        tensor = at.ops.Reshape(tensor=tensor, shape=[-1, prod(tensor.shape[1:])])
    product = at.ops.MatMul(a=tensor, b=at.values[f"{node.name}:kernel"])
    return at.ops.BiasAdd(value=product, bias=at.values[f"{node.name}:bias"])


def _hard_swish(at: _Pass, node: Node, layer: HardSwish, tensor: Any) -> Any:
    return tensor * at.ops.Relu6(features=tensor + 3.0) * (1 / 6)


def _softmax(at: _Pass, node: Node, layer: Softmax, tensor: Any) -> Any:
    return tensor


_LAYERS: dict[type[Layer], Any] = {
    Input: _input,
    Conv2D: _conv,
    DepthwiseConv2D: _depthwise,
    Pool2D: _pool,
    Add: _add,
    Concat: _concat,
    GlobalAveragePool: _global_pool,
    Flatten: _flatten,
    Dense: _dense,
    Softmax: _softmax,
    HardSwish: _hard_swish,
}
