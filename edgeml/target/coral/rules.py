"""What edgetpu_compiler 16 refuses, operator by operator and for a whole model.

Sources: the table of supported operations (coral.ai/docs/edgetpu/models-intro; Axis's copy of it), release
notes of google-coral/edgetpu, its issue tracker, and compiler logs with their compiled files. The words
are the compiler's, except where a rule says that they are ours.
"""

from __future__ import annotations

from math import prod

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.rules import ModelRule, Op, Rule

MAPPED = "Mapped to Edge TPU"
SECOND_SUBGRAPH = "More than one subgraph is not supported"
LATEST_RUNTIME = 14
SOFTMAX_VALUES = 16_384  # the docs say 16,000; 16,384 was seen mapped by compiler 16
BILINEAR_PIXELS = 256 * 256  # 33x33 -> 513x513 stays on the CPU, small upsamplings map (DeepLab)

# Runtime that first ran an operator. 13 is in google-coral/edgetpu CHANGES.md for EXPAND_DIMS, PACK,
# QUANTIZE, SUM and TRANSPOSE_CONV; 14 is recalled from the table, and seen in files compiled by version 16.
_ALWAYS = """ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED L2_NORMALIZATION
LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PAD PADV2 RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUEEZE STRIDED_SLICE SUB TANH"""
_SINCE_13 = "EXPAND_DIMS PACK PRELU QUANTIZE SUM TRANSPOSE_CONV"
_SINCE_14 = """REDUCE_MAX REDUCE_MIN RSQRT SQUARED_DIFFERENCE TILE TRANSPOSE UNIDIRECTIONAL_SEQUENCE_LSTM"""
SINCE: dict[str, int] = {
    **dict.fromkeys(_ALWAYS.split(), 10),
    **dict.fromkeys(_SINCE_13.split(), 13),
    **dict.fromkeys(_SINCE_14.split(), 14),
}
"""Operators the Edge TPU runs, with the first runtime that does."""

MAX_VERSION: dict[str, int] = {
    "CONV_2D": 5,  # google-coral/edgetpu#631: version 6 of TensorFlow 2.9 is rejected
    "DEPTHWISE_CONV_2D": 6,  # recalled
    "EXP": 1,  # tensorflow/tflite-micro#2633: version 2 of TensorFlow 2.16 is rejected
    "FULLY_CONNECTED": 9,  # recalled; 12 is per-channel dense weights of TensorFlow 2.17
    "RESIZE_BILINEAR": 3,  # google-coral/edgetpu#45
    "RESIZE_NEAREST_NEIGHBOR": 3,  # google-coral/edgetpu#114, #420
    "TRANSPOSE_CONV": 3,  # recalled
}
"""Newest operator version that compiler 16 (TensorFlow 2.6) registers."""

INSTEAD: dict[str, str] = {
    "ABS": "use MAXIMUM(x, -x)",
    "ARG_MAX": "take it on the host from the int8 scores",
    "BATCH_MATMUL": "use a dense layer or a 1x1 convolution with constant weights",
    "CAST": "keep the graph int8 from end to end",
    "DEPTH_TO_SPACE": "use nearest-neighbour resizing and a convolution, or a transposed convolution",
    "DEQUANTIZE": "convert with int8 or uint8 outputs (inference_output_type)",
    "DIV": "multiply by a constant",
    "ELU": "use ReLU or ReLU6",
    "EXP": "use LOGISTIC or TANH",
    "GELU": "use ReLU or x * LOGISTIC(x)",
    "HARD_SWISH": "use ReLU or ReLU6",  # google-coral/edgetpu#272
    "LEAKY_RELU": "use ReLU, or PReLU with shared_axes=[1, 2]",  # google-coral/edgetpu#147, #272
    "SPLIT_V": "use SPLIT or STRIDED_SLICE",
    "UNPACK": "use STRIDED_SLICE",
}
"""Operators asked for most, with a replacement that maps."""

_EIGHT_BIT = ("INT8", "UINT8")
_REDUCTIONS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


def _wide(shape: tuple[int, ...]) -> int:
    return sum(1 for size in shape if size > 1)


def float_quantize(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    It turns float into int8: convert with uint8 or int8 input (inference_input_type).
    """
    return op.name == "QUANTIZE" and any(tensor.dtype not in _EIGHT_BIT for tensor in op.data)


def unsupported_op(op: Op) -> bool:
    """Operation not supported.

    Leave it to the host: put it after everything that should map.
    """
    return op.name not in SINCE and op.name != "DEQUANTIZE"


def unsupported_type(op: Op) -> bool:
    """Operation is working on an unsupported data type.

    Quantise every tensor to int8 or uint8, inputs and outputs too.
    """
    # The state of an int8 LSTM is int16.
    also = ("INT16",) if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM" else ()
    return any(tensor.dtype not in (*_EIGHT_BIT, *also) for tensor in op.data)


def unsupported_rank(op: Op) -> bool:
    """Tensor has unsupported rank (up to 3 innermost dimensions mapped).

    Use a batch of 1: only the three innermost dimensions may be larger than 1.
    """
    return any(size > 1 for tensor in op.data for size in tensor.shape[:-3])


def computed_parameter(op: Op) -> bool:
    """Filter, bias, or other param is not constant at compile-time.

    Make the weights, biases and axes constants of the model.
    """
    if op.name in _REDUCTIONS:
        return op.axes is None
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return not all(tensor.is_constant for tensor in op.inputs[1:])
    return op.name == "FULLY_CONNECTED" and not all(tensor.is_constant for tensor in op.inputs[1:2])


def unequal_dilation(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    Use one dilation for height and width.
    """
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D") or len(op.inputs) < 2:
        return False
    # A kernel that is 1 high or wide was seen mapped with dilation along the other side (edgetpu-tcn).
    equal = op.operator.integer("dilation_h", 1) == op.operator.integer("dilation_w", 1)
    return not equal and _wide(op.inputs[1].shape[1:3]) > 1


def dense_output_not_flat(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    A dense layer maps with a one-dimensional output and the default weights format: flatten before it,
    or use a 1x1 convolution.
    """
    if op.name != "FULLY_CONNECTED":
        return False
    plain = op.operator.options.get("weights_format", "DEFAULT") == "DEFAULT"
    return not plain or any(_wide(tensor.shape) > 1 for tensor in op.outputs)


def softmax_too_large(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    Softmax maps on one dimension of at most 16,384 values: take it on the host, or drop it where only the
    largest score counts.
    """
    if op.name != "SOFTMAX" or not op.inputs:
        return False
    return _wide(op.inputs[0].shape) > 1 or op.inputs[0].elements > SOFTMAX_VALUES


def reduces_batch(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    Reduce over height and width, not over the batch.
    """
    if op.name not in _REDUCTIONS or op.axes is None:
        return False
    shape = op.inputs[0].shape
    return len(shape) >= 3 and 0 in op.axes and shape[0] != 1


def mean_over_odd_channels(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    A mean over channels needs their number to be a multiple of 4.
    """
    if op.name != "MEAN" or op.axes is None:
        return False
    shape = op.inputs[0].shape
    return len(shape) == 4 and 3 in op.axes and shape[3] % 4 != 0


def slice_with_stride(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    A strided slice maps with strides of 1 and without ellipsis or new axes: use a strided convolution
    or pooling.
    """
    if op.name != "STRIDED_SLICE":
        return False
    strides = op.inputs[3].integers() if len(op.inputs) > 3 else None
    masks = op.operator.integer("ellipsis_mask") or op.operator.integer("new_axis_mask")
    return bool(masks) or any(step != 1 for step in strides or ())


def resize_too_large(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    Bilinear resizing maps to less than 256 x 256 pixels and not from a single one: enlarge in steps, or on
    the host.
    """
    if op.name != "RESIZE_BILINEAR" or any(len(tensor.shape) != 4 for tensor in op.data):
        return False
    small, large = (
        max((prod(tensor.shape[1:3]) for tensor in side), default=1) for side in (op.inputs[:1], op.outputs)
    )
    return large >= BILINEAR_PIXELS or (small == 1 and large > 1)


def fused_activation(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    Put the activation into the convolution before it or into an operator of its own.
    """
    names = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION")
    return op.name in names and op.operator.activation != "NONE"


def constant_in_concatenation(op: Op) -> bool:
    """Operation is otherwise supported, but not mapped due to some unspecified limitation.

    A concatenation takes a constant only as one of two inputs, all zeros: use PAD.
    """
    if op.name != "CONCATENATION":
        return False
    constants = [tensor for tensor in op.inputs if tensor.is_constant]
    return bool(constants) and len(op.inputs) != 2


RULES: tuple[Rule, ...] = (
    float_quantize,
    unsupported_op,
    computed_parameter,
    unsupported_type,
    unsupported_rank,
    unequal_dilation,
    dense_output_not_flat,
    softmax_too_large,
    reduces_batch,
    mean_over_odd_channels,
    slice_with_stride,
    resize_too_large,
    fused_activation,
    constant_in_concatenation,
)
"""Refusals of an operator, in the order in which they are tried."""


def already_compiled(model: TfliteModel) -> bool:
    """The model is already compiled for the Edge TPU.

    Give the plain .tflite file that edgetpu_compiler was given (these words are ours).
    """
    return model.compiled_for_edgetpu


def dynamic_shapes(model: TfliteModel) -> bool:
    """Attempting to use a delegate that only supports static-sized tensors with a graph that has dynamic-sized tensors.

    Convert with a static batch of 1.
    """  # noqa: E501
    return bool(model.dynamic_tensors)


def not_quantized(model: TfliteModel) -> bool:
    """Model not quantized.

    Convert to full int8 with calibration data.
    """
    computed = {index for operator in model.operators for index in operator.outputs}
    return not any(model.tensors[index].dtype in _EIGHT_BIT for index in computed)


def version_too_new(model: TfliteModel) -> bool:
    """Didn't find op for builtin opcode.

    Compiler 16 knows CONV_2D up to version 5, DEPTHWISE_CONV_2D 6, EXP 1, FULLY_CONNECTED 9,
    RESIZE_BILINEAR 3, RESIZE_NEAREST_NEIGHBOR 3 and TRANSPOSE_CONV 3, and rejects the whole model above:
    convert with an older TensorFlow, or with per-tensor dense weights.
    """
    return any(op.version > MAX_VERSION.get(op.name, op.version) for op in model.operators)


MODEL_RULES: tuple[ModelRule, ...] = (already_compiled, dynamic_shapes, not_quantized, version_too_new)
"""Refusals of a whole model."""
