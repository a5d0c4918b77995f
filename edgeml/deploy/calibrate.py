"""Folded network + calibration images -> int8 artifacts whose activation ranges we choose.

TensorFlow's converter takes each activation's least and largest value of the calibration images, and nothing
else can be asked of it. Here it stops after noting them (a float32 TFLite file that holds minimum and maximum
of every tensor); the ranges wanted are written over its own, and its quantiser does the rest. So an artifact
with other ranges has the same operators as `edgeml.deploy.convert.to_tflite` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.arch.graph import Graph
from edgeml.arch.layers import Dense, Flatten, Input, Pool2D, Softmax
from edgeml.deploy import convert
from edgeml.deploy.fold import Folded
from edgeml.deploy.foreign import first_line
from edgeml.deploy.places import places
from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError

Ranges = Mapping[str, tuple[float, float]]
"""Least and largest value of an activation, by place; 0 lies within."""

SAMPLES = 1024
"""Values of each activation that are kept of an image, for percentiles and errors."""
MSE_SAMPLES = 20_000
SHARES = np.linspace(1.0, 0.3, 15)
BATCH = 50


@dataclass(frozen=True)
class Clipping:
    """How an activation's range is taken from what calibration saw.

    Attributes:
        images: how many images, the first ones of the calibration set.
        rule: "converter" (what TensorFlow's converter notes), "minmax" (all that occurs), "percentile" (cuts
            off the same share at both ends) or "mse" (what quantises with the least mean squared error).
        percentile: share kept at each end, in percent; of "percentile" only.
    """

    images: int
    rule: str = "minmax"
    percentile: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


DEFAULT = Clipping(200, "converter")
"""What every candidate of a search is scored with."""
WIDE = Clipping(500)
"""Everything that calibration saw."""

CHOICES = (
    DEFAULT,
    Clipping(50),
    Clipping(200),
    WIDE,
    Clipping(500, "percentile", 99.99),
    Clipping(500, "percentile", 99.9),
    Clipping(500, "mse"),
)
"""What is tried on finalists; the default first, so that it wins ties."""


class Observed:
    """What calibration images make of every activation that has a range of its own.

    Attributes:
        names: places.
    """

    def __init__(self, graph: Graph, folded: dict[str, Folded], images: NDArray[np.uint8]) -> None:
        """Run the folded float network on raw uint8 images (n, h, w, c)."""
        self._graph = graph
        self._least: dict[str, list[NDArray[np.float32]]] = {}
        self._largest: dict[str, list[NDArray[np.float32]]] = {}
        self._some: dict[str, list[NDArray[np.float32]]] = {}
        rng = np.random.default_rng(0)
        for start in range(0, len(images), BATCH):
            self._run(folded, images[start : start + BATCH], rng)
        self.names = tuple(self._some)

    def ranges(self, clipping: Clipping) -> dict[str, tuple[float, float]]:
        """Ranges by place, by one rule on the first images; logits are never clipped.

        Those of "converter" are none: it has its own.
        """
        if clipping.rule == "converter":
            return {}
        return {name: self._range(name, clipping) for name in self.names}

    def _range(self, name: str, clipping: Clipping) -> tuple[float, float]:
        count = clipping.images
        low = float(np.concatenate(self._least[name])[:count].min())
        high = float(np.concatenate(self._largest[name])[:count].max())
        logits = any(node.name == name and isinstance(node.layer, Dense) for node in self._graph.nodes)
        if clipping.rule != "minmax" and not logits:
            values = np.concatenate(self._some[name])[:count].ravel()
            if clipping.rule == "percentile":
                assert clipping.percentile is not None
                cut = np.percentile(values, [100 - clipping.percentile, clipping.percentile])
                low, high = max(low, float(cut[0])), min(high, float(cut[1]))
            else:
                low, high = least_error(values, low, high)
        return min(low, 0.0), max(high, 0.0)

    def _run(self, folded: dict[str, Folded], images: NDArray[np.uint8], rng: np.random.Generator) -> None:
        import tensorflow as tf

        found = convert.activations(tf, self._graph, folded, tf.constant(images, tf.float32))
        for node, tensor in zip(self._graph.nodes, found, strict=True):
            if not has_range(node.layer):
                continue
            values = tensor.numpy().reshape(len(images), -1)
            self._least.setdefault(node.name, []).append(values.min(1))
            self._largest.setdefault(node.name, []).append(values.max(1))
            if values.shape[1] > SAMPLES:
                values = values[:, rng.choice(values.shape[1], SAMPLES, replace=False)]
            self._some.setdefault(node.name, []).append(values)


def has_range(layer: object) -> bool:
    """Whether int8 gives a layer's output a range of its own.

    The input's is 0..255, Softmax's 0..1; pooling and flattening hand on what they read.
    """
    return not isinstance(layer, Input | Pool2D | Flatten | Softmax)


def least_error(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """The range within low..high that 8 bits quantise `values` over with the least mean squared error.

    Each end shrinks by a factor of its own, the upper one first; 15 factors from 1 to 0.3 are tried (after
    OMSE, Choukroun et al. 2019).
    """
    if len(values) > MSE_SAMPLES:
        values = np.random.default_rng(0).choice(values, MSE_SAMPLES, replace=False)
    ends = [(low, high * share) for share in SHARES]
    high = ends[int(np.argmin([_error(values, *pair) for pair in ends]))][1]
    ends = [(low * share, high) for share in SHARES] if low < 0 else [(low, high)]
    return ends[int(np.argmin([_error(values, *pair) for pair in ends]))]


def _error(values: NDArray[np.float32], low: float, high: float) -> float:
    """Mean squared error of 8 bits over a range."""
    step = max((high - low) / 255, 1e-12)
    zero = np.round(-low / step)
    stored = np.clip(np.round(values / step) + zero, 0, 255)
    return float(np.mean((values - (stored - zero) * step) ** 2))


class Quantiser:
    """A folded network in float32 with the converter's own ranges, ready to be quantised with others.

    Making one takes as long as a conversion; each artifact after that some hundredths of a second.
    """

    def __init__(self, graph: Graph, folded: dict[str, Folded], images: NDArray[np.uint8]) -> None:
        """Convert with `images` (n, h, w, c) as the representative data set.

        Raises:
            ModelError: the converter refused the network.
        """
        import tensorflow as tf

        self._converter = convert.converter_int8(tf, graph, folded, images)
        self._converter._experimental_calibrate_only = True
        self._model = convert.converted(self._converter)
        self._tensors = places(graph, folded, read_model(self._model))

    def artifact(self, ranges: Ranges | None = None) -> bytes:
        """Ranges by place -> full-int8 TFLite with uint8 input and output.

        Places that `ranges` lacks keep the least and largest value that the converter saw.

        Raises:
            ModelError: the quantiser refused the network.
        """
        import tensorflow as tf
        from tensorflow.lite.python import util
        from tensorflow.lite.python.convert import mlir_quantize
        from tensorflow.lite.tools import flatbuffer_utils

        model = self._model
        if ranges:
            parsed = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
            for name, (low, high) in ranges.items():
                for tensor in self._tensors.get(name, ()):
                    noted = parsed.subgraphs[0].tensors[tensor].quantization
                    noted.min, noted.max = [np.float32(low)], [np.float32(high)]
            model = bytes(flatbuffer_utils.convert_object_to_bytearray(parsed))
        try:
            found = mlir_quantize(
                model,
                input_data_type=tf.uint8,
                output_data_type=tf.uint8,
                disable_per_channel_for_dense_layers=True,
            )
        except Exception as error:
            raise ModelError(f"TensorFlow's quantiser refused the network: {first_line(error)}") from error
        # The converter ends with a note of what made the file; without it files differ in size.
        parsed = flatbuffer_utils.convert_bytearray_to_object(bytearray(found))
        self._converter._metadata.environment.modelHash = util.get_model_hash(parsed)
        parsed = util.populate_conversion_metadata(parsed, self._converter._metadata)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(parsed))
