"""Micro-ops: what may stand on an edge of a cell, each a function over primitive layers.

An op reads one node and gives one node with `channels` channels at 1/`stride` of the size, or None for
"nothing" (zero). To add an op: write one function, name it in OPS.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Add, Conv2D, DepthwiseConv2D, Pool2D

Op = Callable[[GraphBuilder, str, int, int, int, str], int | None]
"""(builder, place name, source node, output channels, stride, activation) -> node or None."""


def conv(
    build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str, *, kernel: int
) -> int:
    """Full convolution with BatchNorm and activation."""
    return build.add(f"{name}/conv", Conv2D(channels, kernel, stride, activation), source)


def sep_conv(
    build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str, *, kernel: int
) -> int:
    """Depthwise-separable convolution (Howard et al. 2017, MobileNets)."""
    depthwise = build.add(f"{name}/depthwise", DepthwiseConv2D(kernel, stride, activation), source)
    return build.add(f"{name}/project", Conv2D(channels, 1, 1, activation), depthwise)


def mbconv(
    build: GraphBuilder,
    name: str,
    source: int,
    channels: int,
    stride: int,
    activation: str,
    *,
    kernel: int,
    expansion: int,
) -> int:
    """Inverted residual with linear bottleneck (Sandler et al. 2018, MobileNetV2)."""
    before = build.shape(source)[2]
    inner = source
    if expansion > 1:
        inner = build.add(f"{name}/expand", Conv2D(before * expansion, 1, 1, activation), inner)
    inner = build.add(f"{name}/depthwise", DepthwiseConv2D(kernel, stride, activation), inner)
    inner = build.add(f"{name}/project", Conv2D(channels, 1, 1, None), inner)
    return _residual(build, name, source, inner)


def fused(
    build: GraphBuilder,
    name: str,
    source: int,
    channels: int,
    stride: int,
    activation: str,
    *,
    kernel: int,
    expansion: int,
) -> int:
    """Fused inverted residual: expand and depthwise become one full convolution (Gupta & Tan 2019)."""
    before = build.shape(source)[2]
    if expansion == 1:
        inner = build.add(f"{name}/conv", Conv2D(channels, kernel, stride, activation), source)
    else:
        inner = build.add(f"{name}/expand", Conv2D(before * expansion, kernel, stride, activation), source)
        inner = build.add(f"{name}/project", Conv2D(channels, 1, 1, None), inner)
    return _residual(build, name, source, inner)


def pool(
    build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str, *, mode: str
) -> int:
    """3x3 pooling; a linear 1x1 convolution follows where the channel count changes."""
    pooled = build.add(f"{name}/pool", Pool2D(mode, 3, stride), source)
    if build.shape(pooled)[2] == channels:
        return pooled
    return build.add(f"{name}/match", Conv2D(channels, 1, 1, None), pooled)


def skip(build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str) -> int:
    """Identity; a linear strided 1x1 convolution where size or channel count changes."""
    if stride == 1 and build.shape(source)[2] == channels:
        return source
    return build.add(f"{name}/match", Conv2D(channels, 1, stride, None), source)


def zero(build: GraphBuilder, name: str, source: int, channels: int, stride: int, activation: str) -> None:
    """Nothing: the edge is absent."""
    return


def _residual(build: GraphBuilder, name: str, source: int, inner: int) -> int:
    if build.shape(source) != build.shape(inner):
        return inner
    return build.add(f"{name}/add", Add(), source, inner)


OPS: dict[str, Op] = {
    "conv_1x1": partial(conv, kernel=1),
    "conv_3x3": partial(conv, kernel=3),
    "sep_conv_3x3": partial(sep_conv, kernel=3),
    "sep_conv_5x5": partial(sep_conv, kernel=5),
    "avg_pool_3x3": partial(pool, mode="avg"),
    "max_pool_3x3": partial(pool, mode="max"),
    "skip": skip,
    "zero": zero,
    **{f"mbconv_{k}x{k}_e{e}": partial(mbconv, kernel=k, expansion=e) for k in (3, 5) for e in range(1, 7)},
    **{f"fused_{k}x{k}_e{e}": partial(fused, kernel=k, expansion=e) for k in (3, 5) for e in range(1, 7)},
    "conv_5x5": partial(conv, kernel=5),
    "conv_7x7": partial(conv, kernel=7),
    "sep_conv_7x7": partial(sep_conv, kernel=7),
    **{f"mbconv_7x7_e{e}": partial(mbconv, kernel=7, expansion=e) for e in range(1, 7)},
}
"""Every op by the name used in search-space files."""
