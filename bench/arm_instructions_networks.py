"""Networks with published latencies as .tflite files that run; weights are noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.mobilenet_plans import V1_PLAN, V2_PLAN
from edgeml.arch.graph import Graph, GraphBuilder
from edgeml.arch.layers import Conv2D, Dense, DepthwiseConv2D, GlobalAveragePool, Input, Softmax
from edgeml.arch.ops import mbconv
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.fold import Folded


def tflite(graph: Graph, int8: bool) -> bytes:
    """Graph -> .tflite with noise for weights and calibration."""
    rng = np.random.default_rng(0)
    folded = {}
    for node in graph.nodes:
        if "kernel" in node.weight_shapes:
            shape = node.weight_shapes["kernel"]
            kernel = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
            units = shape[2] if isinstance(node.layer, DepthwiseConv2D) else shape[-1]
            folded[node.name] = Folded(kernel.astype(np.float32), rng.random(units).astype(np.float32))
    images = rng.integers(0, 256, (2, *graph.input_shape), dtype=np.uint8)
    return to_tflite(graph, folded, images if int8 else None)


def mobilenet_v1(width: float, size: int) -> Graph:
    """Howard et al. 2017."""
    build = GraphBuilder()
    x = build.add("in", Input((size, size, 3)))
    x = build.add("stem", Conv2D(int(32 * width), 3, 2, "relu6"), x)
    for place, (filters, stride) in enumerate(V1_PLAN):
        x = build.add(f"{place}/depthwise", DepthwiseConv2D(3, stride, "relu6"), x)
        x = build.add(f"{place}/pointwise", Conv2D(int(filters * width), 1, 1, "relu6"), x)
    return _classify(build, x)


def mobilenet_v2(width: float, size: int) -> Graph:
    """Sandler et al. 2018; channels in eights, the last convolution never narrower than 1280."""
    build = GraphBuilder()
    x = build.add("in", Input((size, size, 3)))
    x = build.add("stem", Conv2D(_eights(32 * width), 3, 2, "relu6"), x)
    for stage, (expansion, channels, repeats, stride) in enumerate(V2_PLAN):
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            name, width_out = f"{stage}/{repeat}", _eights(channels * width)
            x = mbconv(build, name, x, width_out, step, "relu6", kernel=3, expansion=expansion)
    x = build.add("last", Conv2D(max(1280, _eights(1280 * width)), 1, 1, "relu6"), x)
    return _classify(build, x)


def one_width(width: int) -> Graph:
    """Five 3x3 convolutions of one width on 32x32."""
    build = GraphBuilder()
    x = build.add("in", Input((32, 32, 3)))
    x = build.add("stem", Conv2D(width, 3, 2, "relu6"), x)
    for place in range(4):
        x = build.add(f"{place}/conv", Conv2D(width, 3, 1, "relu6"), x)
    return _classify(build, x, 10)


def _classify(build: GraphBuilder, x: int, classes: int = 1001) -> Graph:
    x = build.add("logits", Dense(classes), build.add("mean", GlobalAveragePool(), x))
    return build.finish(build.add("probabilities", Softmax(), x))


def _eights(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def nasbench201(cell: str) -> bytes:
    """Cell, as NAS-Bench-201 writes it -> float32 network for CIFAR: ReLU-Conv-BN, five cells a stage."""
    import tensorflow as tf

    rng = np.random.default_rng(0)  # equal weights would let the converter merge convolutions

    def noise(*shape: int):
        return tf.constant(rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1])), tf.float32)

    def conv(x, filters: int, kernel: int, stride: int = 1):
        return tf.nn.conv2d(x, noise(kernel, kernel, x.shape[-1], filters), stride, "SAME") + noise(filters)

    def through(x, op: str):
        if op.startswith("nor_conv"):
            return conv(tf.nn.relu(x), x.shape[-1], int(op[-1]))
        return tf.nn.avg_pool2d(x, 3, 1, "SAME") if op == "avg_pool_3x3" else x

    def network(image):
        x = conv(image, 16, 3)
        for stage, channels in enumerate((16, 32, 64)):
            if stage:
                y = conv(tf.nn.relu(conv(tf.nn.relu(x), channels, 3, 2)), channels, 3)
                x = y + conv(tf.nn.avg_pool2d(x, 2, 2, "SAME"), channels, 1)
            for _ in range(5):
                sums = {0: x}
                for op, source, to in _edges(cell):
                    if op != "none" and source in sums:
                        y = through(sums[source], op)
                        sums[to] = sums[to] + y if to in sums else y
                x = sums[3]
        return tf.reduce_mean(tf.nn.relu(x), [1, 2]) @ noise(64, 10)

    function = tf.function(network, autograph=False)
    concrete = function.get_concrete_function(tf.TensorSpec((1, 32, 32, 3), tf.float32))
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()).convert())


def nasbench201_macs(cell: str) -> int:
    """MACs of convolutions and classifier of that network."""
    total, size = 32 * 32 * 16 * 27, 32
    for stage, channels in enumerate((16, 32, 64)):
        if stage:
            size //= 2
            total += size**2 * channels * (channels // 2 * 10 + channels * 9)
        kernels = sum(9 if op == "nor_conv_3x3" else 1 for op, _, _ in _edges(cell) if op.startswith("nor"))
        total += 5 * size**2 * channels**2 * kernels
    return total + 640


def _edges(cell: str) -> Iterator[tuple[str, int, int]]:
    """(op, from, to) of every edge."""
    for to, node in enumerate(cell.split("+"), start=1):
        for edge in node.strip("|").split("|"):
            op, _, source = edge.partition("~")
            yield op, int(source), to
