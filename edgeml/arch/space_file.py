"""Search-space YAML -> Space. Two kinds: `cells` (DAG micro cells) and `stages` (one op per stage)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.layers import ACTIVATIONS, Shape, halved
from edgeml.arch.ops import OPS
from edgeml.arch.recipe import Recipe
from edgeml.arch.space import Choice, Choices, Decision, Space, Task
from edgeml.arch.training_file import TrainingFile, recipe_of
from edgeml.errors import ConfigError
from edgeml.resources import find, load_yaml, validation_message

Width = Annotated[int, Field(ge=1, le=2048)]
Some = Annotated[list[Width], Field(min_length=1)]
OPS_WITH_EXPANSION = ("mbconv", "fused")
Listed = list[tuple[str, Sequence[Choice]]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StemFile(_Strict):
    """The first 3x3 convolution; stride 2 for inputs of at least `stride_from` pixels."""

    channels: Some
    stride_from: int = Field(64, ge=1)


class CellFile(_Strict):
    """A micro cell: how many nodes, how they are wired, which ops may stand on an edge."""

    nodes: int = Field(ge=1, le=8)
    wiring: Literal["choose", "complete"] = "choose"
    inputs_per_node: int = Field(2, ge=1, le=4)
    output: Literal["last", "concat"] = "concat"
    ops: list[str] = Field(min_length=1)
    reduction: Literal["searched", "resnet", "none"] = "searched"

    @model_validator(mode="after")
    def _known(self) -> CellFile:
        for op in self.ops:
            if op not in OPS:
                raise ValueError(f"unknown op {op!r}; known: {', '.join(OPS)}")
        return self


class CellStagesFile(_Strict):
    """Macro part around micro cells: stages, cells per stage, channel growth from stage to stage."""

    count: int = Field(ge=1, le=6)
    repeat: Annotated[list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=1)]
    growth: Annotated[list[Annotated[float, Field(ge=1, le=4)]], Field(min_length=1)]


class StageFile(_Strict):
    """One stage of the `stages` kind: lists of what may be chosen."""

    op: list[Literal["mbconv", "fused", "sep_conv", "conv"]] = Field(min_length=1)
    kernel: list[Literal[1, 3, 5, 7]] = Field(min_length=1)
    expansion: list[Annotated[int, Field(ge=1, le=6)]] = Field(default=[1], min_length=1)
    repeat: Annotated[list[Annotated[int, Field(ge=0, le=20)]], Field(min_length=1)]
    channels: Some
    stride: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _known(self) -> StageFile:
        for op, kernel, expansion in product(self.op, self.kernel, self.expansion):
            if _op_name(op, kernel, expansion) not in OPS:
                raise ValueError(
                    f"there is no op {_op_name(op, kernel, expansion)!r}; known: {', '.join(OPS)}"
                )
        return self


class SpaceFile(_Strict):
    """A search-space file.

    `flatten` makes the input one vector and every layer dense. `front` matters for audio only, `bottleneck`
    and `decoder` (0: none) for autoencoders only.
    """

    description: str = Field(min_length=1)
    kind: Literal["cells", "stages"]
    resolution: list[Annotated[float, Field(gt=0, le=2)]] = Field(default=[1.0], min_length=1)
    minimum_size: int = Field(4, ge=1)
    activation: str | Annotated[list[str], Field(min_length=1)] = "relu6"
    dropout: float = Field(0.0, ge=0, lt=1)
    identity: Literal["graph", "published"] = "graph"
    stem: StemFile
    cell: CellFile | None = None
    stages: CellStagesFile | list[StageFile]
    head: Annotated[list[Annotated[int, Field(ge=0, le=2048)]], Field(min_length=1)] = [0]
    flatten: bool = False
    front: Annotated[list[str], Field(min_length=1)] = ["logmel-30-20-32"]
    bottleneck: Annotated[list[Width], Field(min_length=1)] = [8]
    decoder: Annotated[list[Annotated[int, Field(ge=0, le=2048)]], Field(min_length=1)] = [64]
    training: TrainingFile = TrainingFile()

    @property
    def activations(self) -> list[str]:
        """What may be chosen."""
        return [self.activation] if isinstance(self.activation, str) else self.activation

    @model_validator(mode="after")
    def _matches_kind(self) -> SpaceFile:
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise ValueError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")
        if self.kind == "cells" and (self.cell is None or not isinstance(self.stages, CellStagesFile)):
            raise ValueError("kind 'cells' needs `cell:` and `stages:` with count, repeat and growth")
        if self.kind == "stages" and (self.cell is not None or not isinstance(self.stages, list)):
            raise ValueError("kind 'stages' needs `stages:` as a list and no `cell:`")
        if isinstance(self.stages, list) and not self.stages:
            raise ValueError("`stages:` is empty; expected at least one stage")
        cell = self.cell
        if self.identity == "published" and (
            cell is None or cell.output != "last" or cell.reduction == "searched"
        ):
            raise ValueError(
                "`identity: published` tells apart only cells with `output: last` and without a searched "
                "`reduction:`; use `identity: graph`"
            )
        if self.training.dropout is not None and self.dropout:
            raise ValueError("`dropout:` stands here and under `training:`; keep one of them")
        return self


def load_space(name: str) -> Space:
    """Name or path -> Space.

    Raises:
        UnknownNameError: no such space.
        ConfigError: the file does not validate; the message names file and line.
    """
    path = find("search_spaces", name, "search space")
    value, lines = load_yaml(path)
    try:
        file = SpaceFile.model_validate(value)
    except ValidationError as error:
        raise ConfigError(validation_message(path, lines, error)) from error
    return _space(path, file)


def _space(path: Path, file: SpaceFile) -> Space:
    decisions: Listed = [("front", file.front), ("resolution", file.resolution)]
    decisions += [("stem.channels", file.stem.channels)]
    kind = _cell_decisions(file) if file.kind == "cells" else _stage_decisions(file)
    every: Listed = [*decisions, *kind, ("head.channels", file.head)]
    every += [("bottleneck", file.bottleneck), ("decoder", file.decoder)]
    every += [("activation", file.activations), *file.training.decisions()]
    listed = [Decision(name, tuple(dict.fromkeys(choices))) for name, choices in every]
    fixed = {decision.name: decision.choices[0] for decision in listed if len(decision.choices) == 1}
    free = tuple(decision for decision in listed if len(decision.choices) > 1)

    def complete(choices: Choices) -> Choices:
        missing = [decision.name for decision in free if decision.name not in choices]
        if missing:
            raise ConfigError(f"choices for space {path.stem} lack {', '.join(missing)}.")
        return {**fixed, **choices}

    def decode(choices: Choices, task: Task) -> Arch:
        return _decode(file, complete(choices), task)

    def recipe(choices: Choices, shape: Shape, front: str = "") -> Recipe:
        return recipe_of(complete(choices), shape, front)

    return Space(path.stem, file.description, free, decode, str(path), recipe, tuple(file.front))


def _cell_decisions(file: SpaceFile) -> Listed:
    cell, stages = file.cell, file.stages
    assert cell is not None and isinstance(stages, CellStagesFile)
    found: Listed = []
    for name in ("normal", "reduce") if cell.reduction == "searched" else ("normal",):
        for node in range(1, cell.nodes + 1):
            for edge in range(node if cell.wiring == "complete" else cell.inputs_per_node):
                if cell.wiring == "choose" and node > 1:
                    found.append((f"{name}.node{node}.edge{edge}.source", list(range(node))))
                found.append((f"{name}.node{node}.edge{edge}.op", list(cell.ops)))
    found += [(f"stage{i}.repeat", list(stages.repeat)) for i in range(stages.count)]
    return [*found, ("growth", list(stages.growth))]


def _stage_decisions(file: SpaceFile) -> Listed:
    assert isinstance(file.stages, list)
    found: Listed = []
    for i, stage in enumerate(file.stages):
        for field in ("op", "kernel", "expansion", "repeat", "channels"):
            found.append((f"stage{i}.{field}", list(getattr(stage, field))))
    return found


def _decode(file: SpaceFile, choices: Choices, task: Task) -> Arch:
    front = str(choices["front"]) if task.fronts else ""
    height, width, channels = task.fronts[front] if front else task.input_shape
    scale = float(choices["resolution"]) if task.resizable else 1.0
    if scale != 1:
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
    size = min((side for side in (height, width) if side > 1), default=1)
    stem_stride = 2 if size >= file.stem.stride_from else 1
    stem = int(choices["stem.channels"])
    size = halved(size, stem_stride)
    stages = (
        _cell_stages(file, choices, stem, size) if file.kind == "cells" else _op_stages(file, choices, size)
    )
    return Arch(
        input_shape=(height, width, channels),
        classes=prod((height, width, channels)) if task.kind == "anomaly" else task.classes,
        stem_channels=stem,
        stem_stride=stem_stride,
        stages=stages,
        head_channels=int(choices["head.channels"]),
        activation=str(choices["activation"]),
        dropout=float(choices.get("training.dropout", file.dropout)),
        identity=file.identity,
        task=task.kind,
        bottleneck=int(choices["bottleneck"]) if task.kind == "anomaly" else 0,
        decoder=int(choices["decoder"]) if task.kind == "anomaly" else 0,
        flatten=file.flatten,
        front=front,
    )


def _stride(wanted: int, size: int, minimum: int) -> int:
    """Small images keep at least `minimum` pixels: a stride that would go below becomes 1."""
    return wanted if halved(size, wanted) >= minimum else 1


def _cell_stages(file: SpaceFile, choices: Choices, stem: int, size: int) -> tuple[Stage, ...]:
    assert file.cell is not None and isinstance(file.stages, CellStagesFile)
    normal = _cell(file.cell, "normal", choices)
    reduction = None
    if file.cell.reduction == "searched":
        reduction = _cell(file.cell, "reduce", choices)
    elif file.cell.reduction == "resnet":
        reduction = Cell(((Edge(0, "conv_3x3"),), (Edge(1, "conv_3x3"), Edge(0, "skip"))))
    stages = []
    for i in range(file.stages.count):
        stride = _stride(2, size, file.minimum_size) if i else 1
        size = halved(size, stride)
        width = 4 * max(1, round(stem * float(choices["growth"]) ** i / 4))
        repeat = int(choices[f"stage{i}.repeat"])
        stages.append(Stage(normal, repeat, width, stride, reduction if i else None))
    return tuple(stages)


def _cell(file: CellFile, name: str, choices: Choices) -> Cell:
    nodes = []
    for node in range(1, file.nodes + 1):
        edges = []
        for edge in range(node if file.wiring == "complete" else file.inputs_per_node):
            place = f"{name}.node{node}.edge{edge}"
            source = edge if file.wiring == "complete" else int(choices.get(f"{place}.source", 0))
            edges.append(Edge(source, str(choices[f"{place}.op"])))
        nodes.append(tuple(edges))
    return Cell(tuple(nodes), file.output)


def _op_stages(file: SpaceFile, choices: Choices, size: int) -> tuple[Stage, ...]:
    assert isinstance(file.stages, list)
    stages = []
    for i, stage in enumerate(file.stages):
        repeat = int(choices[f"stage{i}.repeat"])
        if repeat == 0:
            continue
        stride = _stride(stage.stride, size, file.minimum_size)
        size = halved(size, stride)
        kernel, expansion = int(choices[f"stage{i}.kernel"]), int(choices[f"stage{i}.expansion"])
        cell = Cell(((Edge(0, _op_name(str(choices[f"stage{i}.op"]), kernel, expansion)),),))
        stages.append(Stage(cell, repeat, int(choices[f"stage{i}.channels"]), stride))
    return tuple(stages)


def _op_name(op: str, kernel: int, expansion: int) -> str:
    return f"{op}_{kernel}x{kernel}" + (f"_e{expansion}" if op in OPS_WITH_EXPANSION else "")
