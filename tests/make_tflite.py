"""Small .tflite files built field by field for tests, with the schema classes of ai_edge_litert."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class TensorSpec:
    """A tensor: constants carry `value`; `signature` marks free dimensions."""

    shape: tuple[int, ...]
    dtype: str = "INT8"
    value: Any = None
    signature: tuple[int, ...] = ()


@dataclass
class OpSpec:
    """An operator; `options` is (class name without "Options", fields by the schema's names)."""

    name: str
    inputs: list[int]
    outputs: list[int]
    options: tuple[str, dict[str, Any]] | None = None
    version: int = 1
    custom: str = ""


@dataclass
class ModelSpec:
    """What `make` writes; tensors and operators are appended by the methods."""

    tensors: list[TensorSpec] = field(default_factory=list)
    ops: list[OpSpec] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    metadata: tuple[str, ...] = ()
    subgraphs: int = 1

    def tensor(self, *shape: int, **rest: Any) -> int:
        self.tensors.append(TensorSpec(shape, **rest))
        return len(self.tensors) - 1

    def constant(self, value: Any, dtype: str = "INT32") -> int:
        array = np.asarray(value, dtype.lower())
        return self.tensor(*array.shape, dtype=dtype, value=array)

    def op(self, name: str, inputs: list[int], shape: tuple[int, ...], **rest: Any) -> int:
        dtype = rest.pop("dtype", "INT8")
        output = self.tensor(*shape, dtype=dtype)
        self.ops.append(OpSpec(name, inputs, [output], **rest))
        return output

    def conv(self, source: int, filters: int, kernel: int = 1, stride: int = 1, **options: Any) -> int:
        _, height, width, channels = self.tensors[source].shape
        weights = self.constant(np.ones((filters, kernel, kernel, channels)), "INT8")
        bias = self.constant(np.zeros(filters))
        shape = (1, -(-height // stride), -(-width // stride), filters)
        fields = {"strideH": stride, "strideW": stride, **options}
        return self.op("CONV_2D", [source, weights, bias], shape, options=("Conv2D", fields))


def make(spec: ModelSpec) -> bytes:
    """ModelSpec -> bytes; inputs are the tensors that are neither constant nor computed."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version, model.description = 3, "made by a test"
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(schema, model, tensor, i) for i, tensor in enumerate(spec.tensors)]
    model.operatorCodes = [_code(schema, op) for op in spec.ops]
    graph.operators = [_op(schema, op, i) for i, op in enumerate(spec.ops)]
    computed = {output for op in spec.ops for output in op.outputs}
    graph.inputs = [i for i, t in enumerate(spec.tensors) if t.value is None and i not in computed]
    graph.outputs = spec.outputs or spec.ops[-1].outputs
    model.subgraphs = [graph] * spec.subgraphs
    model.metadata = [_metadata(schema, name) for name in spec.metadata]
    constants = sum(tensor.value.nbytes for tensor in spec.tensors if tensor.value is not None)
    builder = flatbuffers.Builder(1024 + constants)  # growing copies what is there
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, model: Any, spec: TensorSpec, index: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = f"t{index}", list(spec.shape)
    tensor.shapeSignature = list(spec.signature) or None
    tensor.type = getattr(schema.TensorType, spec.dtype)
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [3]
    tensor.buffer = 0
    if spec.value is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(spec.value.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor


def _code(schema: Any, spec: OpSpec) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, spec.name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version, code.customCode = spec.version, spec.custom or None
    return code


def _op(schema: Any, spec: OpSpec, index: int) -> Any:
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = index, spec.inputs, spec.outputs
    if spec.options:
        kind, fields = spec.options
        op.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        op.builtinOptions = getattr(schema, f"{kind}OptionsT")()
        for name, value in fields.items():
            setattr(op.builtinOptions, name, value)
    return op


def _metadata(schema: Any, name: str) -> Any:
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, 0
    return entry
