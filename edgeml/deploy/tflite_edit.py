"""TFLite bytes -> TFLite bytes with something added; what is computed stays as it was.

Reads and writes with the schema's classes that come with ai-edge-litert. They pack weights without the
alignment that the schema asks for (`Buffer.data: [ubyte] (force_align: 16)`), on which XNNPACK and
tflite-micro rely, so buffers are packed here.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError

ALIGNMENT = 16
LUMA = (38, 75, 15)
"""Red, green and blue in 128ths: ITU-R BT.601's 0.299, 0.587 and 0.114 to within 0.4 %, and together exactly
1, so that a grey pixel (red = green = blue) keeps its value."""


def with_metadata(model: bytes, name: str, content: bytes) -> bytes:
    """The model with an entry in its metadata table; an entry of that name is replaced.

    Raises:
        ModelError: not a TFLite file, or damaged.
    """
    schema, root = unpacked(model)
    entries = root.metadata or []
    entry = next((known for known in entries if _text(known.name) == name), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(root.buffers)
        root.metadata = [*entries, entry]
        root.buffers = [*root.buffers, schema.BufferT()]
    root.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)
    return packed_model(root)


def with_rgb_input(model: bytes) -> bytes:
    """A full int8 model of one-channel images -> the same that takes RGB and makes grey of it.

    A 1x1 convolution is put behind the input's QUANTIZE. Its weights are LUMA with scale 1/128, its input and
    output are raw bytes, so for grey pixels it is exact and every output is what it was.

    Raises:
        ModelError: not such a model.
    """
    schema, root = unpacked(model)
    graph = root.subgraphs[0]
    given, first = graph.tensors[graph.inputs[0]], graph.operators[0]
    quantised = graph.tensors[first.outputs[0]]
    outline = read_model(model)
    plain = (
        outline.operators[0].name == "QUANTIZE"
        and tuple(given.shape)[3:] == (1,)
        and given.type == schema.TensorType.UINT8
        and list(quantised.quantization.scale) == [1.0]
        and list(quantised.quantization.zeroPoint) == [-128]
    )
    if not plain:
        raise ModelError(
            f"the model takes {_shape(given)} and starts with {outline.operators[0].label}; expected raw "
            "uint8 images of one channel, as edgeml converts them."
        )
    colour = schema.TensorT.InitFromPackedBuf(_alone(quantised))
    colour.name = "rgb"
    for tensor in (given, colour):
        tensor.shape = np.array([*tensor.shape[:3], 3], np.int32)
        tensor.shapeSignature = None
    kernel = _constant(schema, root, "luma", np.array(LUMA, np.int8).reshape(1, 1, 1, 3))
    bias = _constant(schema, root, "luma_bias", np.zeros(1, np.int32))
    graph.tensors = [*graph.tensors, colour, kernel, bias]
    count = len(graph.tensors)
    convolution = schema.OperatorT()
    convolution.opcodeIndex = _convolution_code(schema, root)
    convolution.inputs, convolution.outputs = [count - 3, count - 2, count - 1], first.outputs
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    convolution.builtinOptions = schema.Conv2DOptionsT()
    convolution.builtinOptions.strideH = convolution.builtinOptions.strideW = 1
    first.outputs = [count - 3]
    graph.operators = [first, convolution, *graph.operators[1:]]
    return packed_model(root)


def unpacked(model: bytes) -> tuple[Any, Any]:
    """The schema's module, and the model as its objects.

    Raises:
        ModelError: not a TFLite file, or damaged.
    """
    read_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the module's own imports
        from ai_edge_litert import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(model, 0)


def packed_model(root: Any) -> bytes:
    """The model's objects -> a flatbuffer, buffers aligned."""
    import flatbuffers

    sizes = sum(len(buffer.data) for buffer in root.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(sizes + sizes // 8 + 65536)  # growing copies all that is there
    for buffer in root.buffers:
        buffer.Pack = _aligned(buffer)
    builder.Finish(root.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _aligned(buffer: Any) -> Any:
    """`buffer.Pack`, with its data on a multiple of 16 bytes."""
    pack = type(buffer).Pack

    def packed(builder: Any) -> Any:
        if buffer.data is None:
            return pack(buffer, builder)
        content = np.asarray(buffer.data, np.uint8).tobytes()
        builder.StartVector(1, len(content), ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        data = builder.EndVector()
        builder.StartObject(3)  # Buffer: data, offset, size; the latter two are for files above 2 GB
        builder.PrependUOffsetTRelativeSlot(0, data, 0)
        return builder.EndObject()

    return packed


def _alone(tensor: Any) -> bytes:
    """A tensor as a flatbuffer of its own: the way to copy one."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(tensor.Pack(builder))
    return bytes(builder.Output())


def _constant(schema: Any, root: Any, name: str, value: Any) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    root.buffers = [*root.buffers, buffer]
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(value.shape), len(root.buffers) - 1
    tensor.type = {1: schema.TensorType.INT8, 4: schema.TensorType.INT32}[value.itemsize]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([1 / sum(LUMA)], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)
    return tensor


def _convolution_code(schema: Any, root: Any) -> int:
    """Index of the operator code of an int8 CONV_2D; the model may have none."""
    kind = schema.BuiltinOperator.CONV_2D
    for index, code in enumerate(root.operatorCodes):
        if code.builtinCode == kind and code.version >= 3:  # 3 is the version for int8
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 3
    root.operatorCodes = [*root.operatorCodes, code]
    return len(root.operatorCodes) - 1


def _shape(tensor: Any) -> str:
    return " x ".join(str(size) for size in tensor.shape)


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
