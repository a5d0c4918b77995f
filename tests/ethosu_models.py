"""Small models of which Vela leaves one operator to the CPU, by the name of the rule that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.make_tflite import ModelSpec, make


def build(spec: ModelSpec) -> bytes:
    """ModelSpec -> bytes, with zero points of 0, as wide integers need them."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(make(spec))
    for tensor in model.subgraphs[0].tensors:
        tensor.quantization.zeroPoint = [0]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _one(name: str, shape: tuple[int, ...], out: tuple[int, ...], **rest: Any) -> ModelSpec:
    spec = ModelSpec()
    spec.op(name, [spec.tensor(*shape, dtype=rest.get("dtype", "INT8"))], out, **rest)
    return spec


def _dynamic() -> ModelSpec:
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 4, signature=(-1, -1, -1, 4)), 8, 3)
    return spec


def _binary(name: str, dtype: str) -> ModelSpec:
    spec = ModelSpec()
    pair = [spec.tensor(1, 8, 8, 4, dtype=dtype), spec.tensor(1, 8, 8, 4, dtype=dtype)]
    spec.op(name, pair, (1, 8, 8, 4), dtype=dtype)
    return spec


def _weighted(
    name: str, shape: tuple[int, ...], weights: Any, out: tuple[int, ...], dtype: str = "INT8", **rest: Any
) -> ModelSpec:
    spec = ModelSpec()
    source = spec.tensor(*shape)
    constant = spec.constant(weights, dtype)
    spec.op(name, [source, constant, spec.constant(np.zeros(out[-1]))], out, **rest)
    return spec


def conv(size: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> ModelSpec:
    spec = ModelSpec()
    source = spec.tensor(1, size, size, 4)
    weights, bias = spec.constant(np.ones((8, kernel, kernel, 4)), "INT8"), spec.constant(np.zeros(8))
    made = -(-(size - (dilation * (kernel - 1) if padding else 0)) // stride)
    fields = {"strideH": stride, "strideW": stride, "padding": padding}
    fields |= {"dilationHFactor": dilation, "dilationWFactor": dilation}
    spec.op("CONV_2D", [source, weights, bias], (1, made, made, 8), options=("Conv2D", fields))
    return spec


def depthwise(stride: int) -> ModelSpec:
    made = -(-16 // stride)
    options = {"strideH": stride, "strideW": stride, "depthMultiplier": 1}
    options |= {"dilationHFactor": 1, "dilationWFactor": 1}
    return _weighted(
        "DEPTHWISE_CONV_2D",
        (1, 16, 16, 8),
        np.ones((1, 3, 3, 8)),
        (1, made, made, 8),
        options=("DepthwiseConv2D", options),
    )


def transposed(stride: int) -> ModelSpec:
    spec = ModelSpec()
    source = spec.tensor(1, 8, 8, 4)
    shape = (1, 8 * stride, 8 * stride, 8)
    weights = spec.constant(np.ones((8, 3, 3, 4)), "INT8")
    options = {"strideH": stride, "strideW": stride, "padding": 0}
    spec.op(
        "TRANSPOSE_CONV", [spec.constant(shape), weights, source], shape, options=("TransposeConv", options)
    )
    return spec


def pool(name: str, size: int, kernel: int, stride: int = 1, padding: int = 0) -> ModelSpec:
    made = -(-(size - (kernel - 1 if padding else 0)) // stride)
    options = {"strideH": stride, "strideW": stride, "filterHeight": kernel, "filterWidth": kernel}
    return _one(
        name,
        (1, size, size, 4),
        (1, made, made, 4),
        options=("Pool2D", options | {"padding": padding}),
    )


def mean(shape: tuple[int, ...], axes: tuple[int, ...], out: tuple[int, ...]) -> ModelSpec:
    spec = ModelSpec()
    spec.op("MEAN", [spec.tensor(*shape), spec.constant(axes)], out, options=("Reducer", {"keepDims": False}))
    return spec


def resize(name: str, size: int, made: int, **options: Any) -> ModelSpec:
    spec = ModelSpec()
    kind = "ResizeBilinear" if name == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    source = spec.tensor(1, size, size, 4)
    spec.op(name, [source, spec.constant((made, made))], (1, made, made, 4), options=(kind, options))
    return spec


def _dense(dtype: str) -> ModelSpec:
    weights = np.ones((8, 16))
    return _weighted("FULLY_CONNECTED", (1, 16), weights, (1, 8), dtype, options=("FullyConnected", {}))


REFUSED: dict[str, list[Callable[[], ModelSpec]]] = {
    "unsupported_op": [
        lambda: _one("FLOOR", (1, 8, 8, 4), (1, 8, 8, 4)),
        lambda: _one("CUSTOM", (1, 8, 8, 4), (1, 8, 8, 4), custom="MyOp"),
        lambda: _one(
            "DEPTH_TO_SPACE", (1, 8, 8, 4), (1, 16, 16, 1), options=("DepthToSpace", {"blockSize": 2})
        ),
    ],
    "unsupported_op_u55": [lambda: _binary("DIV", "INT8"), lambda: _binary("GREATER", "INT8")],
    "dynamic_shape": [_dynamic],
    "unsupported_type": [
        lambda: _one("ABS", (1, 8, 8, 4), (1, 8, 8, 4), dtype="FLOAT32"),
        lambda: _binary("ADD", "FLOAT32"),
    ],
    "wide_features": [lambda: _one("ABS", (1, 8, 8, 4), (1, 8, 8, 4), dtype="INT32")],
    "wider_features": [lambda: _one("RELU", (1, 8, 8, 4), (1, 8, 8, 4), dtype="INT64")],
    "weights_not_8_bit": [lambda: _dense("INT16"), lambda: _dense("FLOAT32")],
    "stride_above_3": [
        lambda: conv(17, 5, 4),
        lambda: conv(32, 3, 4, dilation=2),
        lambda: pool("MAX_POOL_2D", 17, 5, 4),
        lambda: pool("AVERAGE_POOL_2D", 17, 5, 4),
    ],
    "depthwise_stride": [lambda: depthwise(4)],
    "transposed_stride": [lambda: transposed(3), lambda: transposed(4)],
    "average_pool_kernel": [
        lambda: pool("AVERAGE_POOL_2D", 16, 9),
        lambda: pool("AVERAGE_POOL_2D", 300, 257, padding=1),
    ],
    "max_pool_kernel": [lambda: pool("MAX_POOL_2D", 300, 257, padding=1)],
    "mean_over_depth": [lambda: mean((1, 8, 8, 4), (3,), (1, 8, 8))],
    "mean_too_large": [lambda: mean((1, 4200, 1, 4), (1,), (1, 1, 4))],
    "resize_factor": [
        lambda: resize("RESIZE_BILINEAR", 8, 24),
        lambda: resize("RESIZE_BILINEAR", 8, 32, halfPixelCenters=True),
        lambda: resize("RESIZE_NEAREST_NEIGHBOR", 8, 24),
    ],
    "resize_power_of_two": [lambda: resize("RESIZE_BILINEAR", 8, 24)],
}
"""Models that the rule refuses, by its name."""

MAPPED: list[Callable[[], ModelSpec]] = [
    lambda: conv(8, 3, 1),
    lambda: conv(8, 3, 4),
    lambda: conv(17, 5, 4, padding=1),
    lambda: conv(16, 3, 1, dilation=2),
    lambda: depthwise(3),
    lambda: transposed(2),
    lambda: pool("AVERAGE_POOL_2D", 16, 8),
    lambda: pool("AVERAGE_POOL_2D", 16, 9, padding=1),
    lambda: pool("MAX_POOL_2D", 16, 9),
    lambda: pool("MAX_POOL_2D", 17, 5, 4, padding=1),
    lambda: mean((1, 8, 8, 4), (1, 2), (1, 4)),
    lambda: mean((1, 1, 8, 4), (3,), (1, 1, 8)),
    lambda: resize("RESIZE_BILINEAR", 8, 16),
    lambda: resize("RESIZE_BILINEAR", 8, 16, halfPixelCenters=True),
    lambda: resize("RESIZE_NEAREST_NEIGHBOR", 8, 32),
    lambda: resize("RESIZE_NEAREST_NEIGHBOR", 1, 7),
    lambda: _binary("ADD", "INT32"),
    lambda: _one("HARD_SWISH", (1, 8, 8, 4), (1, 8, 8, 4), options=("HardSwish", {})),
    lambda: _one("SOFTMAX", (1, 10), (1, 10), options=("Softmax", {"beta": 1.0})),
]
"""Models of which everything runs on every Ethos-U."""
