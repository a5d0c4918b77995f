"""What tflite-micro refuses, operator by operator and for a whole model, without running it.

Source: the interpreter itself, tflite-micro 0.dev20261023182759, asked with a model of one operator for
every builtin operator and for every type (tests/test_tflm_rules.py asks again). The words are its own,
except where a rule says that they are ours. A firmware that registers fewer operators than its Python
package refuses more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeml.deploy.tflite import TfliteModel
from edgeml.target.profile import Target
from edgeml.target.rules import ModelRule, Op, OpVerdict, Rule, first_refusal, view, words

RUNS = "tflite-micro runs it"

_REGISTERED = """ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR
    FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF
    L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC
    LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE
    READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH
    TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE"""
REGISTERED = frozenset(_REGISTERED.split())
"""Builtin operators that its resolver finds."""

_FLOAT_ONLY = "CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD LOG NEG ROUND SIN SQRT SQUARE"
FLOAT_ONLY = frozenset(_FLOAT_ONLY.split())
"""Registered operators whose kernels refuse int8."""

_ANY_INTEGER = """ARG_MAX ARG_MIN ASSIGN_VARIABLE BROADCAST_TO CALL_ONCE CAST DEQUANTIZE EXPAND_DIMS GATHER IF
    QUANTIZE READ_VARIABLE RESHAPE SHAPE SPLIT SQUEEZE STRIDED_SLICE TRANSPOSE VAR_HANDLE WHILE"""
ANY_INTEGER = frozenset(_ANY_INTEGER.split())
"""Operators that move or convert uint8, or are not judged for it."""

SHARED_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
CUSTOM_OPS: tuple[str, ...] = ()
"""Custom operators that run: none. TFLite_Detection_PostProcess is registered, but crashes unless exactly
as its kernel expects it."""

INSTEAD: dict[str, str] = {
    "GELU": "use ReLU, ReLU6 or hard swish",
    "RELU_N1_TO_1": "use ReLU6",
    "TILE": "use CONCATENATION or BROADCAST_TO",
    "POW": "use MUL",
    "SELECT": "use SELECT_V2",
    "TOPK_V2": "take it in the firmware from the int8 scores",
    "LSTM": "use UNIDIRECTIONAL_SEQUENCE_LSTM, or convolutions over time",
    "CONV_3D": "use CONV_2D over slices",
    "REVERSE_SEQUENCE": "reverse the samples before they go in",
}
"""Operators asked for most, with a replacement that runs."""


def dynamic_tensors(model: TfliteModel) -> bool:
    """Dynamic tensors are not supported.

    Convert with a static batch of 1 and a fixed input size.
    """
    return any(size < 0 for tensor in model.tensors for size in tensor.shape)


def not_quantized(model: TfliteModel) -> bool:
    """The model is float, the target takes int8.

    Convert to full int8 with calibration data; tflite-micro would run it, but slowly and with four times
    the RAM (these words are ours).
    """
    computed = [model.tensors[index].dtype for operator in model.operators for index in operator.outputs]
    return bool(computed) and "INT8" not in computed


def unregistered_op(op: Op) -> bool:
    """Didn't find op for builtin opcode.

    Replace it by operators that tflite-micro registers, or take it out of the model into the firmware.
    """
    return op.name not in REGISTERED and op.name != "CUSTOM"


def unregistered_custom_op(op: Op) -> bool:
    """Failed to get registration from op code CUSTOM.

    Replace it by builtin operators; a kernel of one's own can be registered in the firmware.
    """
    return op.name == "CUSTOM" and op.operator.custom_code not in CUSTOM_OPS


def hybrid(op: Op) -> bool:
    """Hybrid models are not supported on TFLite Micro.

    Quantise the activations too: weights of int8 need inputs of int8 or int16.
    """
    at = 2 if op.name == "TRANSPOSE_CONV" else 0
    if op.name not in SHARED_WEIGHTS or len(op.inputs) <= max(at, 1):
        return False
    source, weights = op.inputs[at], op.inputs[1]
    return source.dtype == "FLOAT32" and weights.dtype in ("INT8", "INT4")


def int8_in_float_kernel(op: Op) -> bool:
    """Type INT8 not supported: input->type != kTfLiteFloat32.

    Use an operator with an int8 kernel, for example LOGISTIC, TANH or MUL.
    """
    return op.name in FLOAT_ONLY and any(tensor.dtype == "INT8" for tensor in op.data)


def uint8_activations(op: Op) -> bool:
    """Type UINT8 not supported.

    Convert with today's converter: int8 inside; uint8 only goes in and out, through QUANTIZE.
    """
    return op.name not in ANY_INTEGER and any(tensor.dtype == "UINT8" for tensor in op.data)


RULES: tuple[Rule, ...] = (
    unregistered_op,
    unregistered_custom_op,
    hybrid,
    int8_in_float_kernel,
    uint8_activations,
)
"""Refusals of one operator, in the order in which they are tried."""

MODEL_RULES: tuple[ModelRule, ...] = (dynamic_tensors, not_quantized)
"""Refusals of a whole model."""

REFUSALS: tuple[Callable[[Any], bool], ...] = (*MODEL_RULES, *RULES)


def verdicts(model: TfliteModel, content: bytes | None, target: Target) -> list[OpVerdict]:
    """Model -> what tflite-micro makes of every operator, in execution order."""
    whole = next((words(rule) for rule in MODEL_RULES if rule(model)), None)
    if whole is not None:
        return [OpVerdict(index, op.label, False, *whole) for index, op in enumerate(model.operators)]
    return [_verdict(index, op) for index, op in enumerate(view(model))]


def _verdict(index: int, op: Op) -> OpVerdict:
    rule = first_refusal(RULES, op)
    if rule is None:
        return OpVerdict(index, op.operator.label, True, RUNS)
    reason, instead = words(rule)
    if rule is unregistered_op:
        reason = f"{reason} '{op.name}'"
    elif rule is unregistered_custom_op:
        reason = f"{reason}: {op.operator.custom_code}"
    return OpVerdict(index, op.operator.label, False, reason, INSTEAD.get(op.name, instead))
