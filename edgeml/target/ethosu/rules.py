"""What Vela leaves to the CPU, operator by operator, as far as shapes and types tell it.

The words are Vela's own (its table of constraints, version 5.2), except where a rule says that they are
ours. With the file at hand Vela itself decides; these rules are for architectures that have no file yet, for
machines without Vela, and for what to use instead. tests/test_ethosu_rules.py holds them against Vela.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.rules import ModelRule, Op, Rule

MAPPED = "Mapped to the NPU"

_BOTH = """ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D ELU EXP
EXPAND_DIMS FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_0_TO_1
RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SLICE SOFTMAX SPLIT
SPLIT_V SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK"""
_ONLY_U85 = """ASSIGN_VARIABLE CAST DIV EQUAL GATHER GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND
LOGICAL_NOT LOGICAL_OR NOT_EQUAL READ_VARIABLE REDUCE_ALL REDUCE_ANY SCATTER_ND SELECT SELECT_V2"""
SUPPORTED_U55 = frozenset(_BOTH.split())
"""Operators that Ethos-U55 and Ethos-U65 run."""
SUPPORTED_U85 = SUPPORTED_U55 | frozenset(_ONLY_U85.split())
"""Operators that Ethos-U85 runs."""

_WIDE = """ADD ARG_MAX BATCH_MATMUL EXPAND_DIMS FULLY_CONNECTED MIRROR_PAD MUL NEG RESHAPE SQUEEZE SUB SUM
TRANSPOSE"""
WIDE_U55 = frozenset(_WIDE.split())
"""Operators that Ethos-U55 and Ethos-U65 also run on 32 bit."""

INSTEAD: dict[str, str] = {
    "BATCH_MATMUL": "use a dense layer or a 1x1 convolution with constant weights",
    "CAST": "keep the graph int8 from end to end",
    "DEPTH_TO_SPACE": "use nearest-neighbour resizing and a convolution, or a transposed convolution",
    "DEQUANTIZE": "convert with int8 or uint8 outputs (inference_output_type)",
    "DIV": "multiply by a constant",
    "SPACE_TO_DEPTH": "use a strided convolution",
    "SQRT": "use RSQRT",
}
"""Operators asked for most, with a replacement that maps."""

_CONV = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_WEIGHTED = (*_CONV, "FULLY_CONNECTED")
_POOL = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_REDUCED_AXIS, _REDUCED = 4096, {"INT8": 1 << 24, "UINT8": 1 << 23, "INT16": 1 << 16}


def _features(op: Op) -> Sequence[str]:
    """Types of what is computed at run time."""
    return [tensor.dtype for tensor in op.data]


def _kernel(op: Op) -> tuple[int, int]:
    """Height and width of the window."""
    if op.name in _POOL:
        return op.operator.integer("filter_h", 1), op.operator.integer("filter_w", 1)
    shape = op.inputs[1].shape if len(op.inputs) > 1 else ()
    return (shape[1], shape[2]) if len(shape) == 4 else (1, 1)


def _images(op: Op) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Height and width of the first input and of the output; None where they are no images."""
    ends = (*op.inputs[:1], *op.outputs[:1])
    if len(ends) < 2 or any(len(tensor.shape) != 4 for tensor in ends):
        return None
    return ends[0].shape[1:3], ends[1].shape[1:3]


def _slides_far(op: Op) -> bool:
    """A stride above 3 with dilation or padding."""
    strides, sizes = _strides(op), _images(op)
    if max(strides) <= 3 or sizes is None:
        return False
    have, made = sizes
    if max(op.operator.integer("dilation_h", 1), op.operator.integer("dilation_w", 1)) > 1:
        return True
    if op.operator.options.get("padding") == "VALID":
        return False
    needed = [(out - 1) * step + size for out, step, size in zip(made, strides, _kernel(op), strict=True)]
    return any(need > size for need, size in zip(needed, have, strict=True))


def unsupported_op(op: Op) -> bool:
    """Unsupported opType.

    Leave it to the host: put it before or after everything that should run on the NPU.
    """
    return op.name not in SUPPORTED_U85


def unsupported_op_u55(op: Op) -> bool:
    """Unsupported opType on Ethos-U55 and Ethos-U65.

    Ethos-U85 runs it; here leave it to the host, before or after everything that should run on the NPU.
    """
    return op.name in SUPPORTED_U85 - SUPPORTED_U55


def dynamic_shape(op: Op) -> bool:
    """Only the first dimension of tensors can be dynamic.

    Convert with a fixed input size and a static batch of 1.
    """
    return any(size < 0 for tensor in op.data for size in tensor.shape_signature[1:])


def unsupported_type(op: Op) -> bool:
    """Feature-map dataTypes must be one of {"INT16", "INT32", "INT64", "INT8", "UINT8"}.

    Quantise every tensor to int8, inputs and outputs too.
    """
    return any(kind not in ("INT16", "INT32", "INT64", "INT8", "UINT8", "BOOL") for kind in _features(op))


def wide_features(op: Op) -> bool:
    """32-bit feature-maps are not supported.

    Quantise to int8 (Ethos-U55 and Ethos-U65).
    """
    return op.name not in WIDE_U55 and "INT32" in _features(op)


def wider_features(op: Op) -> bool:
    """64-bit feature-maps are not supported.

    Quantise to int8 (Ethos-U55 and Ethos-U65).
    """
    return op.name != "ARG_MAX" and "INT64" in _features(op)


def weights_not_8_bit(op: Op) -> bool:
    """Weight tensors must be 8-bit precision.

    Convert to full int8 with calibration data.
    """
    weights = op.inputs[1:2] if op.name in _WEIGHTED else ()
    return any(tensor.is_constant and tensor.dtype not in ("INT8", "UINT8") for tensor in weights)


def stride_above_3(op: Op) -> bool:
    """Stride>3 is only supported IF (dilation = 1 AND padding = VALID).

    Use two layers with smaller strides (Ethos-U55 and Ethos-U65).
    """
    return op.name in ("CONV_2D", *_POOL) and _slides_far(op)


def depthwise_stride(op: Op) -> bool:
    """Kernel stride must be in the range (1,3).

    Use a stride of at most 3 (Ethos-U55 and Ethos-U65).
    """
    return op.name == "DEPTHWISE_CONV_2D" and max(_strides(op)) > 3


def transposed_stride(op: Op) -> bool:
    """Stride values WxH must be: 1x1 OR 2x2 OR 2x1 (if IFM height and kernel height is 1) OR 1x2 (if IFM width and kernel width is 1).

    Use a stride of 2 more than once, or nearest-neighbour resizing and a convolution.
    """  # noqa: E501
    if op.name != "TRANSPOSE_CONV" or len(op.inputs) < 3 or len(op.inputs[2].shape) != 4:
        return False
    (tall, wide), (_, height, width, _) = _kernel(op), op.inputs[2].shape
    flat, thin = tall == height == 1, wide == width == 1
    allowed = {(1, 1), (2, 2)} | ({(1, 2)} if flat else set()) | ({(2, 1)} if thin else set())
    return _strides(op) not in allowed


def average_pool_kernel(op: Op) -> bool:
    """Kernel constraints: - IF padding=VALID: - Kernel product must be less than or equal to 256*256 - Kernel height must be less than or equal to 256. - ELSE: - Kernel width and height must be less than or equal to 8.

    Use a smaller window, or VALID padding.
    """  # noqa: E501
    if op.name != "AVERAGE_POOL_2D":
        return False
    tall, wide = _kernel(op)
    if op.operator.options.get("padding") == "VALID":
        return tall > 256 or tall * wide > 65536
    return max(tall, wide) > 8


def max_pool_kernel(op: Op) -> bool:
    """Kernel product must be less than or equal to 256*256 and kernel height must be less than or equal to 256.

    Use a smaller window.
    """  # noqa: E501
    tall, wide = _kernel(op) if op.name == "MAX_POOL_2D" else (1, 1)
    return tall > 256 or tall * wide > 65536


def mean_over_depth(op: Op) -> bool:
    """Reduction over depth is only supported if any of h,w,c == 1.

    Take the mean over height and width, then use a 1x1 convolution.
    """
    if op.name != "MEAN" or op.axes is None or len(op.inputs[0].shape) != 4:
        return False
    return 3 in op.axes and all(size > 1 for size in op.inputs[0].shape[1:])


def mean_too_large(op: Op) -> bool:
    """Reduced axis must be less than 4096.

    Reduce the size before with strides or pooling.
    """
    if op.name != "MEAN" or op.axes is None:
        return False
    sizes = [op.inputs[0].shape[axis] for axis in set(op.axes)]
    return max(sizes, default=1) >= _REDUCED_AXIS or prod(sizes) > _REDUCED.get(op.inputs[0].dtype, 1 << 24)


def _factors(op: Op) -> set[float]:
    """How many times a resize enlarges height and width; empty where it changes nothing or one pixel."""
    sizes = _images(op) if op.name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR") else None
    if sizes is None:
        return set()
    have, made = sizes
    less = op.operator.integer("align_corners")
    sides = zip(have, made, strict=True)
    return set() if have in ((1, 1), made) else {(out - less) / max(size - less, 1) for size, out in sides}


def resize_factor(op: Op) -> bool:
    """Scaling matches and operation has unsupported scale-factor.

    Enlarge both sides alike, in steps where it is more; bilinear with half_pixel_centers takes 2x alone
    (Ethos-U55 and Ethos-U65).
    """
    half = op.operator.integer("half_pixel_centers") and op.name == "RESIZE_BILINEAR"
    factors = _factors(op)
    return bool(factors) and not (len(factors) == 1 and factors <= ({2.0} if half else {2.0, 4.0, 8.0}))


def resize_power_of_two(op: Op) -> bool:
    """Scale-factor must be an integer power of two.

    Enlarge 2, 4, 8 or more times, or use nearest-neighbour resizing (Ethos-U85).
    """
    powers = {2.0**power for power in range(12)}
    return op.name == "RESIZE_BILINEAR" and not _factors(op) <= powers


def _strides(op: Op) -> tuple[int, int]:
    return op.operator.integer("stride_h", 1), op.operator.integer("stride_w", 1)


_RULES: tuple[Rule, ...] = (
    dynamic_shape,
    unsupported_type,
    weights_not_8_bit,
    average_pool_kernel,
    max_pool_kernel,
    mean_over_depth,
    mean_too_large,
)
RULES_U85: tuple[Rule, ...] = (unsupported_op, *_RULES, resize_power_of_two)
"""Refusals of an operator by Ethos-U85, in the order in which they are tried."""

RULES_U55: tuple[Rule, ...] = (
    unsupported_op,
    unsupported_op_u55,
    *_RULES,
    wide_features,
    wider_features,
    stride_above_3,
    depthwise_stride,
    transposed_stride,
    resize_factor,
)
"""Refusals of an operator by Ethos-U55 and Ethos-U65."""


def already_compiled(model: TfliteModel) -> bool:
    """The model is already compiled by Vela.

    Give the plain .tflite file that Vela was given (these words are ours).
    """
    return "ethos-u" in model.custom_ops


MODEL_RULES: tuple[ModelRule, ...] = (already_compiled,)
"""Refusals of a whole model."""
