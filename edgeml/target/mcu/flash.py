"""TfliteModel -> flash on a microcontroller: the model, tflite-micro's runtime and the kernels in use.

Code sizes are coefficients of the profile; the interval spans what they are known to be wrong by. The
application, its drivers and the C library are not in it: the profile's limit leaves them room.
"""

from __future__ import annotations

from edgeml.arch import cost
from edgeml.deploy.tflite import TfliteModel
from edgeml.target.measurement import Measurement
from edgeml.target.profile import Target

WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
"""Kinds of operators whose kernels are the large ones."""

RUNTIME = "tflm_runtime_flash_bytes"
WEIGHTED = "tflm_weighted_kernel_flash_bytes"
OTHER = "tflm_kernel_flash_bytes"

CODE_LOW, CODE_HIGH = 0.5, 1.5
"""Interval of the code's size as shares of the estimate: assumed, there was no Arm build to check it with."""


def flash_bytes(model: TfliteModel, target: Target) -> Measurement:
    """TfliteModel -> flash in bytes, kind estimated, its parts in the conditions.

    Raises:
        ConfigError: the profile lacks a coefficient.
    """
    file = model.file_bytes or outlined_file_bytes(model)
    kinds = {operator.label for operator in model.operators}
    weighted = sum(kind in WITH_WEIGHTS for kind in kinds)
    runtime = target.coefficient(RUNTIME)
    kernels = weighted * target.coefficient(WEIGHTED) + (len(kinds) - weighted) * target.coefficient(OTHER)
    code = runtime + kernels
    return Measurement(
        "flash_bytes",
        file + code,
        "bytes",
        "estimated",
        "edgeml: model + tflite-micro's runtime + kernels in use",
        low=file + CODE_LOW * code,
        high=file + CODE_HIGH * code,
        conditions={
            "model_bytes": file,
            "model_bytes_are": "the file's length" if model.file_bytes else "estimated from the outline",
            "runtime_bytes": runtime,
            "kernels_bytes": kernels,
            "kernels": sorted(kinds),
            "left_out": "the application, its drivers and the C library",
            "interval": "assumed: the code's size may be wrong by half",
        },
    )


def outlined_file_bytes(model: TfliteModel) -> int:
    """Outline -> expected length of the .tflite file in bytes, with the coefficients of arch/cost.py."""
    values = sum(tensor.nbytes for tensor in model.tensors if tensor.is_constant)
    weighted = [operator for operator in model.operators if operator.name in WITH_WEIGHTS]
    channels = sum(model.tensors[operator.outputs[0]].shape[-1] for operator in weighted)
    nodes = len(model.operators) - 1  # the network's input and the last QUANTIZE are one node
    overhead = cost.FILE_BYTES + cost.FILE_BYTES_PER_NODE * nodes
    return (
        values
        + overhead
        + cost.FILE_BYTES_PER_KERNEL * len(weighted)
        + cost.FILE_BYTES_PER_CHANNEL * channels
    )
