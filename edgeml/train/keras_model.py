"""Graph and weights -> Keras model: the same network as `edgeml.train.build` builds, layer by layer.

For what needs Keras: model optimisation, the Keras export, and the tests that hold both to each other.
"""

from __future__ import annotations

from typing import Any

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
from edgeml.train.build import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Weights
from edgeml.train.initialise import initial


def keras_model(graph: Graph, weights: Weights | None = None) -> Any:
    """Graph -> tf_keras.Model from raw float32 values 0..255 (n, h, w, c) to logits (n, classes).

    The final Softmax is left to the loss and to the converter. Layer names are place names.

    Args:
        graph: what to build.
        weights: by "place:name"; those of `edgeml.train.build.build(graph)` where None.
    """
    import tf_keras as keras

    tensors: list[Any] = []
    model_input = None
    for node in graph.nodes:
        inputs = [tensors[source] for source in node.inputs]
        tensor = _LAYERS[type(node.layer)](keras, node, inputs)
        if isinstance(node.layer, Input):
            model_input = tensor
            tensor = keras.layers.Rescaling(node.layer.scale, name="rescale")(tensor)
        tensors.append(tensor)
    model = keras.Model(model_input, tensors[-1])
    values = initial(graph, 0, "he_normal") if weights is None else weights
    for node in graph.nodes:
        for name, variable in _variables(model, node).items():
            variable.assign(values[f"{node.name}:{name}"])
    return model


def keras_weights(model: Any, graph: Graph) -> Weights:
    """Weights of a model of `keras_model` by "place:name" (float32)."""
    return {
        f"{node.name}:{name}": variable.numpy()
        for node in graph.nodes
        for name, variable in _variables(model, node).items()
    }


def layer_name(node: Node) -> str:
    """Keras layer name of a node (slashes are scopes in Keras)."""
    return node.name.replace("/", ".")


def _variables(model: Any, node: Node) -> dict[str, Any]:
    if not node.weight_shapes:
        return {}
    layer = model.get_layer(layer_name(node))
    if isinstance(node.layer, Dense):
        return {"kernel": layer.kernel, "bias": layer.bias}
    norm = model.get_layer(layer_name(node) + ".norm")
    kernel = layer.depthwise_kernel if isinstance(node.layer, DepthwiseConv2D) else layer.kernel
    statistics = {"mean": norm.moving_mean, "variance": norm.moving_variance}
    return {"kernel": kernel, "gamma": norm.gamma, "beta": norm.beta, **statistics}


def _input(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return keras.layers.Input(node.shape, name="input")


def _norm_activation(keras: Any, node: Node, tensor: Any) -> Any:
    norm = keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=layer_name(node) + ".norm"
    )
    tensor = norm(tensor)
    activation = node.layer.activation  # type: ignore[attr-defined]
    if activation is None:
        return tensor
    return keras.layers.ReLU(6.0 if activation == "relu6" else None, name=layer_name(node) + ".act")(tensor)


def _conv(keras: Any, node: Node, inputs: list[Any]) -> Any:
    layer = node.layer
    assert isinstance(layer, Conv2D)
    conv = keras.layers.Conv2D(
        layer.filters,
        window(layer.kernel, inputs[0].shape[1:]),
        strides=layer.stride,
        padding="same",
        use_bias=False,
        name=layer_name(node),
    )
    return _norm_activation(keras, node, conv(inputs[0]))


def _depthwise(keras: Any, node: Node, inputs: list[Any]) -> Any:
    layer = node.layer
    assert isinstance(layer, DepthwiseConv2D)
    conv = keras.layers.DepthwiseConv2D(
        window(layer.kernel, inputs[0].shape[1:]),
        strides=layer.stride,
        padding="same",
        use_bias=False,
        name=layer_name(node),
    )
    return _norm_activation(keras, node, conv(inputs[0]))


def _pool(keras: Any, node: Node, inputs: list[Any]) -> Any:
    layer = node.layer
    assert isinstance(layer, Pool2D)
    kind = keras.layers.AveragePooling2D if layer.mode == "avg" else keras.layers.MaxPooling2D
    side = window(layer.size, inputs[0].shape[1:])
    return kind(side, strides=layer.stride, padding="same", name=layer_name(node))(inputs[0])


def _add(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return keras.layers.Add(name=layer_name(node))(inputs)


def _concat(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return keras.layers.Concatenate(name=layer_name(node))(inputs)


def _global_pool(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return keras.layers.GlobalAveragePooling2D(name=layer_name(node))(inputs[0])


def _dense(keras: Any, node: Node, inputs: list[Any]) -> Any:
    layer = node.layer
    assert isinstance(layer, Dense)
    tensor = keras.layers.Dropout(layer.dropout)(inputs[0]) if layer.dropout else inputs[0]
    if len(tensor.shape) == 4:
        tensor = keras.layers.Flatten(name=layer_name(node) + ".row")(tensor)
    return keras.layers.Dense(layer.units, name=layer_name(node))(tensor)


def _flatten(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return keras.layers.Reshape(node.shape, name=layer_name(node))(inputs[0])


def _hard_swish(keras: Any, node: Node, inputs: list[Any]) -> Any:
    gate = keras.layers.Rescaling(1.0 / 6, 0.5, name=layer_name(node) + ".shift")(inputs[0])
    gate = keras.layers.ReLU(1.0, name=layer_name(node) + ".gate")(gate)
    return keras.layers.Multiply(name=layer_name(node))([inputs[0], gate])


def _softmax(keras: Any, node: Node, inputs: list[Any]) -> Any:
    return inputs[0]


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
