"""Quantisation-aware training: fine-tuning on what int8 makes of weights and activations (Jacob et al. 2018).

The toolkit's own way, `quantize_apply` on a model with BatchNorm, does not fit what is shipped here
(docs/decisions/011): it gives depthwise kernels one scale where the converter gives one a channel, starts
every activation's range at -6..6, which for raw pixels takes thousands of steps to widen, and does not know
hard-swish made of layers. So the network is taken as it is deployed, BatchNorm folded in, and its layers are
wrapped one by one in the toolkit's QuantizeWrapperV2 with configurations of our own, ranges starting at those
that calibration found.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    Pool2D,
    Softmax,
    window,
)
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train import awake
from edgeml.train.build import BATCH_NORM_EPSILON, Network, Weights
from edgeml.train.compress import Tuned, Tuning, toolkit, tune
from edgeml.train.keras_model import layer_name

Range = tuple[float, float]
Kernels = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Kernel and bias by place, BatchNorm folded in, for inputs scaled as the graph says."""


def quantisation_aware(
    graph: Graph,
    weights: Weights,
    kernels: Kernels,
    ranges: Mapping[str, Range],
    data: Split,
    recipe: Recipe,
    tuning: Tuning,
) -> Tuned:
    """Trained network -> weights and activation ranges that lose less when quantised.

    Args:
        graph: the network.
        weights: trained.
        kernels: the same, folded.
        ranges: of activations by place, where to start from.
        data: training split.
        recipe: of the candidate.
        tuning: how much.

    Returns:
        Weights whose BatchNorm is the identity, and the ranges they were trained with.

    Raises:
        MissingToolError: the toolkit cannot be imported.
        ModelError: the loss became infinite.
    """
    began = awake.now()
    model = _Builder(toolkit()).model(graph, kernels, ranges)
    steps, loss = tune(model, Network(graph, weights), data, recipe, tuning)
    own, found = _weights(model, graph), _ranges(model, graph, ranges)
    return Tuned(own, found, seconds=awake.now() - began, steps=steps, loss=loss)


class _Builder:
    """Graph -> Keras model of wrapped layers."""

    def __init__(self, tfmot: Any) -> None:
        import tf_keras as keras

        quantisers = tfmot.quantization.keras.quantizers
        self.raw: Any = None
        self.activation = quantisers.MovingAverageQuantizer(
            8, per_axis=False, symmetric=False, narrow_range=False
        )
        self.keras, self.wrapper = keras, tfmot.quantization.keras.QuantizeWrapperV2
        self.config = _configuration(tfmot, self.activation)
        # As TFLite's int8: kernels symmetric without -128, activations with a zero point.
        kernel = {"num_bits": 8, "symmetric": True, "narrow_range": True}
        self.per_channel = quantisers.LastValueQuantizer(per_axis=True, **kernel)
        self.per_tensor = quantisers.LastValueQuantizer(per_axis=False, **kernel)
        self.depthwise = _depthwise_quantiser(quantisers)(per_axis=True, **kernel)

    def model(self, graph: Graph, kernels: Kernels, ranges: Mapping[str, Range]) -> Any:
        tensors: list[Any] = []
        for node in graph.nodes:
            inputs = [tensors[source] for source in node.inputs]
            tensors.append(self._tensor(node, inputs, node.name in ranges))
        model = self.keras.Model(self.raw, tensors[-1])
        for node in graph.nodes:
            if node.name in kernels:
                kernel, bias = _variables(model, node)
                kernel.assign(kernels[node.name][0])
                bias.assign(kernels[node.name][1])
            if node.name in ranges:
                low, high = _range(model, node)
                low.assign(ranges[node.name][0])
                high.assign(ranges[node.name][1])
        return model

    def _tensor(self, node: Node, inputs: list[Any], ranged: bool) -> Any:
        layer, name = node.layer, layer_name(node)
        layers = self.keras.layers
        if isinstance(layer, Input):
            self.raw = layers.Input(node.shape, name="input")
            return layers.Rescaling(layer.scale, name="rescale")(self.raw)
        if isinstance(layer, Softmax):
            return inputs[0]
        if isinstance(layer, Pool2D):
            kind = layers.AveragePooling2D if layer.mode == "avg" else layers.MaxPooling2D
            side = window(layer.size, inputs[0].shape[1:])
            return kind(side, strides=layer.stride, padding="same", name=name)(inputs[0])
        if isinstance(layer, Flatten):
            return layers.Reshape(node.shape, name=name)(inputs[0])
        if isinstance(layer, Dense) and len(inputs[0].shape) == 4:
            inputs = [layers.Flatten(name=name + ".row")(inputs[0])]
        if isinstance(layer, HardSwish):
            gate = layers.Rescaling(1.0 / 6, 0.5, name=name + ".shift")(inputs[0])
            inputs = [inputs[0], layers.ReLU(1.0, name=name + ".gate")(gate)]
        own, kernel = self._layer(node, name, inputs[0].shape[1:])
        config = self.config(kernel, ranged)
        return self.wrapper(own, config, name=name)(inputs if len(inputs) > 1 else inputs[0])

    def _layer(self, node: Node, name: str, source: Any) -> tuple[Any, Any]:
        """The Keras layer of a node, and how its kernel is quantised: (attribute, quantiser) or None."""
        layer, layers = node.layer, self.keras.layers
        if isinstance(layer, Conv2D):
            side = window(layer.kernel, source)
            own = layers.Conv2D(layer.filters, side, strides=layer.stride, padding="same",
                                activation=self._activation(layer.activation), name=name)  # fmt: skip
            return own, ("kernel", self.per_channel)
        if isinstance(layer, DepthwiseConv2D):
            activation = self._activation(layer.activation)
            side = window(layer.kernel, source)
            own = layers.DepthwiseConv2D(side, strides=layer.stride, padding="same",
                                         activation=activation, name=name)  # fmt: skip
            return own, ("depthwise_kernel", self.depthwise)
        if isinstance(layer, Dense):
            return layers.Dense(layer.units, name=name), ("kernel", self.per_tensor)
        merging = {Add: layers.Add, Concat: layers.Concatenate, HardSwish: layers.Multiply,
                   GlobalAveragePool: layers.GlobalAveragePooling2D}  # fmt: skip
        return merging[type(layer)](name=name), None

    def _activation(self, name: str | None) -> Any:
        return None if name is None else self.keras.layers.ReLU(6.0 if name == "relu6" else None)


def _depthwise_quantiser(quantisers: Any) -> Any:
    """LastValueQuantizer for depthwise kernels (k, k, channels, 1): the toolkit takes the last axis only."""

    class DepthwiseQuantiser(quantisers.LastValueQuantizer):  # type: ignore[misc]
        def build(self, tensor_shape: Any, name: str, layer: Any) -> Any:
            return super().build(tensor_shape[:3], name, layer)

        def __call__(self, inputs: Any, training: bool, weights: Any, **more: Any) -> Any:
            import tensorflow as tf

            height, width, channels, _ = inputs.shape
            kernel = tf.reshape(inputs, (1, height, width, channels))
            return tf.reshape(super().__call__(kernel, training, weights, **more), inputs.shape)

    return DepthwiseQuantiser


def _configuration(tfmot: Any, activation: Any) -> Any:
    """What the toolkit asks how a layer is quantised: at most its kernel, and its output."""

    class Configuration(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
        def __init__(self, kernel: tuple[str, Any] | None, output: bool) -> None:
            self.kernel, self.output = kernel, output

        def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
            return [(getattr(layer, self.kernel[0]), self.kernel[1])] if self.kernel else []

        def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
            if self.kernel:
                setattr(layer, self.kernel[0], quantize_weights[0])

        def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
            return []

        def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
            return None

        def get_output_quantizers(self, layer: Any) -> list[Any]:
            return [activation] if self.output else []

        def get_config(self) -> dict[str, Any]:
            return {"kernel": self.kernel and self.kernel[0], "output": self.output}

    return Configuration


def _variables(model: Any, node: Node) -> tuple[Any, Any]:
    """Kernel and bias: the variables, which a wrapped layer's own attribute no longer is once it has run."""
    wrapped = model.get_layer(layer_name(node))
    (kernel, _, _), = wrapped._weight_vars  # fmt: skip
    return kernel, wrapped.layer.bias


def _range(model: Any, node: Node) -> tuple[Any, Any]:
    found = model.get_layer(layer_name(node))._output_quantizer_vars
    return found["min_var"], found["max_var"]


def _ranges(model: Any, graph: Graph, ranges: Mapping[str, Range]) -> dict[str, Range]:
    nodes = [node for node in graph.nodes if node.name in ranges]
    found = {node.name: [float(end.numpy()) for end in _range(model, node)] for node in nodes}
    return {name: (low, high) for name, (low, high) in found.items()}


def _weights(model: Any, graph: Graph) -> Weights:
    """Trained kernels and biases, with a BatchNorm that is the identity."""
    found: Weights = {}
    for node in graph.nodes:
        if not node.weight_shapes:
            continue
        kernel, bias = (variable.numpy() for variable in _variables(model, node))
        own = {"kernel": kernel, "bias": bias}
        if not isinstance(node.layer, Dense):
            variance = np.ones_like(bias)
            factor = np.sqrt(variance.astype(np.float64) + BATCH_NORM_EPSILON)
            own = {"kernel": kernel, "gamma": factor, "beta": bias, "mean": 0 * bias, "variance": variance}
        found.update(
            {f"{node.name}:{name}": np.asarray(own[name], np.float32) for name in node.weight_shapes}
        )
    return found
