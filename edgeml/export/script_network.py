"""Graph -> the lines of train.py that are the network, one a layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
)
from edgeml.errors import ModelError

INDENT, WIDTH = " " * 8, 110


def network(graph: Graph) -> str:
    """Graph -> the body of a function of `images`: assignments, and what is returned.

    Raises:
        ModelError: a layer that nothing here writes, or the input read in a way that has no scale.
    """
    names: dict[int, str] = {}
    lines: list[str] = []
    group = ""
    for index, node in enumerate(graph.nodes):
        if isinstance(node.layer, Input):
            names[index] = "images"
            continue
        if isinstance(node.layer, Softmax) and index == len(graph.nodes) - 1:
            names[index] = names[node.inputs[0]]  # loss and conversion apply it
            continue
        if (kind := type(node.layer)) not in LAYERS:
            raise ModelError(f"format script: no way to write the layer {kind.__name__} is known.")
        _check_input(graph, node)
        here = (
            "/".join(node.name.split("/")[:2]) if node.name.startswith("stage") else node.name.split("/")[0]
        )
        if here != group:
            lines.append(f"{INDENT}# {here.replace('/', ', ')}")
            group = here
        names[index] = _variable(node.name, set(names.values()))
        sources = [names[source] for source in node.inputs]
        made = LAYERS[kind](graph, node, node.layer, sources)
        lines.append(_line(names[index], made, "x".join(map(str, node.shape))))
    return "\n".join([*lines, f"{INDENT}return {names[len(graph.nodes) - 1]}"])


def _line(name: str, made: str, shape: str) -> str:
    """An assignment; a long call has its arguments on a line of their own."""
    line = f"{INDENT}{name} = {made}  # {shape}"
    called, bracket, arguments = made.partition("(")
    if len(line) <= WIDTH or not made.startswith("self."):
        return line
    return f"{INDENT}{name} = {called}{bracket}  # {shape}\n{INDENT}    {arguments[:-1]}\n{INDENT})"


def _check_input(graph: Graph, node: Node) -> None:
    """Only weights can carry the input's scale."""
    raw = any(isinstance(graph.nodes[source].layer, Input) for source in node.inputs)
    if raw and not node.weight_shapes and not isinstance(node.layer, Flatten):
        kind = type(node.layer).__name__
        raise ModelError(f"format script: {node.name} ({kind}) reads the raw input, expected a convolution.")


def _variable(place: str, taken: set[str]) -> str:
    """stage1/reduce/node3/edge1/expand -> s1r_n3e1_expand."""
    short = re.sub(r"stage(\d+)/cell(\d+)/", r"s\1c\2_", place)
    short = re.sub(r"stage(\d+)/reduce/", r"s\1r_", short)
    short = re.sub(r"node(\d+)/edge(\d+)(/|$)", r"n\1e\2_", short).replace("node", "n").rstrip("_")
    name = re.sub(r"\W", "_", short)
    return name if name not in taken | {"images", "self", "training"} else f"{name}_{len(taken)}"


def _scale(graph: Graph, node: Node) -> str:
    """The argument of a layer that reads the raw input."""
    scale = graph.input_scale(node)
    if scale == 1.0:
        return ""
    return ", scale=" + ("1 / 255" if abs(scale * 255 - 1) < 1e-12 else repr(scale))


def _more(layer: Conv2D | DepthwiseConv2D) -> str:
    stride = f", stride={layer.stride}" if layer.stride != 1 else ""
    return stride + (f', activation="{layer.activation}"' if layer.activation else "")


def _conv(graph: Graph, node: Node, layer: Conv2D, of: Sequence[str]) -> str:
    said = f"{layer.filters}, {graph.window(node)}{_more(layer)}{_scale(graph, node)}"
    return f'self.conv("{node.name}", {of[0]}, {said})'


def _depthwise(graph: Graph, node: Node, layer: DepthwiseConv2D, of: Sequence[str]) -> str:
    said = f"{graph.window(node)}{_more(layer)}{_scale(graph, node)}"
    return f'self.depthwise("{node.name}", {of[0]}, {said})'


def _dense(graph: Graph, node: Node, layer: Dense, of: Sequence[str]) -> str:
    dropout = f", dropout={layer.dropout!r}" if layer.dropout else ""
    return f'self.dense("{node.name}", {of[0]}, {layer.units}{dropout}{_scale(graph, node)})'


def _pool(graph: Graph, node: Node, layer: Pool2D, of: Sequence[str]) -> str:
    return f'tf.nn.{layer.mode}_pool2d({of[0]}, {graph.window(node)}, {layer.stride}, "SAME")'


def _hard_swish(graph: Graph, node: Node, layer: HardSwish, of: Sequence[str]) -> str:
    return f"{of[0]} * tf.nn.relu6({of[0]} + 3.0) * (1.0 / 6)"


LAYERS: dict[type[Layer], Callable[[Graph, Node, Any, Sequence[str]], str]] = {
    Conv2D: _conv,
    DepthwiseConv2D: _depthwise,
    Dense: _dense,
    Pool2D: _pool,
    Add: lambda graph, node, layer, of: f"{of[0]} + {of[1]}",
    Concat: lambda graph, node, layer, of: f"tf.concat([{', '.join(of)}], -1)",
    GlobalAveragePool: lambda graph, node, layer, of: f"tf.reduce_mean({of[0]}, (1, 2))",
    Flatten: lambda graph, node, layer, of: f"flat({of[0]})",
    HardSwish: _hard_swish,
}
"""Every layer but the input and the final softmax."""
